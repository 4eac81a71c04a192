/// The one file that holds Catch2's runner (12 s to compile).

#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>

/// CAF's broker may be left at a process's end: its own handles form a circle.
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libcaf_io\nleak:caf::make_node_id\nleak:caf::behavior\n";
}
