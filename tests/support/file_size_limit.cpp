#include "tests/support/file_size_limit.hpp"

namespace pd::test {

file_size_limit::file_size_limit() : handler_{std::signal(SIGXFSZ, SIG_IGN)} {
  ::getrlimit(RLIMIT_FSIZE, &before_);
}

file_size_limit::~file_size_limit() {
  lift();
  std::signal(SIGXFSZ, handler_);
}

void file_size_limit::set(rlim_t bytes) const {
  const rlimit lowered{bytes, before_.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &lowered);
}

void file_size_limit::lift() const {
  ::setrlimit(RLIMIT_FSIZE, &before_);
}

} // namespace pd::test
