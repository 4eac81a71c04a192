/// A process that lives no longer than this one.
///
/// Its standard input is a pipe that nobody writes: it reads the end of it when
/// this process is gone, however that came (a child of ours then ends itself).
/// Its standard output comes here. It gets a process group of its own, so
/// Ctrl-C at a terminal is for this process only.

#pragma once

#include "engine/base/error.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <sys/types.h>
#include <thread>
#include <vector>

namespace pd {

class child_process {
public:
  /// "killed by signal 9 (Killed)", "exited with status 1".
  using end_handler = std::function<void(const std::string& how)>;

  /// Starts `command`; its descriptor `shared_at` is this process's `shared`.
  /// on_end is called on a thread of its own, unless end() came first.
  /// Errors: io.
  [[nodiscard]] static result<std::unique_ptr<child_process>>
  start(const std::vector<std::string>& command, int shared,
        end_handler on_end);

  static constexpr int shared_at = 3;

  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;
  ~child_process(); ///< end(), at once

  [[nodiscard]] pid_t id() const { return id_; }

  /// The next line of its output, without the end of it.
  /// Errors: io if none comes in time or it ended; interrupted as soon as
  /// `is_given_up`, which is asked all the while.
  [[nodiscard]] result<std::string>
  read_line(std::chrono::milliseconds timeout,
            const std::function<bool()>& is_given_up = {});

  /// Waits for its end; kills it if that takes too long.
  void end(std::chrono::milliseconds patience);

private:
  struct watch;

  child_process(pid_t id, int input, int output, end_handler on_end);

  pid_t id_;
  int input_, output_; ///< our ends
  std::string read_;   ///< of the output, not yet asked for
  std::shared_ptr<watch> watch_;
  std::thread watcher_;
};

/// Ends this process as soon as its standard input does: what a child of ours
/// calls first. Starts a thread.
void end_with_standard_input();

} // namespace pd
