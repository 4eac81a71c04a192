#include "engine/job/cluster_file.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace pd;

namespace {

namespace fs = std::filesystem;

cluster_spec read(const std::string& text) {
  auto made = parse_cluster(text, "c.toml");
  INFO((made ? "" : made.failure().message));
  REQUIRE(made);
  return *std::move(made);
}

std::string worker(int i) {
  return "[[worker]]\naddress = \"h:" + std::to_string(i) + "\"\n";
}

const std::string one = worker(1);
const std::string network = "[network]\nbandwidth_bytes_per_s = 1e9\n";

struct bad_input {
  std::string text;
  std::string wanted; ///< its error begins with that
};

const std::vector<bad_input> bad_clusters{
  {"", "c.toml: wanted a [[worker]], got none"},
  {"x = ", "c.toml:1: not TOML: "},
  {"x = 1", "c.toml:1: x: unknown key"},
  {one, "c.toml: [network]: wanted bandwidth_bytes_per_s, got nothing"},
  {"[worker]\n", "c.toml:1: [worker]: wanted [[worker]]"},
  {"[[network]]\n", "c.toml:1: [[network]]: wanted [network]"},
  {"[netwrk]\n",
   "c.toml:1: [netwrk]: unknown section (did you mean 'network'?)"},
  {"[[worker]]\n", "c.toml:1: [[worker]]: wanted an address"},
  {"[[worker]]\naddres = 1",
   "c.toml:2: worker.addres: unknown key (did you mean 'address'?)"},
  {"[[worker]]\naddress = 1",
   "c.toml:2: address: wanted \"host:port\", a port from 1 to 65535, got 1"},
  {"[[worker]]\naddress = \"h\"",
   "c.toml:2: address: wanted \"host:port\", a port from 1 to 65535, got "
   "\"h\""},
  {"[[worker]]\naddress = \"h:65536\"", "c.toml:2: address: wanted "},
  {"[[worker]]\naddress = \":80\"", "c.toml:2: address: wanted "},
  {"[[worker]]\naddress = \"h:8x\"", "c.toml:2: address: wanted "},
  {one + one,
   "c.toml:4: address: wanted another than the worker in line 2, got \"h:1\""},
  {one + "device = \"gpu\"",
   "c.toml:3: device: wanted \"cpu\", \"cuda:N\", \"replay\" or \"auto\", got "
   "\"gpu\""},
  {one + "device = \"cuda:\"", "c.toml:3: device: wanted "},
  {one + "speed = 0", "c.toml:3: speed: wanted a factor above 0, got 0"},
  {one + "speed = nan", "c.toml:3: speed: wanted a factor above 0, got nan"},
  {one + "memory_bytes = \"16G\"",
   "c.toml:3: memory_bytes: wanted bytes, more than 0, got \"16G\""},
  {one + "[network]\nbandwidth_bytes_per_s = 0",
   "c.toml:4: bandwidth_bytes_per_s: wanted bytes a second, more than 0, one "
   "or a list by level, got 0"},
  {one + "[network]\nbandwidth_bytes_per_s = []",
   "c.toml:4: bandwidth_bytes_per_s: wanted "},
  {one + network + "latency_s = -1",
   "c.toml:5: latency_s: wanted seconds from "},
  {one + network + "machines = [1.5]",
   "c.toml:5: machines: wanted whole numbers, got [1.5]"},
  {one + network + "machines = [2]",
   "c.toml:3: machines: wanted levels of 1 workers, got levels of 2"},
  {one + network + "machines = [1e18]", "c.toml:3: machines: wanted 1 to "},
  {one + "[network]\nmachines = [1, 1]\nbandwidth_bytes_per_s = [1, 2, 3]",
   "c.toml:3: bandwidth_bytes_per_s: wanted 2 values, one for each level of "
   "machines, got 3"},
  {one + network + "[security]\ntls = 1",
   "c.toml:6: tls: wanted true or false, got 1"},
  {one + network + "[security]\nca = \"\"",
   "c.toml:6: ca: wanted a path, got \"\""},
};

} // namespace

TEST_CASE("every cluster file in configs is read", "[job][cluster_file]") {
  int files = 0;
  for (const auto& each : fs::directory_iterator{PD_SOURCE_DIR "/configs"}) {
    INFO(each.path());
    const auto made = load_cluster(each.path().string());
    INFO((made ? "" : made.failure().message));
    REQUIRE(made);
    CHECK(made->machines.validate());
    CHECK(made->machines.size() >= 2);
    ++files;
  }
  CHECK(files >= 3);
}

TEST_CASE("the 4x4 cluster has four GPUs a server and 10 Gb/s among servers",
          "[job][cluster_file]") {
  const auto made = load_cluster(PD_SOURCE_DIR "/configs/v100_4x4.toml");
  REQUIRE(made);
  REQUIRE(made->machines.levels.size() == 2);
  CHECK(made->machines.size() == 16);
  CHECK(made->machines.levels[0].machines == 4);
  CHECK(made->machines.levels[1].bandwidth_bytes_per_s == 1.25e9);
  CHECK(made->machines.workers[5].address == "10.0.0.2:7401");
  CHECK(made->machines.workers[5].device == "cuda:1");
}

TEST_CASE("a cluster file says everything of workers, network and security",
          "[job][cluster_file]") {
  const auto made = read(worker(1)
                         + "device = \"cuda:3\"\nspeed = 2\n"
                           "memory_bytes = 16e9\n"
                         + worker(2)
                         + "[network]\nmachines = [1, 2]\n"
                           "bandwidth_bytes_per_s = [2e9, 1e9]\n"
                           "latency_s = [0, 5e-6]\n"
                           "[security]\ntls = true\nca = \"ca.pem\"\n"
                           "certificate = \"n.pem\"\nkey = \"n.key\"\n");
  const cluster wanted{{{"h:1", "cuda:3", "", 2, 16e9}, {"h:2", "", "", 1, 0}},
                       {{1, 2e9, 0}, {2, 1e9, 5e-6}}};
  CHECK(made.machines.workers == wanted.workers);
  CHECK(made.machines.levels == wanted.levels);
  CHECK(made.security == cluster_security{true, "ca.pem", "n.pem", "n.key"});
}

TEST_CASE("a network of one level needs no machines", "[job][cluster_file]") {
  const auto made = read(worker(1) + worker(2) + worker(3) + network);
  CHECK(made.machines.levels == std::vector<network_level>{{3, 1e9, 0}});
  const auto levels =
    read(worker(1) + worker(2) + network + "machines = [2, 1]\n");
  CHECK(levels.machines.levels
        == std::vector<network_level>{{2, 1e9, 0}, {1, 1e9, 0}});
}

TEST_CASE("a broken cluster file gives one line, with its place",
          "[job][cluster_file]") {
  for (const auto& each : bad_clusters) {
    const auto made = parse_cluster(each.text, "c.toml");
    INFO(each.text);
    REQUIRE_FALSE(made);
    INFO(made.failure().message);
    CHECK(made.failure().message.substr(0, each.wanted.size()) == each.wanted);
    CHECK(made.failure().message.find('\n') == std::string::npos);
  }
}
