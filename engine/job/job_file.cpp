#include "engine/job/job_file.hpp"

#include "engine/base/text.hpp"
#include "engine/job/job_keys.hpp"
#include "engine/models/models.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

namespace pd {

namespace {

namespace fs = std::filesystem;

/// Where the value of a key was said: "job.toml:3", "--set". By full name; a
/// stage's keys, of the last [[stage]].
using places = std::map<std::string, std::string>;

/// An override, taken apart.
struct assignment {
  std::string section;
  std::string key;
  std::string value;
};

// -- names -------------------------------------------------------------------

/// What a person may have meant by a key that is not there: a key of the same
/// section, or one of the same name in another.
std::string suggest_key(const std::string& section, const std::string& name) {
  std::vector<std::string> siblings;
  for (const auto& each : job_keys()) {
    if (each.name == name)
      return " (did you mean '" + each.full_name() + "'?)";
    if (each.section == section)
      siblings.push_back(each.name);
  }
  return did_you_mean(name, siblings);
}

error unknown_key(const std::string& section, const std::string& name) {
  const auto full = section.empty() ? name : section + "." + name;
  return {errc::unknown_name,
          full + ": unknown key" + suggest_key(section, name)};
}

result<void> check_section(const toml_section& at) {
  auto names = job_sections();
  const bool is_known = std::ranges::find(names, at.name) != names.end();
  if (at.name == "stage" && !at.is_element)
    return error{errc::bad_value, "[stage]: wanted [[stage]]"};
  if (at.name == "stage" || at.name.empty())
    return {};
  if (is_known && at.is_element)
    return error{errc::bad_value,
                 "[[" + at.name + "]]: wanted [" + at.name + "]"};
  if (is_known)
    return {};
  names.emplace_back("stage");
  return error{errc::unknown_name, "[" + at.name + "]: unknown section"
                                     + did_you_mean(at.name, names)};
}

// -- reading -----------------------------------------------------------------

/// The folder of a file, absolute if the system says where we are.
fs::path absolute_folder(const std::string& file) {
  std::error_code ignored;
  return (fs::current_path(ignored) / file).parent_path();
}

/// Makes a path absolute. What is empty stays so.
void resolve(std::string& path, const fs::path& folder) {
  if (!path.empty())
    path = (folder / path).lexically_normal().string();
}

result<void> set(const std::string& section, const std::string& name,
                 const toml_value& value, job& to, const fs::path& folder) {
  const auto* key = find_job_key(section, name);
  if (key == nullptr)
    return unknown_key(section, name);
  const auto stage = to.stages.empty() ? 0 : to.stages.size() - 1;
  PD_CHECK(set_value(*key, value, to, stage));
  if (key->is_path)
    resolve(std::get<job_place<std::string>>(key->place)(to, stage), folder);
  return {};
}

/// Reads one section, and remembers where its keys were said.
class section_reader {
public:
  section_reader(std::string path, job& to, places& said)
    : path_{std::move(path)}, to_{to}, said_{said} {
    folder_ = absolute_folder(path_);
  }

  result<void> read(const toml_section& from) {
    const auto at = place_text(path_, from.line);
    if (const auto known = check_section(from); !known)
      return known.failure().within(at);
    said_["[" + from.name + "]"] = at;
    if (from.name == "stage")
      to_.stages.emplace_back();
    for (const auto& each : from.entries)
      PD_CHECK(read_entry(from.name, each));
    return {};
  }

private:
  result<void> read_entry(const std::string& section, const toml_entry& from) {
    const auto at = place_text(path_, from.line);
    const auto done = set(section, from.key, from.value, to_, folder_);
    if (!done)
      return done.failure().within(at);
    said_[section + "." + from.key] = at;
    return {};
  }

