/// A process that a test starts, stops and kills, and how it finds its group.

#pragma once

#include "engine/comm/gloo_communicator.hpp"

#include <functional>
#include <string>
#include <sys/types.h>

namespace pd::test {

/// A folder for a file_store; gone with this.
class store_folder {
public:
  store_folder();
  store_folder(const store_folder&) = delete;
  store_folder& operator=(const store_folder&) = delete;
  ~store_folder();

  [[nodiscard]] const std::string& path() const { return path_; }

private:
  std::string path_;
};

/// Forks: fork before the test starts a thread. Kills it in the end.
class child {
public:
  /// Exits with 0 if `work` returns.
  explicit child(const std::function<void()>& work);
  child(const child&) = delete;
  child& operator=(const child&) = delete;
  ~child();

  void kill();               ///< with SIGKILL
  void wait_until_stopped(); ///< by a SIGSTOP that it raises

private:
  pid_t process_ = -1;
};

/// Throws if it fails.
[[nodiscard]] std::unique_ptr<communicator>
join_group(const store_folder& at, int rank, int size,
           const std::string& prefix = "group");

} // namespace pd::test
