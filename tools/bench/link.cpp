/// Latency and throughput between two workers over each transport, and of a
/// sum over both, beside what memory and the loopback can do.
///
///     bench_link --quick
///     bench_link --json > link.json
///
/// memcpy  one thread           local  two threads
/// tcp     two processes, plain reads and writes over the loopback
/// gloo    two processes, what the engine uses between them
///
/// The processes are forked before any thread starts.

#include "engine/comm/gloo_communicator.hpp"
#include "engine/comm/local_communicator.hpp"
#include "tools/bench/support/link_measure.hpp"

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace pd {

namespace {

struct bench_options {
  bool is_quick = false;
  bool prints_json = false;
  std::int64_t segment_bytes = gloo_options{}.segment_bytes;
  std::vector<std::string> transports{"memcpy", "local", "tcp", "gloo"};
};

struct figures {
  std::vector<link_figures> link;
  std::vector<sum_figures> sums; ///< none for memcpy and tcp
};

using all_figures = std::map<std::string, figures>;

/// A process for side 1. Ends with this one.
class other_side {
public:
  explicit other_side(const std::function<void()>& work) : process_{::fork()} {
    if (process_ != 0)
      return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
      work();
    } catch (const std::exception& fault) {
      fmt::print(stderr, "bench_link: the other side: {}\n", fault.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  other_side(const other_side&) = delete;
  other_side& operator=(const other_side&) = delete;
  ~other_side() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }

  /// Throws if it failed.
  void wait() const {
    int status = 0;
    ::waitpid(process_, &status, 0);
    if (status != 0)
      throw std::runtime_error{"the other side failed"};
  }

private:
  pid_t process_;
};

class temporary_folder {
public:
  temporary_folder() {
    if (::mkdtemp(path_.data()) == nullptr)
      throw std::runtime_error{"no folder " + path_};
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  ~temporary_folder() { std::filesystem::remove_all(path_); }

  [[nodiscard]] const std::string& path() const { return path_; }

private:
  std::string path_ = std::filesystem::temp_directory_path() / "pd_link_XXXXXX";
};

figures measure_group(communicator& group, const bench_options& options) {
  const auto sizes = link_sizes(options.is_quick);
  communicator_end end{group};
  figures here;
  here.link = measure_link(end, group.rank(), sizes);
  here.sums = measure_sums(group, sizes);
  return here;
}

figures measure_local(const bench_options& options) {
  const auto group = make_local_group(2);
  const std::jthread other{[&] { measure_group(*group[1], options); }};
  return measure_group(*group[0], options);
}

figures measure_tcp(const bench_options& options) {
  const auto sizes = link_sizes(options.is_quick);
  const loopback_listener at;
  const other_side other{[&] { measure_link(*at.connect(), 1, sizes); }};
  figures here{measure_link(*at.accept(), 0, sizes), {}};
  other.wait();
  return here;
}

figures measure_gloo_rank(const std::string& folder, int rank,
                          const bench_options& options) {
  file_store store{folder};
  gloo_options how;
  how.rank = rank;
  how.size = 2;
  how.segment_bytes = options.segment_bytes;
  auto group = make_gloo_communicator(store, how);
  if (!group)
    throw std::runtime_error{group.failure().message};
  return measure_group(**group, options);
}

figures measure_gloo(const bench_options& options) {
  const temporary_folder folder;
  const other_side other{[&] { measure_gloo_rank(folder.path(), 1, options); }};
  auto here = measure_gloo_rank(folder.path(), 0, options);
  other.wait();
  return here;
}

figures measure_copies(const bench_options& options) {
  return {measure_memcpy(link_sizes(options.is_quick)), {}};
}

/// The ones that fork come first, while there is one thread.
all_figures measure(const bench_options& options) {
  const std::vector<
    std::pair<std::string, std::function<figures(const bench_options&)>>>
    ways{{"tcp", measure_tcp},
         {"gloo", measure_gloo},
         {"memcpy", measure_copies},
         {"local", measure_local}};
  all_figures all;
  for (const auto& [name, way] : ways)
    if (std::ranges::count(options.transports, name) > 0)
      all[name] = way(options);
  return all;
}

// -- output -------------------------------------------------------------------

std::string size_text(std::int64_t bytes) {
  if (bytes < 1024)
    return fmt::format("{} B", bytes);
  return bytes < 1 << 20 ? fmt::format("{} KiB", bytes >> 10)
                         : fmt::format("{} MiB", bytes >> 20);
}

void print_links(const all_figures& all, const bench_options& options) {
  fmt::print("{:>8}", "");
  for (const auto& name : options.transports)
    fmt::print(" | {:>18}", name);
  fmt::print("\n{:>8}", "bytes");
  for (std::size_t i = 0; i < options.transports.size(); ++i)
    fmt::print(" | {:>11} {:>6}", "one-way us", "GB/s");
  const auto sizes = link_sizes(options.is_quick);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    fmt::print("\n{:>8}", size_text(sizes[i]));
    for (const auto& name : options.transports) {
      const auto& at = all.at(name).link[i];
      fmt::print(" | {:>11.1f} {:>6.2f}", at.latency_us, at.gb_per_s);
    }
  }
  fmt::print("\n");
}

void print_sums(const std::string& name, const std::vector<sum_figures>& sums) {
  fmt::print("\nsum over 2 ranks, {}\n{:>8} | {:>10} {:>14} {:>9}\n", name,
             "bytes", "us", "algorithm GB/s", "bus GB/s");
  for (const auto& each : sums)
    fmt::print("{:>8} | {:>10.1f} {:>14.2f} {:>9.2f}\n", size_text(each.bytes),
               each.seconds * 1e6, each.algorithm_gb_per_s, each.bus_gb_per_s);
}

nlohmann::json to_json(const figures& of) {
  auto link = nlohmann::json::array();
  for (const auto& each : of.link)
    link.push_back({{"bytes", each.bytes},
                    {"latency_us", each.latency_us},
                    {"gb_per_s", each.gb_per_s}});
  auto sums = nlohmann::json::array();
  for (const auto& each : of.sums)
    sums.push_back({{"bytes", each.bytes},
                    {"seconds", each.seconds},
                    {"algorithm_gb_per_s", each.algorithm_gb_per_s},
                    {"bus_gb_per_s", each.bus_gb_per_s}});
  return {{"link", link}, {"sum_of_2_ranks", sums}};
}

void print(const all_figures& all, const bench_options& options) {
  if (options.prints_json) {
    auto text = nlohmann::json::object();
    for (const auto& [name, of] : all)
      text[name] = to_json(of);
    fmt::print("{}\n", text.dump(2));
    return;
  }
  print_links(all, options);
  for (const auto& name : options.transports)
    if (!all.at(name).sums.empty())
      print_sums(name, all.at(name).sums);
}

int run(int argc, char** argv) try {
  bench_options options;
  CLI::App app{"bench_link: latency and throughput between two workers"};
  app.add_flag("--quick", options.is_quick, "a few sizes");
  app.add_flag("--json", options.prints_json);
  app.add_option("--segment-bytes", options.segment_bytes, "of a gloo sum")
    ->capture_default_str();
  app.add_option("--transports", options.transports)
    ->check(CLI::IsMember({"memcpy", "local", "tcp", "gloo"}))
    ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  print(measure(options), options);
  return 0;
} catch (const std::exception& fault) {
  std::cerr << "bench_link: error: " << fault.what() << '\n';
  return 2;
}

} // namespace

} // namespace pd

int main(int argc, char** argv) {
  return pd::run(argc, argv);
}
