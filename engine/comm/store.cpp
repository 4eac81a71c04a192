#include "engine/comm/store.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace pd {

namespace {

constexpr std::chrono::milliseconds look_again{2};

error nobody_set(const std::string& key, std::chrono::milliseconds timeout) {
  return {errc::io, "store: nobody set '" + key + "' within "
                      + std::to_string(timeout.count()) + " ms"};
}

} // namespace

result<void> memory_store::set(const std::string& key, bytes value) {
  const std::lock_guard lock{mutex_};
  values_.insert_or_assign(key, std::move(value));
  changed_.notify_all();
  return {};
}

result<rendezvous_store::bytes>
memory_store::get(const std::string& key, std::chrono::milliseconds timeout) {
  std::unique_lock lock{mutex_};
  const bool is_there =
    changed_.wait_for(lock, timeout, [&] { return values_.contains(key); });
  if (!is_there)
    return nobody_set(key, timeout);
  return values_.at(key);
}

// -- files --------------------------------------------------------------------

/// A key may hold any bytes but 0; the name of its file holds no slash.
std::string file_store::path_of(const std::string& key) const {
  auto name = key;
  std::ranges::replace(name, '/', '_');
  return folder_ + "/" + name;
}

result<void> file_store::set(const std::string& key, bytes value) {
  const auto path = path_of(key);
  const auto aside = path + ".by" + std::to_string(::getpid());
  std::ofstream file{aside, std::ios::binary};
  const std::string text(reinterpret_cast<const char*>(value.data()),
                         value.size());
  file << text;
  file.close();
  std::error_code why;
  if (file)
    std::filesystem::rename(aside, path, why);
  if (!file || why)
    return error{errc::io, "store: cannot write " + path};
  return {};
}

result<rendezvous_store::bytes>
file_store::get(const std::string& key, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    std::ifstream file{path_of(key), std::ios::binary};
    if (file) {
      const std::string text{std::istreambuf_iterator<char>{file}, {}};
      const auto all = std::as_bytes(std::span{text});
      return bytes{all.begin(), all.end()};
    }
    if (std::chrono::steady_clock::now() > deadline)
      return nobody_set(key, timeout);
    std::this_thread::sleep_for(look_again);
  }
}

} // namespace pd
