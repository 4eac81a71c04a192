/// Where a run leaves what it did: runs/<time>-<name>/.
///
///     job.toml        the resolved job; `pd-engine run` takes it
///     command.txt     the command line
///     host.json       machine, device, version
///     metrics.jsonl   one object per update and per evaluation
///     run.log         what happened

#pragma once

#include "engine/base/error.hpp"

#include <cstdio>
#include <memory>
#include <string>

namespace pd {

/// One update of the weights, as a line of metrics.jsonl.
struct update_metrics {
  std::int64_t epoch = 0;
  std::int64_t microbatch = 0; ///< within the epoch: the last of the round
  double loss = 0;             ///< mean over the round
  double accuracy = 0;         ///< of the round's samples, 0 ... 1
  double lr = 0;
  double samples_per_s = 0; ///< over about the last second
  double time_s = 0;        ///< since training began
};

struct evaluation_metrics {
  std::int64_t epoch = 0;
  double loss = 0;
  double accuracy = 0;
  double top5_accuracy = 0;
  std::int64_t samples = 0;
  double time_s = 0; ///< since training began
};

/// Owns: the open metrics file.
/// Thread: one at a time.
class run_directory {
public:
  /// Makes `<parent>/<time>-<name>`, with a number behind it if it is there.
  /// Errors: io.
  [[nodiscard]] static result<run_directory> make(const std::string& parent,
                                                  const std::string& name);

  [[nodiscard]] const std::string& path() const { return path_; }

  /// Writes a file of that name. Errors: io.
  [[nodiscard]] result<void> write(const std::string& file,
                                   const std::string& text) const;

  /// Appends one line and flushes it. Errors: io, a full disk among them.
  [[nodiscard]] result<void> append(const update_metrics& line);
  [[nodiscard]] result<void> append(const evaluation_metrics& line);

private:
  using file_handle = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
  run_directory(std::string path, file_handle metrics)
    : path_{std::move(path)}, metrics_{std::move(metrics)} {}
  [[nodiscard]] result<void> append_line(const std::string& line);

  std::string path_;
  file_handle metrics_;
};

} // namespace pd
