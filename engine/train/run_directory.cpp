#include "engine/train/run_directory.hpp"

#include "engine/base/clock.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

namespace pd {

namespace fs = std::filesystem;

namespace {

error cannot(const std::string& verb, const std::string& path, int reason) {
  return {errc::io, path + ": cannot " + verb + ": " + std::strerror(reason)};
}

/// A folder that was not there before.
result<std::string> make_folder(const std::string& base) {
  std::error_code failed;
  fs::create_directories(fs::path{base}.parent_path(), failed);
  for (int i = 1; i < 1000 && !failed; ++i) {
    const auto path = i == 1 ? base : base + "-" + std::to_string(i);
    if (fs::create_directory(path, failed))
      return path;
  }
  return error{errc::io,
               base + ": cannot make this folder: " + failed.message()};
}

} // namespace

result<run_directory> run_directory::make(const std::string& parent,
                                          const std::string& name) {
  PD_TRY(auto path, make_folder(parent + "/" + timestamp() + "-" + name));
  const auto metrics = path + "/metrics.jsonl";
  file_handle file{std::fopen(metrics.c_str(), "w"), std::fclose};
  if (!file)
    return cannot("write", metrics, errno);
  return run_directory{std::move(path), std::move(file)};
}

result<void> run_directory::write(const std::string& file,
                                  const std::string& text) const {
  const auto path = path_ + "/" + file;
  const file_handle to{std::fopen(path.c_str(), "w"), std::fclose};
  if (!to || std::fwrite(text.data(), 1, text.size(), to.get()) != text.size()
      || std::fflush(to.get()) != 0)
    return cannot("write", path, errno);
  return {};
}

result<void> run_directory::append_line(const std::string& line) {
  const auto text = line + "\n";
  if (std::fwrite(text.data(), 1, text.size(), metrics_.get()) != text.size()
      || std::fflush(metrics_.get()) != 0)
    return cannot("write", path_ + "/metrics.jsonl", errno);
  return {};
}

result<void> run_directory::append(const update_metrics& line) {
  return append_line(nlohmann::ordered_json{
    {"epoch", line.epoch},
    {"microbatch", line.microbatch},
    {"loss", line.loss},
    {"accuracy", line.accuracy},
    {"lr", line.lr},
    {"samples_per_s", line.samples_per_s},
    {"time_s",
     line.time_s}}.dump());
}

result<void> run_directory::append(const evaluation_metrics& line) {
  return append_line(nlohmann::ordered_json{
    {"epoch", line.epoch},
    {"eval_loss", line.loss},
    {"eval_accuracy", line.accuracy},
    {"eval_top5_accuracy", line.top5_accuracy},
    {"samples", line.samples},
    {"time_s",
     line.time_s}}.dump());
}

} // namespace pd
