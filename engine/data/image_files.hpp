/// The image files of a folder with one subfolder a class, in order.
///
/// As torchvision's ImageFolder: classes are the subfolders, sorted by name;
/// the files of a class are those below it whose names end in .jpg, .jpeg or
/// .png (any case), sorted by folder and then by name, byte by byte. Links are
/// followed.

#pragma once

#include "engine/base/error.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace pd {

class image_files {
public:
  /// The names of the subfolders, sorted.
  /// Errors: io if it cannot be read; bad_file if there are none.
  static result<std::vector<std::string>>
  find_classes(const std::string& folder);

  /// Lists the files of `classes`. A class without a file is an error if
  /// `wants_all`; so is a subfolder that is none of the classes.
  /// Errors: io, bad_file, with the folder.
  static result<image_files> find(const std::string& folder,
                                  std::span<const std::string> classes,
                                  bool wants_all);

  [[nodiscard]] std::int64_t size() const { return class_begins_.back(); }
  [[nodiscard]] std::string path(std::int64_t index) const;
  [[nodiscard]] std::int32_t label(std::int64_t index) const;
  /// The file after it of the same class; after the last the first.
  [[nodiscard]] std::int64_t next_of_class(std::int64_t index) const;
  /// Files of the class of `index`.
  [[nodiscard]] std::int64_t class_size(std::int64_t index) const;

private:
  result<void> add_class(const std::string& name, bool wants_all);

  std::string folder_;
  std::string names_; ///< paths below the folder, one after the other
  std::vector<std::uint64_t> begins_{0}; ///< in names_, one more than files
  std::vector<std::int64_t> class_begins_{0}; ///< one more than classes
};

} // namespace pd
