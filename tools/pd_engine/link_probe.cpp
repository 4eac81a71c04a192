#include "tools/pd_engine/link_probe.hpp"

#include "actors/worker_places.hpp"
#include "engine/comm/gloo_communicator.hpp"
#include "engine/comm/local_communicator.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace pd {

namespace {

/// Where the two processes meet. Goes with this.
class meeting_folder {
public:
  meeting_folder() : is_there_{::mkdtemp(path_.data()) != nullptr} {}
  meeting_folder(const meeting_folder&) = delete;
  meeting_folder& operator=(const meeting_folder&) = delete;
  ~meeting_folder() {
    std::error_code ignored;
    if (is_there_)
      std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] bool is_there() const { return is_there_; }
  [[nodiscard]] const std::string& path() const { return path_; }

private:
  std::string path_ = std::filesystem::temp_directory_path() / "pd_link_XXXXXX";
  bool is_there_;
};

/// A forked process, which ends with this one.
class child {
public:
  explicit child(const std::function<bool()>& work) : process_{::fork()} {
    if (process_ != 0)
      return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::_exit(ends_well(work) ? 0 : 1);
  }
  child(const child&) = delete;
  child& operator=(const child&) = delete;
  ~child() {
    if (process_ <= 0)
      return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }

private:
  static bool ends_well(const std::function<bool()>& work) {
    try {
      return work();
    } catch (const std::exception&) { // it says nothing, and is told of so
      return false;
    }
  }

  pid_t process_;
};

/// One end of a link.
struct link_end {
  std::string host = gloo_options{}.host;
  std::string network_namespace; ///< empty: this process's
};

/// This thread's network from now on.
result<void> enter(const std::string& network_namespace) {
  if (network_namespace.empty())
    return {};
  if (network_namespace.find('/') != std::string::npos)
    return error{errc::bad_value,
                 "network namespace: wanted a name without '/'"};
  const auto path = "/run/netns/" + network_namespace;
  const int opened = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool is_in = opened >= 0 && ::setns(opened, CLONE_NEWNET) == 0;
  const int why = errno;
  if (opened >= 0)
    ::close(opened);
  return is_in ? result<void>{}
               : error{errc::io, "network namespace '" + network_namespace
                                   + "': " + std::strerror(why)};
}

result<measured_link> time_gloo(const std::string& folder, int rank,
                                const link_end& at,
                                const link_timing_options& options) {
  PD_CHECK(enter(at.network_namespace));
  file_store store{folder};
  gloo_options how;
  how.rank = rank;
  how.size = 2;
  how.host = at.host;
  PD_TRY(const auto group, make_gloo_communicator(store, how));
  return time_link(*group, options);
}

/// What a process says of its measuring; a text of more than this is cut.
struct spoken {
  measured_link figures;
  std::array<char, 500> failure{}; ///< empty: none
};

spoken spoken_of(const result<measured_link>& found) {
  spoken made;
  if (found)
    made.figures = *found;
  else
    found.failure().message.copy(made.failure.data(), made.failure.size() - 1);
  return made;
}

/// Within a minute.
bool hears(int from, spoken& into) {
  constexpr int limit_ms = 60'000;
  pollfd wanted{from, POLLIN, 0};
  return ::poll(&wanted, 1, limit_ms) == 1
         && ::read(from, &into, sizeof into) == ssize_t{sizeof into};
}

/// Both ends are processes of their own, since a namespace is for good.
result<measured_link> probe_gloo(const link_end& from, const link_end& to,
                                 const link_timing_options& options = {}) {
  const meeting_folder at;
  std::array<int, 2> ends{};
  if (!at.is_there() || ::pipe2(ends.data(), O_CLOEXEC) != 0)
    return error{errc::io, at.path() + ": two processes cannot meet there"};
  const auto says = [&](int rank, const link_end& end) {
    const auto all = spoken_of(time_gloo(at.path(), rank, end, options));
    return (rank == 0 || all.failure[0] != '\0')
           && ::write(ends[1], &all, sizeof all) == ssize_t{sizeof all};
  };
  const child first{[&] { return says(0, from); }};
  const child second{[&] { return says(1, to); }};
  ::close(ends[1]);
  spoken heard;
  const bool has_heard = hears(ends[0], heard);
  ::close(ends[0]);
  if (!has_heard)
    return error{errc::io, "no answer of the processes that measure: wanted "
                           "one within a minute"};
  if (heard.failure[0] != '\0')
    return error{errc::io, heard.failure.data()};
  return heard.figures;
}

result<measured_link> probe_local() {
  const auto group = make_local_group(2);
  const std::jthread other{[&] { (void)time_link(*group[1]); }};
  return time_link(*group[0]);
}

} // namespace

result<std::vector<probed_link>> probe_links() {
  std::vector<probed_link> made{{"gloo", {}}, {"local", {}}};
  PD_TRY(made[0].figures,
         probe_gloo({}, {})); // it forks: before there are threads
  PD_TRY(made[1].figures, probe_local());
  return made;
}

namespace {

result<link_end> end_of(const cluster& on, int worker) {
  PD_TRY(const auto at, place_of(on, worker));
  return link_end{at.listen.substr(0, at.listen.rfind(':')),
                  at.network_namespace};
}

link_timing_options options_for(const network_level& level) {
  constexpr double message_s = 0.01;
  constexpr double least = 4 << 10;
  constexpr double most = 4 << 20;
  link_timing_options made;
  made.message_bytes = static_cast<std::int64_t>(
    std::clamp(level.bandwidth_bytes_per_s * message_s, least, most));
  made.round_trips = 50;
  return made;
}

} // namespace

result<std::vector<probed_level>> probe_levels(const cluster& on) {
  std::vector<probed_level> made;
  for (int level = 0; level < std::ssize(on.levels); ++level) {
    const auto& at = on.levels[static_cast<std::size_t>(level)];
    if (at.machines == 1)
      continue; // nobody to reach
    const int to = on.group_workers(level);
    PD_TRY(const auto here, end_of(on, 0));
    PD_TRY(const auto there, end_of(on, to));
    PD_TRY(const auto found, probe_gloo(here, there, options_for(at)));
    made.push_back({level, to, found});
  }
  if (made.empty())
    return error{errc::bad_value,
                 "cluster: wanted two workers to measure between, got one"};
  return made;
}

} // namespace pd
