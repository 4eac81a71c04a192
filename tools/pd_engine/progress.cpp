#include "tools/pd_engine/progress.hpp"

#include "engine/base/clock.hpp"
#include "engine/base/text.hpp"

#include <algorithm>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

namespace pd {

namespace {

constexpr std::int64_t redraw_us = 100'000;
constexpr int bar_width = 24;

int terminal_columns() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
    return 80;
  return size.ws_col;
}

std::string bar(std::int64_t done, std::int64_t total) {
  const auto filled = static_cast<std::size_t>(
    total > 0 ? std::min(done, total) * bar_width / total : 0);
  return "[" + std::string(filled, '=') + std::string(bar_width - filled, ' ')
         + "]";
}

} // namespace

progress::progress(std::int64_t print_every, bool is_quiet)
  : print_every_{std::max<std::int64_t>(print_every, 1)},
    is_quiet_{is_quiet},
    is_terminal_{isatty(STDOUT_FILENO) == 1},
    begin_us_{now_us()} {}

void progress::restart() {
  begin_us_ = now_us();
  begin_done_ = -1;
  updates_ = 0;
}

void progress::clear() {
  if (has_bar_)
    std::fputs("\r\033[K", stdout);
  has_bar_ = false;
}

void progress::draw(const std::string& text, std::int64_t done,
                    std::int64_t total) {
  const auto rate = static_cast<double>(done - begin_done_)
                    / std::max(seconds_since(begin_us_), 1e-9);
  const auto left = rate > 0 ? static_cast<double>(total - done) / rate : 0;
  auto shown = bar(done, total) + " " + std::to_string(done) + "/"
               + std::to_string(total) + "  " + text + "  "
               + (rate > 0 ? format_duration(left) + " left" : "");
  shown.resize(
    std::min(shown.size(), static_cast<std::size_t>(terminal_columns() - 1)));
  std::printf("\r\033[K%s", shown.c_str());
  std::fflush(stdout);
  has_bar_ = true;
}

void progress::update(const std::string& text, std::int64_t done,
                      std::int64_t total) {
  if (is_quiet_)
    return;
  if (begin_done_ < 0)
    begin_done_ = done;
  ++updates_;
  if (is_terminal_) {
    if (now_us() - drawn_us_ < redraw_us && done < total)
      return;
    drawn_us_ = now_us();
    draw(text, done, total);
  } else if (updates_ % print_every_ == 0 || updates_ == 1 || done == total) {
    line(std::to_string(done) + "/" + std::to_string(total) + "  " + text);
  }
}

void progress::line(const std::string& text) {
  if (is_quiet_)
    return;
  clear();
  std::printf("%s\n", text.c_str());
  std::fflush(stdout);
}

} // namespace pd
