#include "engine/checkpoint/safetensors.hpp"

#include "engine/checkpoint/safetensors_header.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

namespace pd {

namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::size_t length_bytes = 8;
constexpr std::uint64_t max_header_bytes = 100'000'000;

struct dtype_facts {
  const char* name;
  std::size_t bytes;
};

/// In the reference implementation's order, in which it writes them backwards.
constexpr std::array dtypes{
  dtype_facts{"BOOL", 1},    dtype_facts{"U8", 1},
  dtype_facts{"I8", 1},      dtype_facts{"F8_E5M2", 1},
  dtype_facts{"F8_E4M3", 1}, dtype_facts{"F8_E8M0", 1},
  dtype_facts{"I16", 2},     dtype_facts{"U16", 2},
  dtype_facts{"F16", 2},     dtype_facts{"BF16", 2},
  dtype_facts{"I32", 4},     dtype_facts{"U32", 4},
  dtype_facts{"F32", 4},     dtype_facts{"C64", 8},
  dtype_facts{"F64", 8},     dtype_facts{"I64", 8},
  dtype_facts{"U64", 8}};

/// The place of a dtype in `dtypes`; its end if there is none.
auto find_dtype(const std::string& name) {
  return std::ranges::find_if(
    dtypes, [&name](const dtype_facts& each) { return name == each.name; });
}

error bad_tensor(const std::string& name, const std::string& what) {
  return {errc::bad_file, "tensor " + quoted_name(name) + ": " + what};
}

std::string list_text(std::span<const std::int64_t> numbers) {
  std::string text;
  for (const auto each : numbers)
    text += (text.empty() ? "" : ", ") + std::to_string(each);
  return "[" + text + "]";
}

/// The bytes of a tensor; empty if the product does not fit in 63 bits.
std::optional<std::int64_t> checked_bytes(std::span<const std::int64_t> shape,
                                          std::size_t elem_bytes) {
  auto product = static_cast<std::int64_t>(elem_bytes);
  for (const auto each : shape)
    if (each < 0 || __builtin_mul_overflow(product, each, &product))
      return std::nullopt;
  return product;
}

/// Holds an entry to invariant (3), and says its bytes.
result<std::int64_t> bytes_of(const safetensor& tensor) {
  const auto elem_bytes = safetensors_dtype_bytes(tensor.dtype);
  if (elem_bytes == 0)
    return bad_tensor(tensor.name,
                      "unknown dtype " + quoted_name(tensor.dtype));
  const auto wanted = checked_bytes(tensor.shape, elem_bytes);
  if (!wanted)
    return bad_tensor(tensor.name, "shape " + list_text(tensor.shape)
                                     + " is negative or too large");
  return *wanted;
}

result<safetensor> make_tensor(safetensors_entry entry,
                               std::span<const std::byte> data) {
  const auto [begin, end] = entry.offsets;
  const auto range = "data_offsets " + list_text(entry.offsets);
  if (begin > end)
    return bad_tensor(entry.name, range + ": begin is after end");
  if (static_cast<std::uint64_t>(end) > data.size())
    return bad_tensor(entry.name, range
                                    + ": beyond the end of the file, which "
                                      "has "
                                    + std::to_string(data.size())
                                    + " bytes of data");
  safetensor made{std::move(entry.name), std::move(entry.dtype),
                  std::move(entry.shape),
                  data.subspan(static_cast<std::size_t>(begin),
                               static_cast<std::size_t>(end - begin))};
  PD_TRY(const auto wanted, bytes_of(made));
  if (end - begin != wanted)
    return bad_tensor(made.name, made.dtype + " " + list_text(made.shape)
                                   + " has " + std::to_string(wanted)
                                   + " bytes, " + range + " "
                                   + std::to_string(end - begin));
  return made;
}

/// Holds the entries, sorted by their bytes, to invariant (2).
result<void> check_cover(std::span<const safetensors_entry> sorted,
                         std::int64_t data_bytes) {
  std::int64_t at = 0;
  std::string before = "the header";
  for (const auto& each : sorted) {
    const auto begin = each.offsets[0];
    if (begin < at)
      return bad_tensor(each.name, "data_offsets " + list_text(each.offsets)
                                     + ": overlaps " + before);
    if (begin > at)
      return bad_tensor(
        each.name, "data_offsets " + list_text(each.offsets) + ": a hole of "
                     + std::to_string(begin - at) + " bytes after " + before);
    at = each.offsets[1];
    before = "tensor " + quoted_name(each.name);
  }
  if (at != data_bytes)
    return error{errc::bad_file, std::to_string(data_bytes - at)
                                   + " bytes after " + before
                                   + " belong to no tensor"};
  return {};
}

result<safetensors_file> attach(safetensors_header header,
                                std::span<const std::byte> data) {
  safetensors_file file;
  file.metadata = std::move(header.metadata);
  auto& entries = header.entries;
  std::ranges::sort(entries, {}, &safetensors_entry::offsets);
  for (const auto& each : entries) {
    PD_TRY(auto made, make_tensor(each, data));
    file.tensors.push_back(std::move(made));
  }
  PD_CHECK(check_cover(entries, static_cast<std::int64_t>(data.size())));
  std::ranges::sort(file.tensors, {}, &safetensor::name);
  return file;
}

/// Splits the file in header and data.
result<safetensors_file> parse(std::span<const std::byte> bytes) {
  if (bytes.size() < length_bytes)
    return error{errc::bad_file, "too short: wanted at least 8 bytes, got "
                                   + std::to_string(bytes.size())};
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), length_bytes);
  if (length > max_header_bytes)
    return error{errc::bad_file, "header of " + std::to_string(length)
                                   + " bytes: wanted at most 100000000"};
  if (length > bytes.size() - length_bytes)
    return error{errc::bad_file, "header of " + std::to_string(length)
                                   + " bytes: the file has only "
                                   + std::to_string(bytes.size() - length_bytes)
                                   + " after its length"};
  const auto header_bytes = bytes.subspan(length_bytes, length);
  const std::string_view text{
    reinterpret_cast<const char*>(header_bytes.data()), header_bytes.size()};
  PD_TRY(auto header, parse_safetensors_header(text));
  return attach(std::move(header), bytes.subspan(length_bytes + length));
}

