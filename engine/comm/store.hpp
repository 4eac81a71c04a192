/// Where the ranks of a group find each other: small values by key.

#pragma once

#include "engine/base/error.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace pd {

/// Keys are set once and never go.
///
/// Thread: any, several at once.
class rendezvous_store {
public:
  using bytes = std::vector<std::byte>;

  rendezvous_store() = default;
  rendezvous_store(const rendezvous_store&) = delete;
  rendezvous_store& operator=(const rendezvous_store&) = delete;
  virtual ~rendezvous_store() = default;

  /// Errors: io if the store cannot be reached.
  virtual result<void> set(const std::string& key, bytes value) = 0;

  /// Waits until the key is set. Errors: io if it is not within the timeout, or
  /// the store is closed or lost.
  [[nodiscard]] virtual result<bytes>
  get(const std::string& key, std::chrono::milliseconds timeout) = 0;
};

/// For the threads of one process.
class memory_store final : public rendezvous_store {
public:
  result<void> set(const std::string& key, bytes value) override;
  [[nodiscard]] result<bytes> get(const std::string& key,
                                  std::chrono::milliseconds timeout) override;

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, bytes> values_;
};

/// For processes that see one folder: a file a key, written aside and renamed.
/// Waits by looking again.
class file_store final : public rendezvous_store {
public:
  /// @pre the folder exists
  explicit file_store(std::string folder) : folder_{std::move(folder)} {}

  result<void> set(const std::string& key, bytes value) override;
  [[nodiscard]] result<bytes> get(const std::string& key,
                                  std::chrono::milliseconds timeout) override;

private:
  [[nodiscard]] std::string path_of(const std::string& key) const;

  std::string folder_;
};

} // namespace pd
