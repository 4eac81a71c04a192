#include "tests/engine/checkpoint/traced_child.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pd::test {

namespace {

constexpr int not_traced = 99;

[[noreturn]] void become_traced(const std::function<void()>& work) {
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0)
    ::_exit(not_traced);
  ::raise(SIGSTOP);
  work();
  ::_exit(EXIT_SUCCESS);
}

/// Lets it go on to where it enters or leaves a system call; false if it ends.
bool goes_on(pid_t child, int& status) {
  ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
  ::waitpid(child, &status, 0);
  return WIFSTOPPED(status);
}

long number_of_call(pid_t child) {
  __ptrace_syscall_info info{};
  void* size = reinterpret_cast<void*>(sizeof info); // NOLINT: ptrace has it so
  ::ptrace(PTRACE_GET_SYSCALL_INFO, child, size, &info);
  return info.op == PTRACE_SYSCALL_INFO_ENTRY ? static_cast<long>(info.entry.nr)
                                              : -1;
}

void kill_and_wait(pid_t child) {
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
}

} // namespace

std::optional<traced_child> run_traced(std::size_t killed_at,
                                       const std::function<void()>& work) {
  const auto child = ::fork();
  if (child == 0)
    become_traced(work);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFSTOPPED(status))
    return std::nullopt;
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr,
           PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  traced_child seen;
  while (goes_on(child, status)) {
    if (seen.calls.size() == killed_at) {
      kill_and_wait(child);
      return seen;
    }
    if (const auto call = number_of_call(child); call >= 0)
      seen.calls.push_back(call);
  }
  seen.has_ended = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
  return seen;
}

void forbid_exchange() {
  std::array filter{
    sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
    sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_renameat2},
    sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EINVAL},
    sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  const sock_fprog program{filter.size(), filter.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
      || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    std::abort();
}

} // namespace pd::test
