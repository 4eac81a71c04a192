# pd_tests(): every folder under tests/ that holds *_test.cpp is one program.
#
# tests/engine/base becomes test_engine_base, linked to the layer of that name
# and to PD_TEST_LINK_engine_base; a folder that mirrors no layer links
# everything. All share one main and one library of tests/support. A test case
# tagged [slow] gets ctest's label `slow` and a longer limit.

function(pd_tests)
  add_library(test_main OBJECT "${PROJECT_SOURCE_DIR}/tests/main.cpp")
  # Without our flags and unoptimised: Catch2's runner is 20 000 lines, none of
  # them ours (a minute with the sanitizers, for no finding).
  target_link_libraries(test_main PRIVATE Catch2::Catch2)
  target_compile_options(test_main PRIVATE -O0)
  if(PD_SANITIZE MATCHES "thread")
    # It shares inline functions with the tests (std::shared_ptr's release):
    # where the linker takes its copies, TSan must see their atomics too.
    target_compile_options(test_main PRIVATE -fsanitize=thread)
  endif()
  pd_sources(support tests/support)
  if(support)
    add_library(test_support STATIC ${support})
    target_link_libraries(test_support
      PRIVATE pd_flags Catch2::Catch2 PUBLIC engine_base)
    pd_test_definitions(test_support)
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS
    "${PROJECT_SOURCE_DIR}/tests/*_test.cpp")
  set(folders "")
  foreach(source IN LISTS sources)
    get_filename_component(folder "${source}" DIRECTORY)
    list(APPEND folders "${folder}")
  endforeach()
  list(REMOVE_DUPLICATES folders)
  add_custom_target(test_programs) # all of them, and what they start
  if(TARGET pd-engine)
    add_dependencies(test_programs pd-engine)
  endif()
  foreach(folder IN LISTS folders)
    pd_test_folder("${folder}")
  endforeach()
  pd_script_tests()
  if(TARGET actors)
    pd_planted_race()
  endif()
endfunction()

function(pd_test_folder folder)
  file(RELATIVE_PATH name "${PROJECT_SOURCE_DIR}/tests" "${folder}")
  string(REPLACE "/" "_" name "${name}")
  file(RELATIVE_PATH relative "${PROJECT_SOURCE_DIR}" "${folder}")
  pd_sources(sources ${relative}) # helpers beside the tests too
  add_executable(test_${name} ${sources})
  set_target_properties(test_${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  target_link_libraries(test_${name}
    PRIVATE pd_flags Catch2::Catch2 test_main)
  if(TARGET test_support)
    target_link_libraries(test_${name} PRIVATE test_support)
  endif()
  if(TARGET ${name})
    target_link_libraries(test_${name} PRIVATE
      ${PD_TEST_LINK_${name}} ${name})
  elseif(TARGET tools_pd_engine)
    target_link_libraries(test_${name} PRIVATE
      ${PD_TEST_LINK_${name}} tools_pd_engine ${PD_EVERYTHING})
  endif()
  pd_test_definitions(test_${name})
  pd_discover_tests(test_${name})
  add_dependencies(test_programs test_${name})
endfunction()

function(pd_test_definitions target)
  target_compile_definitions(${target} PRIVATE
    "PD_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\""
    "PD_BINARY_DIR=\"${PROJECT_BINARY_DIR}\"")
endfunction()

# One ctest entry a test case, listed by the program itself when it is linked.
function(pd_discover_tests target)
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS
    "${PROJECT_SOURCE_DIR}/cmake/pd_list_test_cases.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/pd_test_environment.cmake")
  set(list "${PROJECT_BINARY_DIR}/tests/${target}.cmake")
  add_custom_command(TARGET ${target} POST_BUILD
    BYPRODUCTS "${list}"
    COMMAND "${CMAKE_COMMAND}" -D "PROGRAM=$<TARGET_FILE:${target}>"
            -D "PREFIX=${target}" -D "LIST=${list}"
            -D "SANITIZE=${PD_SANITIZE}"
            -D "SUPPRESSIONS=${PROJECT_SOURCE_DIR}/cmake"
            -P "${PROJECT_SOURCE_DIR}/cmake/pd_list_test_cases.cmake"
    VERBATIM)
  set(include "${PROJECT_BINARY_DIR}/tests/${target}_include.cmake")
  file(WRITE "${include}" "if(EXISTS \"${list}\")
  include(\"${list}\")
else()
  add_test(${target}_NOT_BUILT ${target}_NOT_BUILT)
endif()
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${include}")
endfunction()

# The checks that are shell scripts: tests/*.sh.
function(pd_script_tests)
  file(GLOB scripts CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/*.sh")
  foreach(script IN LISTS scripts)
    get_filename_component(name "${script}" NAME_WE)
    add_test(NAME ${name} COMMAND bash "${script}"
      WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
    set_tests_properties(${name} PROPERTIES TIMEOUT 60 LABELS script)
  endforeach()
endfunction()

# A race in an actor, which the suite must see: tests/sanitizers. Without TSan it
# is no test, and only clang-tidy asks for it.
function(pd_planted_race)
  set(folder "${PROJECT_SOURCE_DIR}/tests/sanitizers")
  add_executable(planted_race EXCLUDE_FROM_ALL "${folder}/planted_race.cpp")
  set_target_properties(planted_race PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  target_link_libraries(planted_race PRIVATE pd_flags actors CAF::core)
  if(NOT PD_SANITIZE MATCHES "thread")
    return()
  endif()
  add_dependencies(test_programs planted_race)
  set(SANITIZE "${PD_SANITIZE}")
  set(SUPPRESSIONS "${PROJECT_SOURCE_DIR}/cmake")
  include("${PROJECT_SOURCE_DIR}/cmake/pd_test_environment.cmake")
  add_test(NAME planted_race COMMAND
    bash "${folder}/planted_race.sh" "$<TARGET_FILE:planted_race>")
  set_tests_properties(planted_race PROPERTIES
    TIMEOUT 60 ENVIRONMENT "${environment}")
endfunction()
