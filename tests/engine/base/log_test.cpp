#include "engine/base/log.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace pd;

namespace {

std::string fresh_path(const std::string& name) {
  const auto path = std::filesystem::temp_directory_path()
                    / ("pd_log_test_" + std::to_string(::getpid()) + name);
  std::filesystem::remove(path);
  return path.string();
}

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream from{path};
  std::vector<std::string> lines;
  for (std::string line; std::getline(from, line);)
    lines.push_back(line);
  return lines;
}

/// Catches what is written to stderr while it lives.
class caught_stderr {
public:
  caught_stderr() : path_{fresh_path("stderr")}, old_{::dup(2)} {
    std::fflush(stderr);
    std::FILE* to = std::fopen(path_.c_str(), "w");
    ::dup2(::fileno(to), 2);
    std::fclose(to);
  }
  ~caught_stderr() { restore(); }
  caught_stderr(const caught_stderr&) = delete;
  caught_stderr& operator=(const caught_stderr&) = delete;

  std::vector<std::string> lines() {
    restore();
    return lines_of(path_);
  }

private:
  void restore() {
    if (old_ < 0)
      return;
    std::fflush(stderr);
    ::dup2(old_, 2);
    ::close(old_);
    old_ = -1;
  }

  std::string path_;
  int old_;
};

void ok(const result<void>& done) {
  if (!done)
    FAIL(done.failure().message);
}

} // namespace

TEST_CASE("a log file gets infos and worse, with time and severity",
          "[base][log]") {
  const auto path = fresh_path("a");
  caught_stderr terminal;
  ok(log_to_file(path));
  log_debug("not this");
  log_info("step {} of {}", 3, 7);
  log_warning(std::string{"a {} as it is"});
  log_error("the {}", "end");
  const auto lines = lines_of(path);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].ends_with("info: step 3 of 7"));
  CHECK(lines[1].ends_with("warning: a {} as it is"));
  CHECK(lines[2].ends_with("error: the end"));
  CHECK(lines[0].starts_with("20"));
}

TEST_CASE("the terminal is quiet but for warnings", "[base][log]") {
  caught_stderr terminal;
  log_info("quiet");
  log_warning("loud");
  log_error("louder");
  CHECK(terminal.lines()
        == std::vector<std::string>{"warning: loud", "error: louder"});
}

TEST_CASE("log_level changes what the terminal shows", "[base][log]") {
  caught_stderr terminal;
  ok(log_level("debug"));
  log_debug("all");
  ok(log_level("error"));
  log_warning("less");
  ok(log_level("warning"));
  CHECK(terminal.lines() == std::vector<std::string>{"debug: all"});
  CHECK(log_level("loud").failure().message
        == "log level 'loud': wanted one of debug, info, warning, error");
}

TEST_CASE("a log file that cannot be opened is an error, and logging goes on",
          "[base][log]") {
  const auto failed = log_to_file("/proc/no/such/log");
  REQUIRE(!failed);
  CHECK(failed.failure().code == errc::io);
  CHECK(failed.failure().message.find("/proc/no/such/log")
        != std::string::npos);
  log_info("nobody hears it");
}

TEST_CASE("threads may log while the file changes", "[base][log]") {
  std::vector<std::thread> writers;
  writers.reserve(3);
  for (int i = 0; i < 3; ++i)
    writers.emplace_back([] {
      for (int k = 0; k < 200; ++k)
        log_info("line {}", k);
    });
  for (int k = 0; k < 20; ++k)
    ok(log_to_file(fresh_path(k % 2 == 0 ? "b" : "c")));
  for (auto& each : writers)
    each.join();
  const auto path = fresh_path("d");
  ok(log_to_file(path));
  log_info("last");
  CHECK(lines_of(path).size() == 1);
}
