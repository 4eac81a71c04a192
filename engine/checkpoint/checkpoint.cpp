#include "engine/checkpoint/checkpoint.hpp"

#include "engine/base/assert.hpp"
#include "engine/base/text.hpp"
#include "engine/checkpoint/content_hash.hpp"
#include "engine/checkpoint/safetensors_header.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

namespace pd {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view part_ending = ".part";

error wrong(const std::string& path, const std::string& what) {
  return {errc::bad_file, path + ": " + what};
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// "F32 [2, 3]"
std::string described(const safetensor& tensor) {
  std::string text;
  for (const auto each : tensor.shape)
    text += (text.empty() ? "" : ", ") + std::to_string(each);
  return tensor.dtype + " [" + text + "]";
}

std::string dtype_of_kind(tensor_kind kind) {
  return kind == tensor_kind::counter ? "I64" : "F32";
}

/// Appends what a shard holds of a tensor: itself and its moments, by name,
/// dtype and shape.
void add_stored(std::vector<safetensor>& to, const checkpoint_tensor& tensor,
                int moments) {
  const std::vector<std::int64_t> extents(tensor.extents.begin(),
                                          tensor.extents.end());
  to.push_back({tensor.name, dtype_of_kind(tensor.kind), extents, {}});
  if (tensor.kind == tensor_kind::parameter)
    for (int i = 0; i < moments; ++i)
      to.push_back({moment_name(i, tensor.name), "F32", extents, {}});
}

/// All that the manifest says of a shard.
std::vector<safetensor> stored_in(int shard,
                                  const checkpoint_manifest& manifest) {
  std::vector<safetensor> all;
  for (const auto& each : manifest.tensors)
    if (each.shard == shard)
      add_stored(all, each, manifest.moments);
  return all;
}

result<void> check_stored(const safetensors_file& shard,
                          const safetensor& wanted) {
  const auto* found = shard.find(wanted.name);
  const auto name = "tensor " + quoted_name(wanted.name);
  if (found == nullptr)
    return error{errc::bad_file, name + " of the manifest is not there"};
  if (found->dtype != wanted.dtype || found->shape != wanted.shape)
    return error{errc::bad_file, name + ": is " + described(*found)
                                   + ", the manifest says "
                                   + described(wanted)};
  return {};
}

/// The shard holds what the manifest says it does, and nothing else.
result<void> check_tensors(const safetensors_file& shard, int index,
                           const checkpoint_manifest& manifest) {
  const auto wanted = stored_in(index, manifest);
  for (const auto& each : wanted)
    PD_CHECK(check_stored(shard, each));
  if (shard.tensors.size() != wanted.size())
    return error{errc::bad_file, std::to_string(shard.tensors.size())
                                   + " tensors, the manifest says "
                                   + std::to_string(wanted.size())};
  return {};
}

} // namespace

/// Reads a checkpoint, and knows in which state it is if it cannot.
struct checkpoint_reader {
  checkpoint made;
  checkpoint_state state = checkpoint_state::corrupt; ///< after an error

  error torn(const std::string& path, const std::string& what) {
    state = checkpoint_state::torn;
    return wrong(path, what);
  }

  result<void> check_there(const std::string& path) {
    std::error_code unknown;
    if (fs::exists(path, unknown))
      return {};
    if (!unknown)
      return torn(path, "is missing");
    return error{errc::io, path + ": cannot look at it: " + unknown.message()};
  }

  result<void> check_size(const std::string& path, std::int64_t wanted) {
    PD_CHECK(check_there(path));
    std::error_code failed;
    const auto size = fs::file_size(path, failed);
    if (failed)
      return error{errc::io,
                   path + ": cannot look at its size: " + failed.message()};
    const auto got = static_cast<std::int64_t>(size);
    const auto text = "has " + std::to_string(got)
                      + " bytes, the manifest says " + std::to_string(wanted);
    if (got < wanted)
      return torn(path, text);
    return got == wanted ? result<void>{} : wrong(path, text);
  }

  result<void> check_sizes(const std::string& folder,
                           const checkpoint_manifest& manifest) {
    for (const auto& each : manifest.shards)
      PD_CHECK(check_size(folder + "/" + each.file, each.bytes));
    return {};
  }

  result<checkpoint_manifest> read_manifest(const std::string& folder) {
    const auto path = folder + "/" + manifest_file;
    PD_CHECK(check_there(path));
    PD_TRY(const auto file, mapped_file::open(path));
    return parse_manifest(text_of(file.bytes()), path);
  }

