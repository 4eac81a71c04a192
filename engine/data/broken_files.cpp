#include "engine/data/broken_files.hpp"

#include "engine/base/log.hpp"

#include <utility>

namespace pd {

error too_many_broken(std::int64_t count, std::int64_t most,
                      const std::string& last) {
  return {errc::bad_file, std::to_string(count)
                            + (count == 1 ? " image" : " images")
                            + " cannot be read, and data.max_broken is "
                            + std::to_string(most) + "; the last is " + last};
}

result<void> broken_files::add(const std::string& path, const error& why) {
  const std::lock_guard lock{mutex_};
  if (!paths_.insert(path).second)
    return {};
  const auto line = why.within(path).message;
  log_warning(line + "; the next of its class takes its place");
  news_.push_back(path);
  if (std::ssize(paths_) > most_)
    return too_many_broken(std::ssize(paths_), most_, line);
  return {};
}

std::vector<std::string> broken_files::take_news() {
  const std::lock_guard lock{mutex_};
  return std::exchange(news_, {});
}

} // namespace pd
