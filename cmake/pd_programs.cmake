# Programs under tools/: the command, the benches, the fuzz targets.

# pd_program(NAME FOLDER f LINK libs...): f/main.cpp is the program; the rest
# of f is a library (tools_pd_engine) that tests can link.
function(pd_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "FOLDER" "LINK")
  string(REPLACE "/" "_" library "${arg_FOLDER}")
  pd_sources(sources ${arg_FOLDER})
  set(main "${PROJECT_SOURCE_DIR}/${arg_FOLDER}/main.cpp")
  list(REMOVE_ITEM sources "${main}")
  if(sources)
    add_library(${library} STATIC ${sources})
    target_link_libraries(${library} PRIVATE pd_flags PUBLIC ${arg_LINK})
    target_compile_definitions(${library}
      PRIVATE "PD_VERSION=\"${PROJECT_VERSION}\"")
  else()
    add_library(${library} INTERFACE)
    target_link_libraries(${library} INTERFACE ${arg_LINK})
  endif()
  if(EXISTS "${main}")
    add_executable(${name} "${main}")
    target_link_libraries(${name} PRIVATE pd_flags ${library})
    set_target_properties(${name} PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  endif()
endfunction()

# pd_benches(FOLDER LINK libs...): every x.cpp of the folder is bench_x; what
# they share lies in its support/.
function(pd_benches folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LINK")
  pd_sources(shared ${folder}/support)
  if(shared)
    add_library(bench_support STATIC ${shared})
    target_link_libraries(bench_support PRIVATE pd_flags PUBLIC ${arg_LINK})
    list(APPEND arg_LINK bench_support)
  endif()
  pd_sources(sources ${folder})
  foreach(source IN LISTS sources)
    get_filename_component(stem "${source}" NAME_WE)
    add_executable(bench_${stem} "${source}")
    target_link_libraries(bench_${stem} PRIVATE pd_flags ${arg_LINK})
    set_target_properties(bench_${stem} PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  endforeach()
endfunction()

# pd_fuzz_targets(FOLDER LINK libs...): every x.cpp of the folder is fuzz_x.
function(pd_fuzz_targets folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LINK")
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "PD_FUZZ needs clang: libFuzzer is a part of it "
                        "(cmake --preset fuzz)")
  endif()
  pd_sources(sources ${folder})
  foreach(source IN LISTS sources)
    get_filename_component(stem "${source}" NAME_WE)
    add_executable(fuzz_${stem} "${source}")
    target_link_libraries(fuzz_${stem} PRIVATE pd_flags ${arg_LINK})
    target_link_options(fuzz_${stem} PRIVATE -fsanitize=fuzzer)
    set_target_properties(fuzz_${stem} PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  endforeach()
endfunction()
