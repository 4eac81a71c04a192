/// The one place that sees spdlog.

#include "engine/base/log.hpp"

#include "engine/base/text.hpp"

#include <memory>
#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <vector>

namespace pd {

namespace {

spdlog::level::level_enum to_spdlog(severity how) {
  switch (how) {
  case severity::debug:
    return spdlog::level::debug;
  case severity::info:
    return spdlog::level::info;
  case severity::warning:
    return spdlog::level::warn;
  case severity::error:
    break;
  }
  return spdlog::level::err;
}

/// One logger with two places; the file's may change while others log.
class process_log {
public:
  process_log() {
    terminal_->set_level(spdlog::level::warn);
    terminal_->set_pattern("%^%l%$: %v");
    logger_.set_level(spdlog::level::trace);
    logger_.flush_on(spdlog::level::trace); // a log is read after a crash
  }

  void write(severity how, const std::string& text) {
    logger_.log(to_spdlog(how), spdlog::string_view_t{text});
  }

  result<void> open(const std::string& path) {
    try {
      auto file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
      file->set_pattern("%Y-%m-%d %H:%M:%S.%e %l: %v");
      file->set_level(spdlog::level::info);
      files_->set_sinks({std::move(file)});
      return {};
    } catch (const spdlog::spdlog_ex& why) {
      return error{errc::io, why.what()};
    }
  }

  void show(severity least) { terminal_->set_level(to_spdlog(least)); }

private:
  std::shared_ptr<spdlog::sinks::sink> terminal_ =
    std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  std::shared_ptr<spdlog::sinks::dist_sink_mt> files_ =
    std::make_shared<spdlog::sinks::dist_sink_mt>();
  spdlog::logger logger_{"pd-engine", {terminal_, files_}};
};

process_log& the_log() {
  static process_log only;
  return only;
}

} // namespace

void log_message(severity how, const std::string& text) {
  the_log().write(how, text);
}

result<void> log_to_file(const std::string& path) {
  return the_log().open(path);
}

result<void> log_level(const std::string& name) {
  const std::vector<std::string> names{"debug", "info", "warning", "error"};
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) {
      the_log().show(static_cast<severity>(i));
      return {};
    }
  return error{errc::unknown_name,
               "log level '" + name + "': wanted one of " + join(names)};
}

} // namespace pd
