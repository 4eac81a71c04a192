/// A folder that goes with its test, and files in it.

#pragma once

#include <string>
#include <vector>

namespace pd::test {

class scratch_folder {
public:
  scratch_folder(); ///< among the system's temporary files
  explicit scratch_folder(const std::string& parent);
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  ~scratch_folder();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string operator/(const std::string& name) const {
    return path_ + "/" + name;
  }
  /// The path of a file of these bytes.
  [[nodiscard]] std::string write(const std::string& name,
                                  const std::string& bytes) const;

private:
  std::string path_;
};

/// Where files are in memory, and to sync them costs nothing; the system's
/// temporary files if there is no such place.
[[nodiscard]] std::string memory_folder();

/// The bytes of a file; none if it is not there.
[[nodiscard]] std::string read(const std::string& path);

/// Throws if the system refuses.
void write_bytes(const std::string& path, const std::string& bytes);

/// What is in a folder, sorted.
[[nodiscard]] std::vector<std::string> names_in(const std::string& folder);

} // namespace pd::test
