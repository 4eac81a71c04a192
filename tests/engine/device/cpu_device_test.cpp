#include "engine/device/cpu_device.hpp"

#include <catch2/catch.hpp>

#include <omp.h>
#include <thread>

using namespace pd;

TEST_CASE("the CPU opens by name, and what is not there is an error",
          "[device][cpu]") {
  const auto on = open_device("cpu", {.threads = 2, .memory_bytes = 4096});
  REQUIRE(on);
  CHECK((*on)->kind() == device_kind::cpu);
  CHECK((*on)->memory().budget_bytes() == 4096);
  CHECK(open_device("auto"));
  CHECK(open_device("cuda:0").failure().code == errc::not_supported);
  const auto unknown = open_device("tpu");
  REQUIRE(!unknown);
  CHECK(unknown.failure().code == errc::unknown_name);
  CHECK(unknown.failure().message
        == "device 'tpu': wanted cpu, cuda, replay or auto");
}

TEST_CASE("the CPU says what it is", "[device][cpu]") {
  const auto text = cpu_device{{.threads = 1}}.describe();
  CHECK(text.starts_with("cpu, AVX"));
  CHECK(text.ends_with(", 1 thread"));
  CHECK(cpu_device{{.threads = 3}}.describe().ends_with(", 3 threads"));
  CHECK(cpu_device{}.threads() == available_cores());
}

TEST_CASE("the CPU's f32 activations are blocked", "[device][cpu]") {
  CHECK(channel_block(cpu_device{}.activation_layout(dtype::f32)) >= 8);
}

TEST_CASE("bf16 activations are channels-last where there is AMX, else blocked",
          "[device][cpu]") {
  const cpu_device on;
  const bool has_amx = on.describe().find("AMX") != std::string::npos;
  CHECK((on.activation_layout(dtype::bf16) == layout::channels_last)
        == has_amx);
}

TEST_CASE("a CPU stream runs at once, on the calling thread, with its own team",
          "[device][stream]") {
  cpu_device on{{.threads = 2}};
  const auto work = on.make_stream();
  std::thread::id ran_on;
  int threads = 0;
  work->run([&] {
    ran_on = std::this_thread::get_id();
    threads = omp_get_max_threads();
  });
  CHECK(ran_on == std::this_thread::get_id());
  CHECK(threads == 2);
  CHECK(work->record().is_done());
  work->synchronize();
}

TEST_CASE("two CPU streams keep their teams apart on one thread",
          "[device][stream]") {
  cpu_device one{{.threads = 1}};
  cpu_device two{{.threads = 2}};
  const auto first = one.make_stream();
  const auto second = two.make_stream();
  for (int i = 0; i < 3; ++i) {
    int threads = 0;
    first->run([&] { threads = omp_get_max_threads(); });
    CHECK(threads == 1);
    second->run([&] { threads = omp_get_max_threads(); });
    CHECK(threads == 2);
  }
}

TEST_CASE("a default event has always happened", "[device][event]") {
  const event always;
  CHECK(always.is_done());
  always.block();
  CHECK(always.state() == nullptr);
}
