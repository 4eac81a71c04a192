#include "engine/train/worker_snapshot.hpp"

#include "engine/train/worker_parts.hpp"

#include <algorithm>
#include <cstring>

namespace pd {

namespace {

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

/// Puts a parameter into PyTorch's layout where it lies, and says where.
std::span<const float> unpack_in_place(const stage_program& by,
                                       const stored_parameter& which,
                                       std::span<float> stored) {
  const auto plain = by.unpacked(which, stored.data());
  std::ranges::copy(plain, stored.begin());
  return stored.first(plain.size());
}

} // namespace

tensor_kind kind_of(const parameter& rule) {
  if (rule.is_trainable)
    return tensor_kind::parameter;
  return rule.type == dtype::i64 ? tensor_kind::counter
                                 : tensor_kind::statistic;
}

std::span<float> stored_in(float* array, const stored_parameter& which) {
  return {array + which.offset, at(which.storage.elems)};
}

worker_snapshot::worker_snapshot(const worker_parts& of) : of_{of} {
  for (std::size_t c = 0; c < of.programs.size(); ++c) {
    const auto& plan = of.programs[c]->plan();
    chunk_copy made;
    made.arrays.assign(at(1 + of.updates[c]->moments()),
                       std::vector<float>(at(plan.trainable_elems)));
    made.statistics.resize(at(plan.statistics_bytes));
    made.counters.resize(plan.parameters.size());
    chunks_.push_back(std::move(made));
  }
}

std::int64_t worker_snapshot::bytes_for(const stage_plan& plan, int moments) {
  return (1 + moments) * plan.trainable_elems * 4 + plan.statistics_bytes;
}

void worker_snapshot::copy() {
  for (std::size_t c = 0; c < chunks_.size(); ++c)
    copy_chunk(c);
}

void worker_snapshot::copy_chunk(std::size_t chunk) {
  auto& to = chunks_[chunk];
  auto& program = *of_.programs[chunk];
  const auto& updates = *of_.updates[chunk];
  program.work().synchronize();
  std::copy_n(program.weights().newest().f32, to.arrays[0].size(),
              to.arrays[0].begin());
  for (std::size_t i = 1; i < to.arrays.size(); ++i)
    std::copy_n(updates.moment_arrays()[i - 1], to.arrays[i].size(),
                to.arrays[i].begin());
  std::copy_n(program.weights().statistics(), to.statistics.size(),
              to.statistics.begin());
  to.updates = updates.steps();
}

shard_tensor worker_snapshot::tensor_of(std::size_t chunk,
                                        const stored_parameter& which) {
  auto& from = chunks_[chunk];
  const auto& program = *of_.programs[chunk];
  shard_tensor made;
  made.name = which.name;
  made.extents = which.rule.extents;
  made.kind = kind_of(which.rule);
  made.updates = from.updates;
  if (made.kind == tensor_kind::parameter) {
    made.values =
      unpack_in_place(program, which, stored_in(from.arrays[0].data(), which));
    for (std::size_t i = 1; i < from.arrays.size(); ++i)
      made.moments.push_back(unpack_in_place(
        program, which, stored_in(from.arrays[i].data(), which)));
    return made;
  }
  auto* bytes = from.statistics.data() + which.offset;
  if (made.kind == tensor_kind::statistic) {
    made.values = unpack_in_place(
      program, which,
      {reinterpret_cast<float*>(bytes), at(which.storage.elems)});
    return made;
  }
  auto& counter = from.counters[at(&which - program.plan().parameters.data())];
  std::memcpy(&counter, bytes, sizeof counter);
  made.counts = {&counter, 1};
  return made;
}

void worker_snapshot::add_tensors(std::size_t chunk,
                                  std::vector<shard_tensor>& to) {
  for (const auto& each : of_.programs[chunk]->plan().parameters)
    to.push_back(tensor_of(chunk, each));
}

result<written_shard> worker_snapshot::write(const std::string& folder,
                                             int shard, int shards) {
  std::vector<shard_tensor> tensors;
  for (std::size_t c = 0; c < chunks_.size(); ++c)
    add_tensors(c, tensors);
  return write_shard(folder, shard, shards, tensors);
}

} // namespace pd
