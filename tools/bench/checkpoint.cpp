/// What a checkpoint costs its writer's disk: a shard written (hashed, synced)
/// beside `cp` and `sync` of the same bytes, in turns; and a whole checkpoint
/// opened, every byte of it hashed, from the page cache.
///
///     bench_checkpoint --directory /data/scratch
///     bench_checkpoint --mib 2048 --tensors 16 --json

#include "engine/checkpoint/checkpoint.hpp"

#include "engine/base/clock.hpp"
#include "engine/checkpoint/checkpoint_store.hpp"
#include "engine/checkpoint/shard.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <numeric>
#include <stdexcept>

using namespace pd;

namespace {

struct settings {
  std::string directory = std::filesystem::temp_directory_path();
  std::int64_t mib = 512; ///< of the shard, moments included
  int tensors = 160;      ///< parameters with one moment each
  int turns = 5;
  bool is_json = false;
};

/// A stage's parameters, all alike, and what says where they are.
class parameters {
public:
  explicit parameters(const settings& given)
    : elems_{given.mib * (1 << 20) / 8 / given.tensors},
      values_(static_cast<std::size_t>(elems_)) {
    std::iota(values_.begin(), values_.end(), 0.5F);
    // Arrays of their own, as a stage has: nothing is in a cache.
    for (int i = 0; i < given.tensors; ++i)
      arrays_.emplace_back(values_), arrays_.emplace_back(values_);
    for (int i = 0; i < given.tensors; ++i)
      tensors_.push_back({fmt::format("layer{}.weight", i),
                          {elems_},
                          tensor_kind::parameter,
                          1,
                          arrays_[2 * static_cast<std::size_t>(i)],
                          {},
                          {arrays_[2 * static_cast<std::size_t>(i) + 1]}});
  }

  [[nodiscard]] std::span<const shard_tensor> all() const { return tensors_; }

private:
  std::int64_t elems_;
  std::vector<float> values_;
  std::vector<std::vector<float>> arrays_;
  std::vector<shard_tensor> tensors_;
};

template <class T>
T value(result<T> from) {
  if (!from)
    throw std::runtime_error{from.failure().message};
  return *std::move(from);
}

double seconds_of(const auto& work) {
  const auto begin_us = now_us();
  work();
  return seconds_since(begin_us);
}

double median(std::vector<double> all) {
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  std::ranges::nth_element(all, middle);
  return *middle;
}

struct measured {
  std::vector<double> write_s, copy_s, open_s;
};

/// A file copied as a person would, and made to last.
void copy(const std::string& from, const std::string& to) {
  const auto command = fmt::format("cp '{0}' '{1}' && sync '{1}'", from, to);
  if (std::system(command.c_str()) != 0)
    throw std::runtime_error{"cannot copy " + from};
}

void turn(const parameters& of, const std::string& folder, measured& into) {
  auto store = value(checkpoint_store::open(folder, 1));
  const auto part = value(store.begin({}));
  written_shard shard;
  into.write_s.push_back(
    seconds_of([&] { shard = value(write_shard(part, 0, 1, of.all())); }));
  checkpoint_manifest manifest;
  manifest.rule = "sgd";
  manifest.moments = 1;
  manifest.shards = {shard.file};
  manifest.tensors = shard.tensors;
  const auto path = value(store.commit(manifest));
  into.open_s.push_back(seconds_of([&] { value(checkpoint::open(path)); }));
  const auto copied = folder + "/copy";
  into.copy_s.push_back(
    seconds_of([&] { copy(path + "/" + shard.file.file, copied); }));
  std::filesystem::remove(copied);
  std::filesystem::remove_all(path);
}

measured measure(const settings& given) {
  const parameters of{given};
  const auto folder = given.directory + "/pd-bench-checkpoint";
  measured all;
  for (int i = 0; i <= given.turns; ++i) {
    if (i == 1)
      all = {}; // the first turn does not count
    turn(of, folder, all);
  }
  std::filesystem::remove_all(folder);
  return all;
}

void print(const settings& given, const measured& all) {
  const auto mb = static_cast<double>(given.mib) * 1.048576;
  const auto write = mb / median(all.write_s);
  const auto copy = mb / median(all.copy_s);
  const auto open = mb / median(all.open_s);
  if (given.is_json)
    fmt::print("{}\n", nlohmann::ordered_json{{"mib", given.mib},
                                              {"write_mb_per_s", write},
                                              {"copy_mb_per_s", copy},
                                              {"ratio", write / copy},
                                              {"open_mb_per_s", open}}
                         .dump());
  else
    fmt::print("shard of {} MiB: written {:.0f} MB/s, cp and sync {:.0f} MB/s, "
               "ratio {:.2f}; opened {:.0f} MB/s\n",
               given.mib, write, copy, write / copy, open);
}

} // namespace

int main(int argc, char** argv) {
  settings given;
  CLI::App app{"what writing and opening a checkpoint costs"};
  app.add_option("--directory", given.directory, "where to write");
  app.add_option("--mib", given.mib, "size of the shard")
    ->check(CLI::Range(1, 1 << 20));
  app.add_option("--tensors", given.tensors)->check(CLI::Range(1, 1 << 16));
  app.add_option("--turns", given.turns)->check(CLI::Range(1, 1000));
  app.add_flag("--json", given.is_json);
  CLI11_PARSE(app, argc, argv);
  try {
    print(given, measure(given));
  } catch (const std::exception& why) {
    fmt::print(stderr, "bench_checkpoint: {}\n", why.what());
    return 1;
  }
  return 0;
}
