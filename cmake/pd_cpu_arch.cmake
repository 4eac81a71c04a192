# The level that ops/cpu and engine/data/cpu are compiled for: what this machine can do, as a name
# (x86-64-v3, ...). Not -march=native, which a compiler cache shared by two
# machines would take for the same thing on both.

include(CheckCXXSourceRuns)

set(PD_CPU_ARCH "auto" CACHE STRING
  "What ops/cpu and engine/data/cpu are compiled for: auto, none, or a value of -march=")

# pd_cpu_level(OUT): the highest level that this machine runs.
function(pd_cpu_level out)
  foreach(level 4 3 2)
    check_cxx_source_runs("int main() {
        __builtin_cpu_init();
        return __builtin_cpu_supports(\"x86-64-v${level}\") ? 0 : 1;
      }" PD_CPU_RUNS_V${level})
    if(PD_CPU_RUNS_V${level})
      set(${out} "x86-64-v${level}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
  set(${out} "none" PARENT_SCOPE)
endfunction()

# pd_tune_for_this_cpu(TARGET FOLDER folder): flags for the files of one folder.
function(pd_tune_for_this_cpu target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "FOLDER" "")
  set(level "${PD_CPU_ARCH}")
  if(level STREQUAL "auto")
    pd_cpu_level(level)
  endif()
  message(STATUS "${arg_FOLDER} is compiled for: ${level}")
  # Nobody here reads errno or traps of the math library; both stop
  # vectorization. Never -ffast-math: results are compared bit for bit.
  set(flags -O3 -fno-math-errno -fno-trapping-math)
  if(PD_SANITIZE)
    list(REMOVE_ITEM flags -O3)
  endif()
  if(NOT level STREQUAL "none")
    list(APPEND flags "-march=${level}")
    if(level STREQUAL "x86-64-v4")
      list(APPEND flags -mprefer-vector-width=512)
    endif()
  endif()
  pd_sources(sources ${arg_FOLDER})
  set_property(SOURCE ${sources} APPEND PROPERTY COMPILE_OPTIONS ${flags})
endfunction()
