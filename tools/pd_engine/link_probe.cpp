#include "tools/pd_engine/link_probe.hpp"

#include "engine/comm/gloo_communicator.hpp"
#include "engine/comm/local_communicator.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
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
    ::_exit(work() ? 0 : 1);
  }
  child(const child&) = delete;
  child& operator=(const child&) = delete;
  ~child() {
    if (process_ <= 0)
      return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }

  [[nodiscard]] bool has_started() const { return process_ > 0; }

private:
  pid_t process_;
};

result<measured_link> time_gloo(const std::string& folder, int rank) {
  file_store store{folder};
  gloo_options how;
  how.rank = rank;
  how.size = 2;
  PD_TRY(const auto group, make_gloo_communicator(store, how));
  return time_link(*group);
}

result<measured_link> probe_gloo() {
  const meeting_folder at;
  if (!at.is_there())
    return error{errc::io, at.path() + ": cannot be made"};
  const child other{[&] { return time_gloo(at.path(), 1).has_value(); }};
  if (!other.has_started())
    return error{errc::io, "no second process can be started"};
  return time_gloo(at.path(), 0);
}

result<measured_link> probe_local() {
  const auto group = make_local_group(2);
  const std::jthread other{[&] { (void)time_link(*group[1]); }};
  return time_link(*group[0]);
}

} // namespace

result<std::vector<probed_link>> probe_links() {
  std::vector<probed_link> made{{"gloo", {}}, {"local", {}}};
  PD_TRY(made[0].figures, probe_gloo()); // it forks: before there are threads
  PD_TRY(made[1].figures, probe_local());
  return made;
}

} // namespace pd
