#include "engine/device/cpu_device.hpp"

#include <cstdlib>
#include <cstring>
#include <limits>
#include <omp.h>
#include <sched.h>
#include <sys/mman.h>

namespace pd {

namespace {

constexpr std::int64_t huge_page_bytes = 2 << 20;

/// Whole cache lines; whole huge pages for what is larger than one.
std::int64_t rounded(std::int64_t bytes) {
  const std::int64_t unit = bytes >= huge_page_bytes ? huge_page_bytes : 64;
  return (bytes + unit - 1) / unit * unit;
}

class host_memory final : public memory_source {
public:
  std::byte* acquire(std::int64_t bytes) override {
    if (bytes > std::numeric_limits<std::int64_t>::max() - huge_page_bytes)
      return nullptr;
    const auto size = static_cast<std::size_t>(rounded(bytes));
    const auto unit = bytes >= huge_page_bytes
                        ? static_cast<std::size_t>(huge_page_bytes)
                        : std::size_t{64};
    void* memory = std::aligned_alloc(unit, size);
    if (memory == nullptr)
      return nullptr;
    if (bytes >= huge_page_bytes)
      madvise(memory, size, MADV_HUGEPAGE);
    std::memset(memory, 0, size);
    return static_cast<std::byte*>(memory);
  }

  void release(std::byte* memory, std::int64_t) override { std::free(memory); }
};

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
         && __builtin_cpu_supports("avx512vl")
         && __builtin_cpu_supports("avx512dq");
}

} // namespace

int available_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (sched_getaffinity(0, sizeof cores, &cores) != 0)
    return 1;
  return CPU_COUNT(&cores);
}

void cpu_stream::run(const std::function<void()>& work) {
  if (omp_get_max_threads() != threads_)
    omp_set_num_threads(threads_);
  work();
}

cpu_device::cpu_device(const device_options& options)
  : threads_{options.threads > 0 ? options.threads : available_cores()},
    order_{has_avx512() ? layout::blocked16 : layout::blocked8},
    memory_{std::make_shared<host_memory>(), options.memory_bytes} {}

std::string cpu_device::describe() const {
  return std::string{"cpu, "} + (has_avx512() ? "AVX-512" : "AVX2") + ", "
         + std::to_string(threads_) + (threads_ == 1 ? " thread" : " threads");
}

std::unique_ptr<stream> cpu_device::make_stream() {
  return std::make_unique<cpu_stream>(threads_);
}

} // namespace pd
