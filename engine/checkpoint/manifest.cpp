#include "engine/checkpoint/manifest.hpp"

#include "engine/checkpoint/content_hash.hpp"
#include "engine/checkpoint/safetensors_header.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace pd {

namespace {

using json = nlohmann::ordered_json;

constexpr std::string_view opening = "{\n  \"checksum\": \"";
constexpr std::size_t digits = 32;
constexpr std::size_t max_manifest_bytes = 100'000'000;
constexpr const char* format = "pd-engine checkpoint";
constexpr int version = 1;
constexpr auto largest = std::numeric_limits<std::int64_t>::max();

constexpr std::array kinds{tensor_kind::parameter, tensor_kind::statistic,
                           tensor_kind::counter};

error wrong(const std::string& what) {
  return {errc::bad_file, what};
}

/// How a value is called in a message: 'text', 3, a list.
std::string described(const json& value) {
  if (value.is_string())
    return quoted_name(value.get_ref<const std::string&>());
  if (value.is_structured())
    return value.is_array() ? "a list" : "an object";
  return value.dump();
}

// -- members of an object, held to a type -------------------------------------

result<const json*> member(const json& from, const char* key) {
  if (!from.is_object())
    return wrong("wanted an object, got " + described(from));
  const auto at = from.find(key);
  if (at == from.end())
    return wrong(std::string{key} + ": is missing");
  return &*at;
}

result<std::string> text_of(const json& from, const char* key) {
  PD_TRY(const auto* value, member(from, key));
  if (!value->is_string())
    return wrong(std::string{key} + ": wanted a text, got "
                 + described(*value));
  return value->get<std::string>();
}

result<std::uint64_t> unsigned_of(const json& from, const char* key) {
  PD_TRY(const auto* value, member(from, key));
  if (!value->is_number_unsigned())
    return wrong(std::string{key}
                 + ": wanted a whole number of at least 0, got "
                 + described(*value));
  return value->get<std::uint64_t>();
}

/// Of 0 ... most.
result<std::int64_t> number_of(const json& from, const char* key,
                               std::int64_t most = largest) {
  PD_TRY(const auto value, unsigned_of(from, key));
  if (value > static_cast<std::uint64_t>(most))
    return wrong(std::string{key} + ": wanted at most " + std::to_string(most)
                 + ", got " + std::to_string(value));
  return static_cast<std::int64_t>(value);
}

result<const json*> list_of(const json& from, const char* key) {
  PD_TRY(const auto* value, member(from, key));
  if (!value->is_array())
    return wrong(std::string{key} + ": wanted a list, got "
                 + described(*value));
  return value;
}

/// Reads the elements of a list, each with `read(element, index)`.
template <class T, class Read>
result<std::vector<T>> each_of(const json& from, const char* key, Read read) {
  PD_TRY(const auto* list, list_of(from, key));
  std::vector<T> made;
  made.reserve(list->size());
  for (const auto& element : *list) {
    auto one = read(element, made.size());
    if (!one)
      return one.failure().within(std::string{key} + "["
                                  + std::to_string(made.size()) + "]");
    made.push_back(*std::move(one));
  }
  return made;
}

// -- what the members mean ----------------------------------------------------

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

bool is_hash(const std::string& text) {
  return text.size() == digits
         && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// Invariant (2).
result<void> check_shard(const checkpoint_shard& shard, std::size_t index,
                         std::size_t count) {
  const auto wanted =
    shard_file(static_cast<int>(index), static_cast<int>(count));
  if (shard.file != wanted)
    return wrong("file: wanted '" + wanted + "', got "
                 + quoted_name(shard.file));
  if (shard.bytes < 0)
    return wrong("bytes: wanted at least 0, got "
                 + std::to_string(shard.bytes));
  if (!is_hash(shard.hash))
    return wrong("xxh3_128: wanted 32 hexadecimal digits, got "
                 + quoted_name(shard.hash));
  return {};
}

/// If the bytes of the widest element times the extents fit.
bool has_size(const shape& extents) {
  std::int64_t bytes = sizeof(std::int64_t);
  return std::ranges::all_of(extents, [&bytes](std::int64_t each) {
    return each >= 0 && !__builtin_mul_overflow(bytes, each, &bytes);
  });
}

result<void> check_tensor(const checkpoint_tensor& tensor, std::size_t shards) {
  PD_CHECK(check_tensor_name(tensor.name));
  if (!has_size(tensor.extents))
    return wrong("shape: " + to_string(tensor.extents)
                 + " is negative or too large");
  if (tensor.shard < 0 || static_cast<std::size_t>(tensor.shard) >= shards)
    return wrong("shard: wanted one of " + std::to_string(shards) + ", got "
                 + std::to_string(tensor.shard));
  if (tensor.updates < 0)
    return wrong("updates: wanted at least 0, got "
                 + std::to_string(tensor.updates));
  return {};
}

/// Invariants (2) and (3).
result<void> check_lists(const checkpoint_manifest& manifest) {
  const auto& shards = manifest.shards;
  if (shards.empty())
    return wrong("shards: wanted at least one");
  for (std::size_t i = 0; i < shards.size(); ++i)
    if (auto checked = check_shard(shards[i], i, shards.size()); !checked)
      return checked.failure().within("shards[" + std::to_string(i) + "]");
  std::set<std::string_view> names;
  for (const auto& each : manifest.tensors) {
    auto checked = check_tensor(each, shards.size());
    if (checked && !names.insert(each.name).second)
      checked = wrong("is there twice");
    if (!checked)
      return checked.failure().within("tensor " + quoted_name(each.name));
  }
  return {};
}

result<void> check(const checkpoint_manifest& manifest) {
  if (manifest.at.epoch < 0 || manifest.at.samples < 0)
    return wrong("epoch, samples: wanted at least 0");
  if (manifest.moments < 0 || manifest.moments > max_moments)
    return wrong("moments: wanted 0 to " + std::to_string(max_moments)
                 + ", got " + std::to_string(manifest.moments));
  return check_lists(manifest);
}

// -- printing -----------------------------------------------------------------

json to_json(const checkpoint_data& data) {
  return {{"dataset", data.dataset},
          {"samples", data.samples},
          {"shuffle", data.is_shuffled}};
}

json to_json(const checkpoint_shard& shard) {
  return {
    {"file", shard.file}, {"bytes", shard.bytes}, {"xxh3_128", shard.hash}};
}

json to_json(const checkpoint_tensor& tensor) {
  return {{"name", tensor.name},
          {"kind", to_string(tensor.kind)},
          {"shape", std::vector<std::int64_t>(tensor.extents.begin(),
                                              tensor.extents.end())},
          {"shard", tensor.shard},
          {"updates", tensor.updates}};
}

/// One element a line.
template <class T>
std::string print_list(const std::vector<T>& list) {
  std::string text;
  for (const auto& each : list) {
    text += text.empty() ? "\n    " : ",\n    ";
    text += to_json(each).dump();
  }
  return "[" + text + "\n  ]";
}

/// What stands behind the checksum's digits.
std::string print_body(const checkpoint_manifest& x) {
  const std::vector<std::pair<const char*, std::string>> members{
    {"format", json(format).dump()},
    {"version", std::to_string(version)},
    {"name", json(x.name).dump()},
    {"seed", std::to_string(x.seed)},
    {"epoch", std::to_string(x.at.epoch)},
    {"samples", std::to_string(x.at.samples)},
    {"data", to_json(x.data).dump()},
    {"rule", json(x.rule).dump()},
    {"moments", std::to_string(x.moments)},
    {"shards", print_list(x.shards)},
    {"tensors", print_list(x.tensors)},
    {"job", json(x.job).dump()}};
  std::string text = "\"";
  for (const auto& [key, value] : members) {
    text += ",\n  \"";
    text += key;
    text += "\": ";
    text += value;
  }
  return text + "\n}\n";
}

// -- parsing ------------------------------------------------------------------

result<tensor_kind> parse_kind(const std::string& name) {
  for (const auto each : kinds)
    if (name == to_string(each))
      return each;
  return wrong("kind: wanted parameter, statistic or counter, got "
               + quoted_name(name));
}

result<checkpoint_data> parse_data(const json& from) {
  checkpoint_data data;
  PD_TRY(data.dataset, text_of(from, "dataset"));
  PD_TRY(data.samples, number_of(from, "samples"));
  PD_TRY(const auto* shuffle, member(from, "shuffle"));
  if (!shuffle->is_boolean())
    return wrong("shuffle: wanted true or false, got " + described(*shuffle));
  data.is_shuffled = shuffle->get<bool>();
  return data;
}

result<checkpoint_shard> parse_shard(const json& from, std::size_t) {
  checkpoint_shard shard;
  PD_TRY(shard.file, text_of(from, "file"));
  PD_TRY(shard.bytes, number_of(from, "bytes"));
  PD_TRY(shard.hash, text_of(from, "xxh3_128"));
  return shard;
}

result<std::int64_t> parse_extent(const json& from, std::size_t) {
  if (!from.is_number_unsigned()
      || from.get<std::uint64_t>() > static_cast<std::uint64_t>(largest))
    return wrong("wanted a whole number of at least 0, got " + described(from));
  return from.get<std::int64_t>();
}

result<checkpoint_tensor> parse_tensor(const json& from, std::size_t) {
  checkpoint_tensor tensor;
  PD_TRY(tensor.name, text_of(from, "name"));
  PD_TRY(const auto kind, text_of(from, "kind"));
  PD_TRY(tensor.kind, parse_kind(kind));
  PD_TRY(const auto extents,
         each_of<std::int64_t>(from, "shape", parse_extent));
  if (extents.size() > shape::max_rank)
    return wrong("shape: wanted at most " + std::to_string(shape::max_rank)
                 + " extents, got " + std::to_string(extents.size()));
  tensor.extents = shape{extents};
  PD_TRY(const auto shard,
         number_of(from, "shard", std::numeric_limits<int>::max()));
  tensor.shard = static_cast<int>(shard);
  PD_TRY(tensor.updates, number_of(from, "updates"));
  return tensor;
}

result<void> check_format(const json& from) {
  PD_TRY(const auto name, text_of(from, "format"));
  if (name != format)
    return wrong("format: wanted '" + std::string{format} + "', got "
                 + quoted_name(name));
  PD_TRY(const auto number, number_of(from, "version"));
  if (number != version)
    return wrong("version: wanted " + std::to_string(version) + ", got "
                 + std::to_string(number));
  return {};
}

result<checkpoint_manifest> parse_members(const json& from) {
  PD_CHECK(check_format(from));
  checkpoint_manifest made;
  PD_TRY(made.name, text_of(from, "name"));
  PD_TRY(made.job, text_of(from, "job"));
  PD_TRY(made.seed, unsigned_of(from, "seed"));
  PD_TRY(made.at.epoch, number_of(from, "epoch"));
  PD_TRY(made.at.samples, number_of(from, "samples"));
  PD_TRY(const auto* data, member(from, "data"));
  PD_TRY(made.data, parse_data(*data));
  PD_TRY(made.rule, text_of(from, "rule"));
  PD_TRY(const auto moments, number_of(from, "moments", max_moments));
  made.moments = static_cast<int>(moments);
  PD_TRY(made.shards, each_of<checkpoint_shard>(from, "shards", parse_shard));
  PD_TRY(made.tensors,
         each_of<checkpoint_tensor>(from, "tensors", parse_tensor));
  PD_CHECK(check(made));
  return made;
}

/// Invariant (1).
result<void> check_hash(std::string_view text) {
  if (text.size() > max_manifest_bytes)
    return wrong(std::to_string(text.size()) + " bytes: wanted at most "
                 + std::to_string(max_manifest_bytes));
  if (!text.starts_with(opening) || text.size() < opening.size() + digits)
    return wrong("does not begin as a manifest does, with its checksum");
  const auto said = text.substr(opening.size(), digits);
  const auto found = hash_of(std::string{text.substr(opening.size() + digits)});
  if (said != found)
    return wrong("its checksum says " + quoted_name(said) + ", its bytes have '"
                 + found + "': it is not as it was written");
  return {};
}

result<checkpoint_manifest> parse(std::string_view text) {
  PD_CHECK(check_hash(text));
  const auto read = json::parse(text, nullptr, false);
  if (read.is_discarded())
    return wrong("not JSON");
  return parse_members(read);
}

} // namespace

const char* to_string(tensor_kind kind) {
  constexpr std::array names{"parameter", "statistic", "counter"};
  return names.at(static_cast<std::size_t>(kind));
}

const checkpoint_tensor*
checkpoint_manifest::find(std::string_view wanted) const {
  const auto found =
    std::ranges::find(tensors, wanted, &checkpoint_tensor::name);
  return found == tensors.end() ? nullptr : &*found;
}

std::string shard_file(int shard, int shards) {
  return "shard-" + std::to_string(shard) + "-of-" + std::to_string(shards)
         + ".safetensors";
}

bool is_shard_file(std::string_view name) {
  constexpr std::string_view begin = "shard-";
  constexpr std::string_view middle = "-of-";
  constexpr std::string_view end = ".safetensors";
  const auto at = name.find(middle);
  if (!name.starts_with(begin) || !name.ends_with(end) || at == name.npos
      || at + middle.size() + end.size() > name.size())
    return false;
  const auto shards = name.substr(at + middle.size());
  return is_number(name.substr(begin.size(), at - begin.size()))
         && is_number(shards.substr(0, shards.size() - end.size()));
}

std::string moment_name(int moment, const std::string& parameter) {
  return "moment" + std::to_string(moment) + ":" + parameter;
}

result<void> check_tensor_name(const std::string& name) {
  constexpr std::string_view word = "moment";
  auto rest = std::string_view{name};
  bool is_moment = rest.starts_with(word);
  if (is_moment) {
    rest.remove_prefix(word.size());
    const auto end = rest.find_first_not_of("0123456789");
    is_moment = end != 0 && end != rest.npos && rest[end] == ':';
  }
  if (name.empty() || name == "__metadata__" || is_moment)
    return error{errc::bad_value,
                 quoted_name(name) + " is no name of a tensor"};
  return {};
}

result<std::string> print_manifest(const checkpoint_manifest& manifest) {
  if (const auto checked = check(manifest); !checked)
    return error{errc::bad_value, checked.failure().message};
  try {
    const auto body = print_body(manifest);
    return std::string{opening} + hash_of(body) + body;
  } catch (const json::exception&) {
    return error{errc::bad_value, "manifest: a text is not UTF-8"};
  }
}

result<checkpoint_manifest> parse_manifest(std::string_view text,
                                           const std::string& path) {
  auto parsed = parse(text);
  if (!parsed)
    return error{errc::bad_file, path + ": " + parsed.failure().message};
  return parsed;
}

} // namespace pd
