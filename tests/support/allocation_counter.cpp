#include "tests/support/allocation_counter.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

namespace pd {

allocation_counts allocations() {
  return {};
}

bool counts_allocations() {
  return false;
}

} // namespace pd

#else

#  include <atomic>
#  include <cerrno>
#  include <cstddef>
#  include <cstring>
#  include <dlfcn.h>
#  include <link.h>
#  include <new>

namespace {

std::atomic<std::int64_t> ours{0};
std::atomic<std::int64_t> in_libraries{0};

/// True if `code` belongs to a library that allocates for itself. Looks it up
/// without a lock and without memory.
bool is_of_library(void* code) {
  dl_find_object found{};
  if (_dl_find_object(code, &found) != 0)
    return false;
  const char* name = found.dlfo_link_map->l_name;
  return std::strstr(name, "libdnnl") != nullptr
         || std::strstr(name, "libgomp") != nullptr;
}

void count_for(void* caller) {
  auto& count = is_of_library(caller) ? in_libraries : ours;
  count.fetch_add(1, std::memory_order_relaxed);
}

} // namespace

// -- malloc and its kin, by the names that glibc keeps for its own -----------

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
  count_for(__builtin_return_address(0));
  return __libc_malloc(size);
}

void* calloc(std::size_t count, std::size_t size) {
  count_for(__builtin_return_address(0));
  return __libc_calloc(count, size);
}

void* realloc(void* memory, std::size_t size) {
  count_for(__builtin_return_address(0));
  return __libc_realloc(memory, size);
}

void* memalign(std::size_t alignment, std::size_t size) {
  count_for(__builtin_return_address(0));
  return __libc_memalign(alignment, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) {
  count_for(__builtin_return_address(0));
  return __libc_memalign(alignment, size);
}

int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  count_for(__builtin_return_address(0));
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}
}

// -- operator new, whose callers would be libstdc++ otherwise ----------------

namespace {

void* new_for(void* caller, std::size_t size) {
  count_for(caller);
  if (void* memory = __libc_malloc(size))
    return memory;
  throw std::bad_alloc{};
}

void* new_for(void* caller, std::size_t size, std::align_val_t alignment) {
  count_for(caller);
  if (void* memory = __libc_memalign(static_cast<std::size_t>(alignment), size))
    return memory;
  throw std::bad_alloc{};
}

} // namespace
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

// libstdc++'s operators delete call free(), as fits these.

void* operator new(std::size_t size) {
  return new_for(__builtin_return_address(0), size);
}

void* operator new[](std::size_t size) {
  return new_for(__builtin_return_address(0), size);
}

void* operator new(std::size_t size, std::align_val_t alignment) {
  return new_for(__builtin_return_address(0), size, alignment);
}

void* operator new[](std::size_t size, std::align_val_t alignment) {
  return new_for(__builtin_return_address(0), size, alignment);
}

namespace pd {

allocation_counts allocations() {
  return {ours.load(), in_libraries.load()};
}

bool counts_allocations() {
  return true;
}

} // namespace pd

#endif
