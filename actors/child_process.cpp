#include "actors/child_process.hpp"

#include "engine/base/clock.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pd {

namespace {

constexpr int orphan_status = 1;

/// How often whoever waits for a line looks whether it is to go on.
constexpr std::chrono::milliseconds look_every{20};

struct pipe_ends {
  int read = -1;
  int write = -1;
};

result<pipe_ends> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return error{errc::io, std::string{"pipe: "} + std::strerror(errno)};
  return pipe_ends{ends[0], ends[1]};
}

/// What posix_spawn is told, freed as it goes.
class spawn_plan {
public:
  spawn_plan(const pipe_ends& input, const pipe_ends& output, int shared) {
    ::posix_spawn_file_actions_init(&files_);
    ::posix_spawn_file_actions_adddup2(&files_, input.read, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&files_, output.write, STDOUT_FILENO);
    if (shared >= 0)
      ::posix_spawn_file_actions_adddup2(&files_, shared,
                                         child_process::shared_at);
    ::posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(&attributes_,
                               POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  }
  spawn_plan(const spawn_plan&) = delete;
  spawn_plan& operator=(const spawn_plan&) = delete;
  ~spawn_plan() {
    ::posix_spawn_file_actions_destroy(&files_);
    ::posix_spawnattr_destroy(&attributes_);
  }

  result<pid_t> run(std::vector<std::string> command) {
    std::vector<char*> words;
    words.reserve(command.size() + 1);
    for (auto& each : command)
      words.push_back(each.data());
    words.push_back(nullptr);
    pid_t id = -1;
    if (const int why = ::posix_spawnp(&id, words[0], &files_, &attributes_,
                                       words.data(), environ);
        why != 0)
      return error{errc::io,
                   "cannot start " + command[0] + ": " + std::strerror(why)};
    return id;
  }

private:
  posix_spawn_file_actions_t files_{};
  posix_spawnattr_t attributes_{};
};

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status))
    return "killed by signal " + std::to_string(WTERMSIG(status)) + " ("
           + ::strsignal(WTERMSIG(status)) + ")";
  return "exited with status " + std::to_string(WEXITSTATUS(status));
}

} // namespace

/// What the watching thread and its owner share.
struct child_process::watch {
  std::mutex mutex;
  std::condition_variable ended;
  bool is_over = false;
  bool is_expected = false;
};

result<std::unique_ptr<child_process>>
child_process::start(const std::vector<std::string>& command, int shared,
                     end_handler on_end) {
  PD_TRY(const auto input, make_pipe());
  PD_TRY(const auto output, make_pipe());
  auto started = spawn_plan{input, output, shared}.run(command);
  ::close(input.read);
  ::close(output.write);
  if (!started) {
    ::close(input.write);
    ::close(output.read);
    return started.failure();
  }
  return std::unique_ptr<child_process>{
    new child_process{*started, input.write, output.read, std::move(on_end)}};
}

child_process::child_process(pid_t id, int input, int output,
                             end_handler on_end)
  : id_{id},
    input_{input},
    output_{output},
    watch_{std::make_shared<watch>()},
    watcher_{[id, on_end = std::move(on_end), shared = watch_] {
      // Looks without taking the process away: its number stays its own.
      siginfo_t seen{};
      while (::waitid(P_PID, static_cast<id_t>(id), &seen, WEXITED | WNOWAIT)
               != 0
             && errno == EINTR) {}
      std::unique_lock lock{shared->mutex};
      int status = 0;
      ::waitpid(id, &status, 0);
      shared->is_over = true;
      shared->ended.notify_all();
      const bool is_news = !shared->is_expected;
      lock.unlock();
      if (is_news && on_end)
        on_end(how_it_ended(status));
    }} {}

child_process::~child_process() {
  end(std::chrono::milliseconds{0});
  watcher_.join();
  ::close(input_);
  ::close(output_);
}

void child_process::end(std::chrono::milliseconds patience) {
  std::unique_lock lock{watch_->mutex};
  watch_->is_expected = true;
  const auto is_over = [this] { return watch_->is_over; };
  if (watch_->ended.wait_for(lock, patience, is_over))
    return;
  ::kill(id_, SIGKILL);
  watch_->ended.wait(lock, is_over);
}

result<std::string>
child_process::read_line(std::chrono::milliseconds timeout,
                         const std::function<bool()>& is_given_up) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (read_.find('\n') == std::string::npos) {
    if (is_given_up && is_given_up())
      return error{errc::interrupted,
                   "process " + std::to_string(id_) + " is waited for no more"};
    const auto left = time_until(deadline);
    if (left.count() == 0)
      return error{errc::io, "process " + std::to_string(id_)
                               + " says nothing for "
                               + std::to_string(timeout.count()) + " ms"};
    pollfd waiting{output_, POLLIN, 0};
    if (::poll(&waiting, 1,
               static_cast<int>(std::min(left, look_every).count()))
        <= 0)
      continue; // also if a signal came
    std::array<char, 256> part{};
    const auto count = ::read(output_, part.data(), part.size());
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return error{errc::io, "process " + std::to_string(id_)
                               + " ended before it said anything"};
    read_.append(part.data(), static_cast<std::size_t>(count));
  }
  const auto end = read_.find('\n');
  auto line = read_.substr(0, end);
  read_.erase(0, end + 1);
  return line;
}

void end_with_standard_input() {
  std::thread{[] {
    char ignored = 0;
    while (true) {
      const auto count = ::read(STDIN_FILENO, &ignored, 1);
      if (count == 0 || (count < 0 && errno != EINTR))
        ::_exit(orphan_status);
    }
  }}.detach();
}

} // namespace pd
