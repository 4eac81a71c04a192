/// pd-engine as a program that a test starts, reads and ends.

#pragma once

#include "tests/support/scratch_folder.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace pd::test {

[[nodiscard]] std::vector<std::string> lines_of(const std::string& text);

struct ended {
  int status = -1; ///< exit status; 128 + the signal that ended it
  std::string out;
  std::string err;
};

/// Looks every millisecond; false if it never is within the time.
[[nodiscard]] bool comes_true(std::chrono::milliseconds within,
                              const std::function<bool()>& claim);

/// A pd-engine that runs beside the test. Killed, and its workers, if nobody
/// has waited for its end.
class running {
public:
  running(const scratch_folder& in, std::vector<std::string> arguments);
  running(const running&) = delete;
  running& operator=(const running&) = delete;
  ~running();

  [[nodiscard]] std::string out() const { return read(out_); }
  [[nodiscard]] pid_t id() const { return id_; }
  void signal(int which) const;
  /// With -9, its workers too: each program has a process group of its own.
  void kill_group();
  ended wait();
  /// Nothing if it goes on.
  [[nodiscard]] std::optional<ended>
  wait_within(std::chrono::milliseconds limit);
  [[nodiscard]] bool has_ended();

  /// Waits until `text` is printed; false after a minute.
  [[nodiscard]] bool prints(const std::string& text) const;

  /// Its child processes that are alive, in the order of their start.
  [[nodiscard]] std::vector<pid_t> children() const;

private:
  [[noreturn]] void become(const std::vector<std::string>& arguments) const;

  std::string out_;
  std::string err_;
  pid_t id_ = -1;
  std::optional<int> status_; ///< as waitpid has it, once it has ended
};

[[nodiscard]] ended run(const scratch_folder& in,
                        std::vector<std::string> arguments);

/// False for one that is gone, or waits for its parent to look.
[[nodiscard]] bool is_alive(pid_t process);
[[nodiscard]] bool are_gone(const std::vector<pid_t>& all);
/// By SIGSTOP: it does nothing more.
[[nodiscard]] bool is_stopped(pid_t process);

} // namespace pd::test
