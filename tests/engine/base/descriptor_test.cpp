#include "engine/base/descriptor.hpp"

#include "tests/support/scratch_folder.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <sys/stat.h>

using namespace pd;
using namespace pd::test;

namespace {

std::string why_not(const std::string& path) {
  const auto file = open_to_read(path);
  return file ? "" : file.failure().message;
}

} // namespace

TEST_CASE("only a regular file is opened, and a pipe is not waited for",
          "[base][descriptor]") {
  const scratch_folder at;
  const auto pipe = at / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  for (const auto& each : {pipe, at.path(), std::string{"/dev/zero"}})
    CHECK(why_not(each) == "cannot open: not a regular file");
  CHECK(why_not(at / "none") == "cannot open: No such file or directory");
  CHECK(why_not(at.write("file", "abc")).empty());
}

TEST_CASE("a file gives its bytes, and at its end the fewer that are left",
          "[base][descriptor]") {
  const scratch_folder at;
  const auto file = open_to_read(at.write("file", "abcde"));
  REQUIRE(file);
  CHECK(file->bytes == 5);
  std::array<std::byte, 3> to{};
  for (const std::size_t wanted : {3U, 2U, 0U}) {
    const auto got = read_all(file->at.get(), to);
    REQUIRE(got);
    CHECK(*got == wanted);
  }
  CHECK(to[1] == std::byte{'e'});
  CHECK(!read_all(-1, to));
}
