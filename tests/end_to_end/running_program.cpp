#include "tests/end_to_end/running_program.hpp"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace pd::test {

namespace fs = std::filesystem;

namespace {

const std::string program = PD_BINARY_DIR "/bin/pd-engine";

/// What /proc says of a process: its state and its parent.
struct process_facts {
  char state = 'X';
  pid_t parent = -1;
};

process_facts facts_of(pid_t process) {
  const auto text = read("/proc/" + std::to_string(process) + "/stat");
  const auto name_end = text.rfind(')');
  process_facts made;
  if (name_end == std::string::npos)
    return made;
  std::istringstream rest{text.substr(name_end + 1)};
  rest >> made.state >> made.parent;
  return made;
}

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

} // namespace

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream from{text};
  for (std::string line; std::getline(from, line);)
    lines.push_back(line);
  return lines;
}

bool comes_true(std::chrono::milliseconds within,
                const std::function<bool()>& claim) {
  const auto deadline = std::chrono::steady_clock::now() + within;
  while (!claim()) {
    if (std::chrono::steady_clock::now() > deadline)
      return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  return true;
}

running::running(const scratch_folder& in, std::vector<std::string> arguments)
  : out_{in / "stdout"}, err_{in / "stderr"} {
  arguments.insert(arguments.begin(), program);
  id_ = fork();
  if (id_ < 0)
    throw std::runtime_error{"no process"};
  if (id_ == 0)
    become(arguments);
  setpgid(id_, id_); // as it does itself, whoever comes first
}

running::~running() {
  if (has_ended())
    return;
  for (const auto each : children()) // one that was stopped hears no order
    kill(each, SIGKILL);
  signal(SIGKILL);
  wait();
}

void running::signal(int which) const {
  kill(id_, which);
}

void running::kill_group() {
  kill(-id_, SIGKILL);
  wait();
}

ended running::wait() {
  int status = 0;
  if (!status_ && waitpid(id_, &status, 0) == id_)
    status_ = status;
  const int code =
    WIFEXITED(*status_) ? WEXITSTATUS(*status_) : 128 + WTERMSIG(*status_);
  return {code, read(out_), read(err_)};
}

std::optional<ended> running::wait_within(std::chrono::milliseconds limit) {
  if (!comes_true(limit, [this] { return has_ended(); }))
    return std::nullopt;
  return wait();
}

bool running::has_ended() {
  int status = 0;
  if (!status_ && waitpid(id_, &status, WNOHANG) == id_)
    status_ = status;
  return status_.has_value();
}

bool running::prints(const std::string& text) const {
  return comes_true(std::chrono::minutes{1},
                    [&] { return out().find(text) != std::string::npos; });
}

std::vector<pid_t> running::children() const {
  std::vector<pid_t> found;
  for (const auto& each : fs::directory_iterator{"/proc"}) {
    const auto name = each.path().filename().string();
    if (!is_number(name))
      continue;
    const auto process = static_cast<pid_t>(std::stol(name));
    if (facts_of(process).parent == id_ && is_alive(process))
      found.push_back(process);
  }
  std::ranges::sort(found);
  return found;
}

void running::become(const std::vector<std::string>& arguments) const {
  setpgid(0, 0);
  const int mode = O_WRONLY | O_CREAT | O_TRUNC;
  dup2(open(out_.c_str(), mode, 0600), STDOUT_FILENO);
  dup2(open(err_.c_str(), mode, 0600), STDERR_FILENO);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const auto& each : arguments)
    argv.push_back(const_cast<char*>(each.c_str()));
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  _exit(127);
}

ended run(const scratch_folder& in, std::vector<std::string> arguments) {
  return running{in, std::move(arguments)}.wait();
}

bool is_alive(pid_t process) {
  const auto state = facts_of(process).state;
  return state != 'X' && state != 'Z';
}

bool are_gone(const std::vector<pid_t>& all) {
  return std::ranges::none_of(all, is_alive);
}

bool is_stopped(pid_t process) {
  return facts_of(process).state == 'T';
}

} // namespace pd::test
