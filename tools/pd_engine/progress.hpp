/// Long work, shown: a bar on a terminal, plain lines elsewhere.

#pragma once

#include <cstdint>
#include <string>

namespace pd {

/// Thread: one at a time. Writes to stdout.
class progress {
public:
  /// print_every: plain lines (no terminal) for every so many updates.
  /// quiet: nothing at all, for --json.
  progress(std::int64_t print_every, bool is_quiet);

  /// One update: `text` is the figures ("loss 0.42 ..."), done of total.
  void update(const std::string& text, std::int64_t done, std::int64_t total);

  /// A line that stays.
  void line(const std::string& text);

  /// Starts the time left anew: for another kind of work.
  void restart();

private:
  void draw(const std::string& text, std::int64_t done, std::int64_t total);
  void clear();

  std::int64_t print_every_;
  bool is_quiet_;
  bool is_terminal_;
  bool has_bar_ = false;
  std::int64_t updates_ = 0;
  std::int64_t begin_us_;
  std::int64_t begin_done_ = -1;
  std::int64_t drawn_us_ = 0;
};

} // namespace pd
