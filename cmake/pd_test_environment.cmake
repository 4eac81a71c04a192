# Sets `environment`: what a test finds in its own, as the sanitizer (SANITIZE)
# wants it; SUPPRESSIONS is the folder of the *.supp files.

# Two tests run side by side on two cores, so no thread may spin while it waits.
set(environment "OMP_WAIT_POLICY=passive")
if(SANITIZE MATCHES "thread")
  # libgomp is not instrumented, so a team's work looks like a race, and to
  # suppress that would hide others: what TSan runs has one thread a team.
  list(APPEND environment "OMP_NUM_THREADS=1"
    "TSAN_OPTIONS=suppressions=${SUPPRESSIONS}/tsan.supp:second_deadlock_stack=1")
elseif(SANITIZE)
  list(APPEND environment
    "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1"
    "LSAN_OPTIONS=suppressions=${SUPPRESSIONS}/lsan.supp:print_suppressions=0"
    "UBSAN_OPTIONS=print_stacktrace=1")
endif()
