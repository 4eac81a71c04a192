# Language, warnings, sanitizers, the compiler cache: the same for every target.

option(PD_WERROR "A warning fails the build" ON)
option(PD_TESTS "Build the tests" ON)
option(PD_CUDA "Build the CUDA devices and kernels" OFF)
option(PD_FUZZ "Build the fuzz targets (clang), and only those" OFF)
set(PD_SANITIZE "" CACHE STRING "As -fsanitize= takes it: address,undefined")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# Our asserts are on in all builds, so no -DNDEBUG.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
string(REPLACE "-O3" "-O2" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
string(REPLACE "-DNDEBUG" "" CMAKE_CXX_FLAGS_RELEASE
  "${CMAKE_CXX_FLAGS_RELEASE}")

add_library(pd_flags INTERFACE)
target_include_directories(pd_flags INTERFACE "${PROJECT_SOURCE_DIR}")

# One rule of arithmetic in every file: a product and a sum round apart unless
# the code says std::fma, so a formula in a header gives the same bits in a
# file built for AVX-512 as in a test that is not.
target_compile_options(pd_flags INTERFACE -ffp-contract=off)

target_compile_options(pd_flags INTERFACE
  -Wall -Wextra -Wpedantic
  -Wshadow -Wconversion -Wno-sign-conversion
  -Wold-style-cast -Wcast-align -Wcast-qual
  -Wnon-virtual-dtor -Woverloaded-virtual
  -Wextra-semi -Wformat=2 -Wno-format-nonliteral -Wundef -Wunused -Wvla)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(pd_flags INTERFACE
    -Wduplicated-cond -Wlogical-op)
endif()
if(PD_WERROR)
  target_compile_options(pd_flags INTERFACE -Werror)
endif()

if(PD_SANITIZE)
  target_compile_options(pd_flags INTERFACE
    -fsanitize=${PD_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  target_link_options(pd_flags INTERFACE -fsanitize=${PD_SANITIZE})
  target_compile_definitions(pd_flags INTERFACE _GLIBCXX_ASSERTIONS)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC sees through the checks that it added itself and errs.
    target_compile_options(pd_flags INTERFACE
      -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-array-bounds)
  endif()
endif()

if(PD_FUZZ)
  target_compile_options(pd_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# With a base directory two checkouts share one cache.
find_program(PD_CCACHE ccache)
mark_as_advanced(PD_CCACHE)
if(PD_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
    /usr/bin/env "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" CCACHE_NOHASHDIR=1
    "${PD_CCACHE}")
endif()
