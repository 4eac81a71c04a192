# Run as a script when a test program is linked: writes one ctest entry for
# each of its test cases. Catch2's own script does the same, but knows no tags,
# so it could not tell the slow ones.
#
#   -D PROGRAM=file -D PREFIX=name -D LIST=out -D SANITIZE=.. -D SUPPRESSIONS=..

include("${CMAKE_CURRENT_LIST_DIR}/pd_test_environment.cmake")

set(entries "")

function(list_cases spec timeout labels)
  # Catch2 2.13 exits with the number of tests, so a count is no failure.
  execute_process(COMMAND "${PROGRAM}" --list-test-names-only "${spec}"
    OUTPUT_VARIABLE names ERROR_VARIABLE errors RESULT_VARIABLE status)
  if(NOT status MATCHES "^[0-9]+$" OR NOT errors STREQUAL "")
    message(FATAL_ERROR "${PROGRAM} cannot list its tests: ${status} ${errors}")
  endif()
  # Brackets and semicolons mean something to a CMake list; hide them.
  string(REPLACE "[" "<pd-open>" names "${names}")
  string(REPLACE "]" "<pd-close>" names "${names}")
  string(REPLACE ";" "<pd-semicolon>" names "${names}")
  string(REPLACE "\n" ";" names "${names}")
  foreach(name IN LISTS names)
    if(name STREQUAL "")
      continue()
    endif()
    string(REPLACE "<pd-open>" "[" name "${name}")
    string(REPLACE "<pd-close>" "]" name "${name}")
    string(REPLACE "<pd-semicolon>" ";" name "${name}")
    # Catch2 reads a name as a pattern: a backslash keeps its characters.
    string(REGEX REPLACE "([][,\\\\])" "\\\\\\1" pattern "${name}")
    set(entry "[==[${PREFIX}: ${name}]==]")
    string(APPEND entries
      "add_test(${entry} [==[${PROGRAM}]==] [==[${pattern}]==]"
      " --warn NoTests)\n"
      "set_tests_properties(${entry} PROPERTIES TIMEOUT ${timeout}"
      " ${labels} ENVIRONMENT [==[${environment}]==])\n")
  endforeach()
  set(entries "${entries}" PARENT_SCOPE)
endfunction()

list_cases("~[slow]~[.]" 300 "")
list_cases("[slow]~[.]" 1200 "LABELS slow")
if(entries STREQUAL "")
  message(FATAL_ERROR "${PROGRAM} holds no test case")
endif()
file(WRITE "${LIST}" "${entries}")
