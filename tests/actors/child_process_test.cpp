#include "actors/child_process.hpp"

#include <catch2/catch.hpp>

#include <future>

using namespace pd;
using namespace std::chrono_literals;

namespace {

/// A shell command as a child, and how it ended.
struct shell_child {
  std::promise<std::string> ended;
  std::unique_ptr<child_process> process;

  explicit shell_child(const std::string& command) {
    auto made = child_process::start(
      {"/bin/sh", "-c", command}, -1,
      [this](const std::string& how) { ended.set_value(how); });
    REQUIRE(made);
    process = *std::move(made);
  }
  std::string how() {
    auto future = ended.get_future();
    return future.wait_for(1min) == std::future_status::ready ? future.get()
                                                              : "not at all";
  }
};

} // namespace

TEST_CASE("how a process ended is told", "[actors][child_process]") {
  CHECK(shell_child{"exit 3"}.how() == "exited with status 3");
  CHECK(shell_child{"kill -9 $$"}.how() == "killed by signal 9 (Killed)");
}

TEST_CASE("a process that is ended is not told of", "[actors][child_process]") {
  shell_child child{"exec sleep 600"};
  child.process->end(0ms);
  child.process.reset();
  auto future = child.ended.get_future();
  CHECK(future.wait_for(0s) == std::future_status::timeout);
}

TEST_CASE("a process's standard input ends when it is let go",
          "[actors][child_process]") {
  shell_child child{"echo ready; cat; echo over"};
  CHECK(*child.process->read_line(1min) == "ready");
  const auto silent = child.process->read_line(10ms);
  REQUIRE(!silent);
  CHECK_THAT(silent.failure().message, Catch::Contains("says nothing for 10"));
}

TEST_CASE("a process that cannot be started, or says nothing, is an error",
          "[actors][child_process]") {
  const auto none = child_process::start({"/no/such/program"}, -1, {});
  REQUIRE(!none);
  CHECK(none.failure().message
        == "cannot start /no/such/program: No such file or directory");
  shell_child child{"exit 0"};
  const auto line = child.process->read_line(1min);
  REQUIRE(!line);
  CHECK_THAT(line.failure().message,
             Catch::Contains("ended before it said anything"));
}
