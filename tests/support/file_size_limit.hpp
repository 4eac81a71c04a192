/// A disk that is full, for the tests of what writes files.

#pragma once

#include <csignal>
#include <sys/resource.h>

namespace pd::test {

/// Ends writes of this process beyond so many bytes of a file, by an error and
/// not by a signal, as long as this lives.
class file_size_limit {
public:
  file_size_limit(); ///< none yet
  explicit file_size_limit(rlim_t bytes) : file_size_limit{} { set(bytes); }
  file_size_limit(const file_size_limit&) = delete;
  file_size_limit& operator=(const file_size_limit&) = delete;
  ~file_size_limit();

  void set(rlim_t bytes) const;
  void lift() const;

private:
  rlimit before_{};
  void (*handler_)(int);
};

} // namespace pd::test
