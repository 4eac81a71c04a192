#include "engine/data/image_files.hpp"

#include "engine/base/assert.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <utility>

namespace pd {

namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 3> endings{".jpg", ".jpeg", ".png"};

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_image(std::string name) {
  std::ranges::transform(name, name.begin(), lower);
  return std::ranges::any_of(
    endings, [&](std::string_view each) { return name.ends_with(each); });
}

error cannot_read(const std::string& folder, const std::error_code& why) {
  return {errc::io, folder + ": " + why.message()};
}

/// A file's folder and name, which are sorted by.
using found_file = std::pair<std::string, std::string>;

/// What tells a folder from others, whatever way leads to it.
using folder_id = std::pair<dev_t, ino_t>;

folder_id id_of(const std::string& folder) {
  struct stat facts {};
  (void)::stat(folder.c_str(), &facts);
  return {facts.st_dev, facts.st_ino};
}

/// The folders that a walk stands in, the outermost first.
class way_down {
public:
  explicit way_down(const std::string& root) : ids_{id_of(root)} {}

  /// Errors: bad_file if `folder`, so deep below the root, is one of them.
  result<void> enter(const std::string& folder, int depth) {
    const auto id = id_of(folder);
    ids_.resize(static_cast<std::size_t>(depth) + 1);
    if (std::ranges::find(ids_, id) != ids_.end())
      return error{errc::bad_file,
                   folder + ": a loop, it leads back to a folder it lies in"};
    ids_.push_back(id);
    return {};
  }

private:
  std::vector<folder_id> ids_;
};

/// Files below `folder`, in any order.
result<std::vector<found_file>> find_files(const std::string& folder) {
  std::vector<found_file> found;
  way_down way{folder};
  std::error_code why;
  fs::recursive_directory_iterator at{
    folder, fs::directory_options::follow_directory_symlink, why};
  for (; !why && at != fs::end(at); at.increment(why)) {
    std::error_code unknown; // then it is none
    const auto& path = at->path();
    if (at->is_directory(unknown))
      PD_CHECK(way.enter(path.string(), at.depth()));
    else if (is_image(path.filename().string()) && at->is_regular_file(unknown))
      found.emplace_back(path.parent_path().string(), path.filename().string());
  }
  if (why)
    return cannot_read(folder, why);
  return found;
}

} // namespace

result<std::vector<std::string>>
image_files::find_classes(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code why;
  fs::directory_iterator at{folder, why};
  for (; !why && at != fs::end(at); at.increment(why)) {
    std::error_code unknown;
    if (at->is_directory(unknown))
      names.push_back(at->path().filename().string());
  }
  if (why)
    return cannot_read(folder, why);
  if (names.empty())
    return error{errc::bad_file,
                 folder + ": wanted a folder for each class, got none"};
  std::ranges::sort(names);
  return names;
}

result<image_files> image_files::find(const std::string& folder,
                                      std::span<const std::string> classes,
                                      bool wants_all) {
  PD_TRY(const auto here, find_classes(folder));
  for (const auto& each : here)
    if (!std::ranges::binary_search(classes, each))
      return error{errc::bad_file, (fs::path{folder} / each).string()
                                     + ": no class of the training set"};
  image_files made;
  made.folder_ = folder;
  for (const auto& each : classes) {
    if (std::ranges::binary_search(here, each))
      PD_CHECK(made.add_class(each, wants_all));
    else
      made.class_begins_.push_back(made.size());
  }
  if (made.size() == 0)
    return error{errc::bad_file, folder + ": no .jpg, .jpeg or .png file"};
  return made;
}

result<void> image_files::add_class(const std::string& name, bool wants_all) {
  const auto place = (fs::path{folder_} / name).string();
  PD_TRY(auto files, find_files(place));
  if (files.empty() && wants_all)
    return error{errc::bad_file, place + ": no .jpg, .jpeg or .png file"};
  std::ranges::sort(files);
  for (const auto& [parent, file] : files) {
    names_.append(parent, folder_.size()).append("/").append(file);
    begins_.push_back(names_.size());
  }
  class_begins_.push_back(size() + std::ssize(files));
  return {};
}

std::string image_files::path(std::int64_t index) const {
  const auto i = static_cast<std::size_t>(index);
  PD_ASSERT(index >= 0 && index < size());
  return folder_ + names_.substr(begins_[i], begins_[i + 1] - begins_[i]);
}

std::int32_t image_files::label(std::int64_t index) const {
  PD_ASSERT(index >= 0 && index < size());
  const auto after = std::ranges::upper_bound(class_begins_, index);
  return static_cast<std::int32_t>(after - class_begins_.begin() - 1);
}

std::int64_t image_files::next_of_class(std::int64_t index) const {
  const auto of = static_cast<std::size_t>(label(index));
  return index + 1 < class_begins_[of + 1] ? index + 1 : class_begins_[of];
}

std::int64_t image_files::class_size(std::int64_t index) const {
  const auto of = static_cast<std::size_t>(label(index));
  return class_begins_[of + 1] - class_begins_[of];
}

} // namespace pd