  std::string path_;
  job& to_;
  places& said_;
  fs::path folder_;
};

result<void> read_document(std::string_view text, const std::string& path,
                           job& to, places& said) {
  PD_TRY(const auto document, parse_toml(text, path));
  section_reader reader{path, to, said};
  for (const auto& each : document)
    PD_CHECK(reader.read(each));
  return {};
}

// -- overrides ---------------------------------------------------------------

result<assignment> split_override(const std::string& text) {
  const auto equals = text.find('=');
  const auto name = text.substr(0, equals);
  if (equals == std::string::npos || name.empty())
    return error{errc::bad_value,
                 "--set " + text + ": wanted section.key=value"};
  const auto dot = name.find('.');
  const bool has_section = dot != std::string::npos;
  return assignment{has_section ? name.substr(0, dot) : "",
                    has_section ? name.substr(dot + 1) : name,
                    text.substr(equals + 1)};
}

/// TOML, or the text as it stands.
toml_value override_value(const assignment& from) {
  const auto parsed = parse_toml("v = " + from.value, "--set");
  const bool is_one =
    parsed && parsed->size() == 1 && parsed->front().entries.size() == 1;
  if (!is_one)
    return from.value;
  auto value = parsed->front().entries.front().value;
  const auto* key = find_job_key(from.section, from.key);
  const bool is_text = std::holds_alternative<std::string>(value);
  if (key != nullptr && key->is_text() && !is_text)
    return from.value; // a path or a name that looks like a number
  return value;
}

result<void> apply_override(const std::string& text, job& to, places& said) {
  PD_TRY(const auto what, split_override(text));
  if (what.section == "stage")
    return error{errc::bad_value,
                 "--set " + text + ": [[stage]] is set in the file only"};
  const auto done =
    set(what.section, what.key, override_value(what), to, absolute_folder("x"));
  if (!done)
    return done.failure().within("--set");
  said[what.section + "." + what.key] = "--set";
  return {};
}

result<void> apply_overrides(std::span<const std::string> from, job& to,
                             places& said) {
  for (const auto& each : from)
    PD_CHECK(apply_override(each, to, said));
  return {};
}

// -- the whole ---------------------------------------------------------------

/// Refuses what is understood but would not be carried out.
result<void> check_carried_out(const job& j, const places& said) {
  for (const auto& key : job_keys()) {
    const auto at = said.find(key.section + "." + key.name);
    if (key.refuse == nullptr || at == said.end())
      continue;
    const auto value = value_of(key, j);
    if (value == default_of(key))
      continue;
    if (const auto why = key.refuse(j); !why.empty())
      return error{errc::not_supported, at->second + ": " + key.full_name()
                                          + ": " + why + "; wanted "
                                          + print_toml(default_of(key))
                                          + ", got " + brief_toml(value)};
  }
  return {};
}

/// A rule that no key can hold to by itself: where to point if it is broken,
/// and what to say, which is nothing if it is not.
struct rule {
  const char* key;
  std::string (*broken)(const job&);
};

/// A run's folder has this name in its own.
bool is_plain(const std::string& name) {
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

/// The name of a file, without its ending, as that of a job.
std::string job_name(const std::string& path) {
  auto name = fs::path{path}.stem().string();
  for (auto& each : name)
    if (!is_plain({each}))
      each = '_';
  return name.empty() ? "job" : name;
}

std::string plain_name(const job& j) {
  if (is_plain(j.name))
    return "";
  return "name: wanted letters, digits, '.', '_' and '-'";
}

std::string known_model(const job& j) {
  const auto& name = j.model.name;
  if (name.empty())
    return j.model.file.empty() ? "model: wanted a name or a file, got neither"
                                : "";
  std::vector<std::string> names;
  for (const auto& each : model_names())
    names.push_back(each.name);
  if (std::ranges::find(names, name) != names.end())
    return "";
  return "model.name: no model '" + name + "'" + did_you_mean(name, names)
         + "; `pd-engine models` lists them";
}

std::string one_model(const job& j) {
  if (j.model.name.empty() || j.model.file.empty())
    return "";
  return "model: wanted a name or a file, got both";
}

std::string idx_path(const job& j) {
  if (j.data.dataset != "idx" || !j.data.path.empty())
    return "";
  return "data.path: wanted the folder of the idx files, got nothing";
}

std::string folder_path(const job& j) {
  if (j.data.dataset != "image-folder" || !j.data.path.empty())
    return "";
  return "data.path: wanted the folder of train and val, got nothing";
}

std::string rising(const char* key, const std::vector<double>& range) {
  if (range[0] <= range[1])
    return "";
  return std::string{key} + ": wanted the least first, got "
         + print_toml(range);
}

std::string rising_scale(const job& j) {
  return rising("data.crop_scale", j.data.crop_scale);
}

std::string rising_ratio(const job& j) {
  return rising("data.crop_ratio", j.data.crop_ratio);
}

std::string small_hue(const job& j) {
  constexpr double most = 0.5;
  if (j.data.jitter[3] <= most)
    return "";
  return "data.jitter: wanted hue, the last, up to 0.5, got "
         + print_toml(j.data.jitter[3]);
}

std::string nesterov_momentum(const job& j) {
  const auto& with = j.optimizer.rule;
  if (!with.nesterov || (with.momentum > 0 && with.dampening == 0))
    return "";
  return "optimizer.nesterov: wanted momentum above 0 and dampening 0";
}

constexpr rule rules[]{{".name", plain_name},
                       {"model.name", known_model},
                       {"model.file", one_model},
                       {"data.dataset", idx_path},
                       {"data.dataset", folder_path},
                       {"data.crop_scale", rising_scale},
                       {"data.crop_ratio", rising_ratio},
                       {"data.jitter", small_hue},
                       {"optimizer.nesterov", nesterov_momentum}};

result<void> check_rules(const job& j, const places& said,
                         const std::string& path) {
  for (const auto& each : rules) {
    const auto message = each.broken(j);
    if (message.empty())
      continue;
    const auto at = said.find(each.key);
    return error{errc::bad_value,
                 (at == said.end() ? path : at->second) + ": " + message};
  }
  return {};
}

void print_section(const std::string& heading, const std::string& section,
                   const job& from, std::size_t stage, std::string& to) {
  if (!heading.empty())
    to += "\n" + heading + "\n";
  for (const auto& each : job_keys())
    if (each.section == section)
      to += each.name + " = " + print_toml(value_of(each, from, stage)) + "\n";
}

void print_stages(const job& from, std::string& to) {
  for (std::size_t i = 0; i < from.stages.size(); ++i)
    print_section("[[stage]]", "stage", from, i, to);
}

} // namespace

result<job> load_job(const std::string& path,
                     std::span<const std::string> overrides) {
  PD_TRY(const auto text, read_text_file(path));
  return parse_job(text, path, overrides);
}

result<job> parse_job(std::string_view text, const std::string& path,
                      std::span<const std::string> overrides) {
  job made;
  places said;
  PD_CHECK(read_document(text, path, made, said));
  PD_CHECK(apply_overrides(overrides, made, said));
  PD_CHECK(check_rules(made, said, path));
  PD_CHECK(check_carried_out(made, said));
  if (made.name.empty())
    made.name = job_name(path);
  return made;
}

std::string print_job(const job& from) {
  std::string text;
  print_section("", "", from, 0, text);
  for (const auto& each : job_sections()) {
    print_section("[" + each + "]", each, from, 0, text);
    if (each == "schedule")
      print_stages(from, text);
  }
  return text;
}

} // namespace pd
