#include "engine/train/onnx_job.hpp"

#include <mutex>

namespace pd {

namespace {

void set_weights(stage_program& to, const onnx_network& from) {
  for (const auto& each : to.plan().parameters)
    if (from.parameters.contains(each.name))
      to.write(each, from.values_of(each.name));
}

} // namespace

bool is_onnx_job(const job& from) {
  return is_onnx_path(from.model.file);
}

result<onnx_network> load_onnx(const job& from, const registry& ops) {
  return load_onnx(from.model.file,
                   {.classes = from.model.classes,
                    .height = from.model.image.height,
                    .width = from.model.image.width,
                    .channels = from.model.image.channels},
                   ops);
}

result<void>
set_onnx_weights(const std::vector<std::unique_ptr<stage_program>>& to,
                 const job& from, const registry& ops) {
  static std::mutex turn;
  const std::lock_guard lock{turn};
  PD_TRY(const auto network, load_onnx(from, ops));
  for (const auto& each : to)
    set_weights(*each, network);
  return {};
}

} // namespace pd
