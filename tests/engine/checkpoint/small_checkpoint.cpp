#include "tests/engine/checkpoint/small_checkpoint.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <numeric>

namespace pd::test {

namespace {

std::vector<float> numbers(std::size_t count, double first) {
  std::vector<float> made(count);
  std::iota(made.begin(), made.end(), static_cast<float>(first));
  return made;
}

} // namespace

small_model::small_model(const checkpoint_position& position)
  : at_{position}, seen_{position.samples} {
  const auto first = static_cast<double>(1000 * at_.epoch + at_.samples);
  conv_ = numbers(12, first + 0.25);
  conv_moment_ = numbers(12, first + 0.5);
  mean_ = numbers(3, -first);
  linear_ = numbers(10, first + 100);
  linear_moment_ = numbers(10, first + 200);
  bias_ = numbers(5, first + 300);
  bias_moment_ = numbers(5, first + 400);
}

std::vector<shard_tensor> small_model::tensors(int writer) const {
  const auto updates = at_.samples / 8;
  if (writer == 0)
    return {
      {"conv1.weight",
       {3, 1, 2, 2},
       tensor_kind::parameter,
       updates,
       conv_,
       {},
       {conv_moment_}},
      {"bn1.running_mean", {3}, tensor_kind::statistic, 0, mean_, {}, {}},
      {"bn1.num_batches_tracked", {}, tensor_kind::counter, 0, {}, seen_, {}}};
  return {{"fc.weight",
           {5, 2},
           tensor_kind::parameter,
           updates,
           linear_,
           {},
           {linear_moment_}},
          {"fc.bias",
           {5},
           tensor_kind::parameter,
           updates,
           bias_,
           {},
           {bias_moment_}}};
}

checkpoint_manifest
small_model::manifest(const std::vector<written_shard>& shards) const {
  checkpoint_manifest made;
  made.name = "small";
  made.job = "name = \"small\"\nseed = 7\n";
  made.seed = 7;
  made.at = at_;
  made.data = {"synthetic", 64, true};
  made.rule = "sgd";
  made.moments = 1;
  for (const auto& each : shards) {
    made.shards.push_back(each.file);
    made.tensors.insert(made.tensors.end(), each.tensors.begin(),
                        each.tensors.end());
  }
  return made;
}

result<std::vector<written_shard>> write_shards(const small_model& model,
                                                const std::string& folder) {
  std::vector<written_shard> written;
  for (int i = 0; i < small_model::writers; ++i) {
    PD_TRY(auto shard,
           write_shard(folder, i, small_model::writers, model.tensors(i)));
    written.push_back(std::move(shard));
  }
  return written;
}

result<std::string> save(checkpoint_store& store,
                         const checkpoint_position& at) {
  const small_model model{at};
  PD_TRY(const auto part, store.begin(at));
  const auto shards = write_shards(model, part);
  if (!shards) {
    store.abandon();
    return shards.failure();
  }
  return store.commit(model.manifest(*shards));
}

result<std::string> save(const std::string& directory, int keep,
                         const checkpoint_position& at) {
  PD_TRY(auto store, checkpoint_store::open(directory, keep));
  return save(store, at);
}

} // namespace pd::test
