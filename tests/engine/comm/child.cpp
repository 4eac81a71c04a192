#include "tests/engine/comm/child.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

namespace pd::test {

store_folder::store_folder()
  : path_{std::filesystem::temp_directory_path() / "pd_store_XXXXXX"} {
  if (::mkdtemp(path_.data()) == nullptr)
    throw std::runtime_error{"no folder " + path_};
}

store_folder::~store_folder() {
  std::filesystem::remove_all(path_);
}

child::child(const std::function<void()>& work) : process_{::fork()} {
  if (process_ != 0)
    return;
  try {
    work();
  } catch (...) {
    ::_exit(1);
  }
  ::_exit(0);
}

child::~child() {
  kill();
}

void child::kill() {
  if (process_ <= 0)
    return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
  process_ = -1;
}

void child::wait_until_stopped() {
  int status = 0;
  ::waitpid(process_, &status, WUNTRACED);
  if (!WIFSTOPPED(status))
    throw std::runtime_error{"the child ended instead of stopping"};
}

std::unique_ptr<communicator> join_group(const store_folder& at, int rank,
                                         int size, const std::string& prefix) {
  file_store store{at.path()};
  gloo_options options;
  options.rank = rank;
  options.size = size;
  options.prefix = prefix;
  options.timeout = std::chrono::seconds{10};
  auto made = make_gloo_communicator(store, options);
  if (!made)
    throw std::runtime_error{made.failure().message};
  return *std::move(made);
}

} // namespace pd::test