/// What a person calling write_safetensors() can have got wrong.
result<void> check_tensor(const safetensor& tensor) {
  PD_TRY(const auto wanted, bytes_of(tensor));
  if (tensor.name == "__metadata__")
    return bad_tensor(tensor.name, "the format keeps this name for itself");
  if (static_cast<std::uint64_t>(wanted) != tensor.bytes.size())
    return bad_tensor(tensor.name, tensor.dtype + " " + list_text(tensor.shape)
                                     + " has " + std::to_string(wanted)
                                     + " bytes, got "
                                     + std::to_string(tensor.bytes.size()));
  return {};
}

bool is_before(const safetensor& a, const safetensor& b) {
  const auto a_type = find_dtype(a.dtype);
  const auto b_type = find_dtype(b.dtype);
  return a_type != b_type ? a_type > b_type : a.name < b.name;
}

/// The tensors checked and in their order in the file.
result<std::vector<safetensor>> ordered(std::span<const safetensor> tensors) {
  for (const auto& each : tensors)
    PD_CHECK(check_tensor(each));
  std::vector<safetensor> order{tensors.begin(), tensors.end()};
  std::ranges::sort(order, is_before);
  std::vector<std::string> names;
  names.reserve(order.size());
  for (const auto& each : order)
    names.push_back(each.name);
  std::ranges::sort(names);
  if (const auto twice = std::ranges::adjacent_find(names);
      twice != names.end())
    return bad_tensor(*twice, "is there twice");
  return order;
}

std::string length_text(std::uint64_t length) {
  std::string text(length_bytes, '\0');
  std::memcpy(text.data(), &length, length_bytes);
  return text;
}

/// Reads elements of T, which need not be aligned.
template <class T, class To, class Convert>
void convert(std::span<const std::byte> from, std::span<To> to, Convert as) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    T element{};
    std::memcpy(&element, from.data() + i * sizeof(T), sizeof(T));
    to[i] = as(element);
  }
}

template <class T>
void widen(const safetensor& from, std::span<std::int64_t> to) {
  convert<T>(from.bytes, to, [](T x) { return std::int64_t{x}; });
}

std::size_t elems_of(const safetensor& tensor) {
  const auto elem_bytes = safetensors_dtype_bytes(tensor.dtype);
  return elem_bytes == 0 ? 0 : tensor.bytes.size() / elem_bytes;
}

error wrong_dtype(const safetensor& tensor, const char* wanted) {
  return {errc::bad_value, "tensor " + quoted_name(tensor.name) + ": wanted "
                             + wanted + ", got " + quoted_name(tensor.dtype)};
}

} // namespace