  /// From the bytes that are hashed here.
  result<safetensors_file> read_shard(const std::string& path,
                                      const std::string& hash) {
    PD_TRY(auto mapping, mapped_file::open(path));
    const auto found = hash_of(mapping.bytes());
    if (found != hash)
      return wrong(path, "its bytes have the checksum " + found
                           + ", the manifest says " + hash
                           + ": it is not as it was written");
    PD_TRY(auto file, parse_safetensors(mapping.bytes(), path));
    file.mapping = std::move(mapping);
    return file;
  }

  result<void> read(const std::string& folder) {
    made.path_ = folder;
    if (folder.ends_with(part_ending))
      return torn(folder, "is not written to its end");
    PD_TRY(made.manifest_, read_manifest(folder));
    PD_CHECK(check_sizes(folder, made.manifest_));
    for (const auto& each : made.manifest_.shards) {
      const auto path = folder + "/" + each.file;
      PD_TRY(auto file, read_shard(path, each.hash));
      const auto index = static_cast<int>(made.shards_.size());
      if (auto held = check_tensors(file, index, made.manifest_); !held)
        return held.failure().within(path);
      made.shards_.push_back(std::move(file));
    }
    return {};
  }
};

const char* to_string(checkpoint_state state) {
  constexpr std::array names{"whole", "torn", "corrupt", "unreadable"};
  return names.at(static_cast<std::size_t>(state));
}

opened_checkpoint open_checkpoint(const std::string& path) {
  auto folder = path;
  while (folder.size() > 1 && folder.ends_with('/'))
    folder.pop_back();
  checkpoint_reader reader;
  if (const auto read = reader.read(folder); !read)
    return {read.failure().code == errc::io ? checkpoint_state::unreadable
                                            : reader.state,
            read.failure(),
            {}};
  return {checkpoint_state::whole, {}, std::move(reader.made)};
}

result<checkpoint> checkpoint::open(const std::string& path) {
  auto opened = open_checkpoint(path);
  if (opened.state != checkpoint_state::whole)
    return opened.why;
  return std::move(opened.whole);
}

result<checkpoint_manifest> read_manifest(const std::string& folder) {
  return checkpoint_reader{}.read_manifest(folder);
}

result<void> check_shard_sizes(const std::string& folder,
                               const checkpoint_manifest& manifest) {
  return checkpoint_reader{}.check_sizes(folder, manifest);
}

result<const checkpoint_tensor*>
checkpoint::tensor(const std::string& name) const {
  if (const auto* found = manifest_.find(name))
    return found;
  std::vector<std::string> names;
  for (const auto& each : manifest_.tensors)
    names.push_back(each.name);
  return error{errc::unknown_name, path_ + ": no tensor '" + name + "'"
                                     + did_you_mean(name, names)};
}

const safetensor& checkpoint::stored(const checkpoint_tensor& tensor,
                                     const std::string& name) const {
  const auto* found =
    shards_.at(static_cast<std::size_t>(tensor.shard)).find(name);
  PD_ASSERT(found != nullptr); // check_tensors has seen it
  return *found;
}

result<std::vector<float>> checkpoint::values(const std::string& name) const {
  PD_TRY(const auto* which, tensor(name));
  if (which->kind == tensor_kind::counter)
    return error{errc::bad_value, path_ + ": '" + name + "' is a counter"};
  return to_f32(stored(*which, name));
}

result<std::vector<std::int64_t>>
checkpoint::counts(const std::string& name) const {
  PD_TRY(const auto* which, tensor(name));
  if (which->kind != tensor_kind::counter)
    return error{errc::bad_value, path_ + ": '" + name + "' is no counter"};
  return to_i64(stored(*which, name));
}

result<std::vector<float>> checkpoint::moment(const std::string& name,
                                              int moment) const {
  PD_TRY(const auto* which, tensor(name));
  if (which->kind != tensor_kind::parameter || moment < 0
      || moment >= manifest_.moments)
    return error{errc::bad_value, path_ + ": '" + name + "' has no moment "
                                    + std::to_string(moment)};
  return to_f32(stored(*which, moment_name(moment, name)));
}

std::vector<safetensor> checkpoint::weights() const {
  std::vector<safetensor> made;
  for (const auto& each : manifest_.tensors)
    made.push_back(stored(each, each.name));
  return made;
}

result<void> export_weights(const checkpoint& from, const std::string& path) {
  return write_safetensors(path, from.weights(), {{"format", "pt"}});
}

} // namespace pd
