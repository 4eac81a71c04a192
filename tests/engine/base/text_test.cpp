#include "engine/base/text.hpp"

#include <catch2/catch.hpp>

using namespace pd;

namespace {

using strings = std::vector<std::string>;

} // namespace

TEST_CASE("nearest finds a slip of the finger and nothing far off",
          "[base][text]") {
  const strings keys{"momentum", "weight_decay", "lr", "name"};
  CHECK(nearest("momentun", keys) == "momentum");
  CHECK(nearest("weight-decay", keys) == "weight_decay");
  CHECK(nearest("lrr", keys) == "lr");
  CHECK(nearest("nmae", keys) == "name");
  CHECK(nearest("learning_rate_warmup", keys).empty());
  CHECK(nearest("x", strings{}).empty());
}

TEST_CASE("of two near candidates the nearer one wins, then the first",
          "[base][text]") {
  CHECK(nearest("resnet51", strings{"resnet18", "resnet50"}) == "resnet50");
  CHECK(nearest("abc", strings{"abd", "abe"}) == "abd");
}

TEST_CASE("did_you_mean is a clause or nothing", "[base][text]") {
  CHECK(did_you_mean("relo", strings{"relu"}) == " (did you mean 'relu'?)");
  CHECK(did_you_mean("relo", strings{"softmax_loss"}).empty());
}

TEST_CASE("what is split joins again", "[base][text]") {
  CHECK(split("a.b.c", '.') == strings{"a", "b", "c"});
  CHECK(split("", '.') == strings{""});
  CHECK(split(".a.", '.') == strings{"", "a", ""});
  CHECK(join(strings{"a", "b"}) == "a, b");
  CHECK(join(strings{}).empty());
  CHECK(join(split("x/y/z", '/'), "/") == "x/y/z");
}

TEST_CASE("bytes are printed in a unit that fits", "[base][text]") {
  CHECK(format_bytes(0) == "0 B");
  CHECK(format_bytes(512) == "512 B");
  CHECK(format_bytes(1023) == "1023 B");
  CHECK(format_bytes(1024) == "1 KiB");
  CHECK(format_bytes(1536) == "1.5 KiB");
  CHECK(format_bytes((std::int64_t{97} << 20) + (1 << 19)) == "97.5 MiB");
  CHECK(format_bytes(std::int64_t{9} << 28) == "2.25 GiB");
  CHECK(format_bytes(std::int64_t{5000} << 40) == "5000 TiB");
}

TEST_CASE("durations are printed to the second or the minute", "[base][text]") {
  CHECK(format_duration(0) == "0 s");
  CHECK(format_duration(7.4) == "7 s");
  CHECK(format_duration(59.7) == "1 min 00 s");
  CHECK(format_duration(65) == "1 min 05 s");
  CHECK(format_duration(3599.9) == "1 h 00 min");
  CHECK(format_duration(7384) == "2 h 03 min");
}
