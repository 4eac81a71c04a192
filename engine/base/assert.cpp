#include "engine/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace pd {

void assertion_failed(const char* file, int line, const char* text,
                      const std::string& details) {
  std::fprintf(stderr, "%s:%d: assertion failed: %s%s%s\n", file, line, text,
               details.empty() ? "" : ": ", details.c_str());
  std::abort();
}

} // namespace pd
