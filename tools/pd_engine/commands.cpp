#include "tools/pd_engine/commands.hpp"

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

namespace pd {

namespace {

constexpr int job_failed = 1;
constexpr int invalid_input = 2;

/// What a person gave is wrong, or the machine is.
bool is_invalid_input(errc code) {
  return code != errc::io && code != errc::out_of_memory
         && code != errc::failed;
}

} // namespace

void job_arguments::add_to(CLI::App& app) {
  app.add_option("JOB", path, "a job file, as those in graphs/")->required();
  app
    .add_option("--set", overrides,
                "section.key=value: instead of what the file says")
    ->allow_extra_args(false);
}

void fail(command_context& context, const error& why, bool has_begun) {
  std::fflush(stdout);
  if (!has_begun && why.code == errc::interrupted) {
    std::fprintf(stderr, "pd-engine: %s\n", why.message.c_str());
    context.status = interrupted_status;
    return;
  }
  std::fprintf(stderr, "pd-engine: error: %s\n", why.message.c_str());
  context.status =
    !has_begun && is_invalid_input(why.code) ? invalid_input : job_failed;
}

result<void> write_file(const std::string& path, const std::string& text) {
  std::ofstream to{path};
  to << text;
  to.close();
  return to ? result<void>{} : error{errc::io, path + ": cannot be written"};
}

void print_json(const nlohmann::ordered_json& object) {
  using json = nlohmann::ordered_json;
  std::printf(
    "%s\n",
    object.dump(-1, ' ', false, json::error_handler_t::replace).c_str());
}

} // namespace pd
