#include "engine/checkpoint/checkpoint_list.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <tuple>
#include <utility>

namespace pd {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t epoch_digits = 6;
constexpr std::size_t sample_digits = 10;

std::string padded(std::int64_t number, std::size_t digits) {
  auto text = std::to_string(number);
  return std::string(digits - std::min(digits, text.size()), '0') + text;
}

/// Takes `letter` and at least so many digits off the front of `text`.
std::optional<std::int64_t> take_number(std::string_view& text, char letter,
                                        std::size_t digits) {
  if (!text.starts_with(letter))
    return std::nullopt;
  const auto rest = text.substr(1);
  const auto end = std::min(rest.find_first_not_of("0123456789"), rest.size());
  std::int64_t number = 0;
  const auto read = std::from_chars(rest.data(), rest.data() + end, number);
  if (end < digits || read.ec != std::errc{})
    return std::nullopt;
  text = rest.substr(end);
  return number;
}

struct named_folder {
  std::string path;
  checkpoint_position at;
  std::string ending;
};

/// Of one position the whole one, then what is about to go.
bool is_newer(const named_folder& a, const named_folder& b) {
  return std::tie(b.at, a.ending) < std::tie(a.at, b.ending);
}

result<std::vector<named_folder>> folders_of(const std::string& directory) {
  std::vector<named_folder> found;
  std::error_code failed;
  for (fs::directory_iterator at{directory, failed}, end; !failed && at != end;
       at.increment(failed)) {
    const auto name = at->path().filename().string();
    const auto parsed = parse_checkpoint_name(name);
    std::error_code ignored;
    if (parsed && at->is_directory(ignored))
      found.push_back({(fs::path{directory} / name).string(), parsed->at,
                       std::string{parsed->ending}});
  }
  if (failed)
    return error{failed == std::errc::no_such_file_or_directory
                     || failed == std::errc::not_a_directory
                   ? errc::bad_value
                   : errc::io,
                 directory + ": cannot list: " + failed.message()};
  std::ranges::sort(found, is_newer);
  return found;
}

/// Adds up what is in a folder.
void count_files(listed_checkpoint& of) {
  std::error_code failed;
  for (fs::directory_iterator at{of.path, failed}, end; !failed && at != end;
       at.increment(failed)) {
    std::error_code ignored;
    if (!at->is_regular_file(ignored))
      continue;
    of.bytes += static_cast<std::int64_t>(at->file_size(ignored));
    of.shards += is_shard_file(at->path().filename().string()) ? 1 : 0;
  }
}

listed_checkpoint listed(const named_folder& folder,
                         const opened_checkpoint& opened) {
  listed_checkpoint made{
    folder.path, opened.state, opened.why.message, folder.at, 0, 0};
  count_files(made);
  return made;
}

/// A whole one under the name of another position is not what it seems.
opened_checkpoint open(const named_folder& folder) {
  auto opened = open_checkpoint(folder.path);
  if (opened.state == checkpoint_state::whole
      && opened.whole.manifest().at != folder.at) {
    const auto named = name_of(opened.whole.manifest().at);
    return {checkpoint_state::corrupt,
            {errc::bad_file,
             folder.path + "/" + manifest_file + ": is that of " + named},
            {}};
  }
  return opened;
}

} // namespace

std::string name_of(const checkpoint_position& at) {
  return "e" + padded(at.epoch, epoch_digits) + "-s"
         + padded(at.samples, sample_digits);
}

std::optional<checkpoint_name> parse_checkpoint_name(std::string_view name) {
  const auto epoch = take_number(name, 'e', epoch_digits);
  if (!epoch || !name.starts_with('-'))
    return std::nullopt;
  name.remove_prefix(1);
  const auto samples = take_number(name, 's', sample_digits);
  if (!samples || (!name.empty() && name != ".part" && name != ".old"))
    return std::nullopt;
  return checkpoint_name{{*epoch, *samples}, name};
}

result<std::vector<std::string>>
checkpoint_paths(const std::string& directory) {
  PD_TRY(const auto folders, folders_of(directory));
  std::vector<std::string> paths;
  paths.reserve(folders.size());
  for (const auto& each : folders)
    paths.push_back(each.path);
  return paths;
}

result<std::vector<listed_checkpoint>>
list_checkpoints(const std::string& directory) {
  PD_TRY(const auto folders, folders_of(directory));
  std::vector<listed_checkpoint> list;
  list.reserve(folders.size());
  for (const auto& each : folders)
    list.push_back(listed(each, open(each)));
  return list;
}

result<newest_checkpoint> find_newest_checkpoint(const std::string& directory) {
  PD_TRY(const auto folders, folders_of(directory));
  newest_checkpoint found;
  for (const auto& each : folders) {
    auto opened = open(each);
    if (opened.state == checkpoint_state::whole) {
      found.whole = std::move(opened.whole);
      break;
    }
    if (opened.state == checkpoint_state::unreadable)
      return opened.why;
    found.skipped.push_back(listed(each, opened));
  }
  return found;
}

} // namespace pd
