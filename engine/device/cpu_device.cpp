#include "engine/device/cpu_device.hpp"

#include <cpuid.h>
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

/// AMX-TILE and AMX-BF16: cpuid leaf 7, EDX bits 24 and 22.
bool has_amx_bf16() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  constexpr unsigned wanted = (1U << 24U) | (1U << 22U);
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & wanted) == wanted;
}

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
    memory_{std::make_shared<host_memory>(), options.memory_bytes} {}

layout cpu_device::activation_layout(dtype precision) const {
  if (precision == dtype::bf16 && has_amx_bf16())
    return layout::channels_last; // the only one that oneDNN has AMX code for
  return has_avx512() ? layout::blocked16 : layout::blocked8;
}

std::string cpu_device::describe() const {
  return std::string{"cpu, "} + (has_avx512() ? "AVX-512" : "AVX2")
         + (has_amx_bf16() ? " and AMX" : "") + ", " + std::to_string(threads_)
         + (threads_ == 1 ? " thread" : " threads");
}

std::unique_ptr<stream> cpu_device::make_stream() {
  return std::make_unique<cpu_stream>(threads_);
}

} // namespace pd