const safetensor* safetensors_file::find(const std::string& name) const {
  const auto at =
    std::ranges::lower_bound(tensors, name, {}, &safetensor::name);
  return at == tensors.end() || at->name != name ? nullptr : &*at;
}

result<safetensors_file> parse_safetensors(std::span<const std::byte> bytes,
                                           const std::string& path) {
  auto parsed = parse(bytes);
  if (!parsed)
    return parsed.failure().within(path);
  return parsed;
}

result<safetensors_file> read_safetensors(const std::string& path) {
  PD_TRY(auto mapping, mapped_file::open(path));
  PD_TRY(auto file, parse_safetensors(mapping.bytes(), path));
  file.mapping = std::move(mapping);
  return file;
}

result<safetensors_layout>
lay_out_safetensors(std::span<const safetensor> tensors,
                    const safetensors_metadata& metadata) {
  safetensors_layout layout;
  PD_TRY(layout.tensors, ordered(tensors));
  safetensors_header header{{}, metadata};
  std::int64_t at = 0;
  for (const auto& each : layout.tensors) {
    const auto end = at + static_cast<std::int64_t>(each.bytes.size());
    header.entries.push_back({each.name, each.dtype, each.shape, {at, end}});
    at = end;
  }
  PD_TRY(auto text, print_safetensors_header(header));
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > max_header_bytes)
    return error{errc::bad_value, "header of " + std::to_string(text.size())
                                    + " bytes: wanted at most 100000000"};
  layout.header = length_text(text.size()) + text;
  return layout;
}

result<void> write_safetensors(const std::string& path,
                               std::span<const safetensor> tensors,
                               const safetensors_metadata& metadata) {
  const auto layout = lay_out_safetensors(tensors, metadata);
  if (!layout)
    return error{errc::bad_value, layout.failure().within(path).message};
  std::vector<std::span<const std::byte>> parts{
    std::as_bytes(std::span{layout->header})};
  for (const auto& each : layout->tensors)
    parts.push_back(each.bytes);
  return write_whole_file(path, parts);
}

result<void> copy_f32(const safetensor& from, std::span<float> to) {
  if (elems_of(from) != to.size())
    return error{errc::bad_value, "tensor " + quoted_name(from.name)
                                    + ": wanted " + std::to_string(to.size())
                                    + " elements, got "
                                    + std::to_string(elems_of(from))};
  if (from.dtype == "F32")
    convert<float>(from.bytes, to, [](float x) { return x; });
  else if (from.dtype == "BF16")
    convert<bf16>(from.bytes, to, [](bf16 x) { return float(x); });
  else if (from.dtype == "F16")
    convert<std::uint16_t>(from.bytes, to, half_to_float);
  else if (from.dtype == "F64")
    convert<double>(from.bytes, to, [](double x) { return float(x); });
  else
    return wrong_dtype(from, "F32, BF16, F16 or F64");
  return {};
}

result<std::vector<float>> to_f32(const safetensor& from) {
  std::vector<float> values(elems_of(from));
  PD_CHECK(copy_f32(from, values));
  return values;
}

result<std::vector<std::int64_t>> to_i64(const safetensor& from) {
  std::vector<std::int64_t> values(elems_of(from));
  if (from.dtype == "I64")
    widen<std::int64_t>(from, values);
  else if (from.dtype == "I32")
    widen<std::int32_t>(from, values);
  else if (from.dtype == "I16")
    widen<std::int16_t>(from, values);
  else if (from.dtype == "I8")
    widen<std::int8_t>(from, values);
  else if (from.dtype == "U8")
    widen<std::uint8_t>(from, values);
  else
    return wrong_dtype(from, "I64, I32, I16, I8 or U8");
  return values;
}

const char* safetensors_dtype(dtype type) {
  constexpr std::array names{"F32", "BF16", "I32", "I64", "U8"};
  return names.at(static_cast<std::size_t>(type));
}

std::size_t safetensors_dtype_bytes(const std::string& dtype) {
  const auto at = find_dtype(dtype);
  return at == dtypes.end() ? 0 : at->bytes;
}

safetensor make_safetensor(std::string name, const shape& extents,
                           std::span<const float> values) {
  return {std::move(name),
          "F32",
          {extents.begin(), extents.end()},
          std::as_bytes(values)};
}

safetensor make_safetensor(std::string name, const shape& extents,
                           std::span<const std::int64_t> values) {
  return {std::move(name),
          "I64",
          {extents.begin(), extents.end()},
          std::as_bytes(values)};
}

} // namespace pd
