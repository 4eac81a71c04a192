#include "engine/checkpoint/safetensors_header.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

namespace pd {

namespace {

using nlohmann::json;

constexpr const char* metadata_key = "__metadata__";

/// Takes the header's JSON piece by piece, and stops at the first piece that
/// is out of place. So a hostile header costs no memory for what it nests.
///
///     depth 1    {"name": ...
///     depth 2    {"dtype": ..., or {"key": "text"} under "__metadata__"
///     depth 3    [2, 3]
///
/// The functions' names and signatures are nlohmann's.
class header_reader final : public nlohmann::json_sax<json> {
public:
  [[nodiscard]] result<safetensors_header> finish() &&;

  bool null() override { return value("null"); }
  bool boolean(bool) override { return value("a boolean"); }
  bool number_integer(number_integer_t x) override;
  bool number_unsigned(number_unsigned_t x) override;
  bool number_float(number_float_t, const string_t& text) override;
  bool string(string_t& text) override;
  bool binary(binary_t&) override { return value("binary"); }
  bool start_object(std::size_t) override;
  bool key(string_t& name) override;
  bool end_object() override;
  bool start_array(std::size_t) override;
  bool end_array() override;
  bool parse_error(std::size_t position, const std::string& token,
                   const nlohmann::detail::exception& why) override;

private:
  static constexpr int deepest = 64;

  enum class field { none, dtype, shape, offsets, other };

  bool fail(std::string message);
  bool fail_tensor(const std::string& message);
  bool value(const std::string& what);
  bool number(std::int64_t x);
  bool begin_entry(const std::string& name);
  bool begin_field(const std::string& name);
  bool end_entry();
  /// Opens an object or an array inside of a field that nobody reads.
  bool descend();
  [[nodiscard]] bool is_skipping() const { return at_ == field::other; }
  [[nodiscard]] const char* wanted() const;

  safetensors_header header_;
  std::optional<std::string> failed_;
  std::set<std::string> names_;
  std::set<std::string> keys_; ///< of the object at depth 2
  int depth_ = 0;
  bool is_metadata_ = false;
  bool in_list_ = false; ///< within the brackets of shape or data_offsets
  field at_ = field::none;
  std::string key_; ///< of metadata
  std::size_t offsets_ = 0;
};

bool header_reader::fail(std::string message) {
  if (!failed_)
    failed_ = std::move(message);
  return false;
}

bool header_reader::fail_tensor(const std::string& message) {
  return fail("tensor " + quoted_name(header_.entries.back().name) + ": "
              + message);
}

const char* header_reader::wanted() const {
  switch (at_) {
  case field::dtype:
    return "dtype: wanted a string";
  case field::shape:
    return "shape: wanted a list of whole numbers";
  default:
    return "data_offsets: wanted two whole numbers";
  }
}

/// A value of a kind that no known field takes.
bool header_reader::value(const std::string& what) {
  if (is_skipping())
    return true;
  if (depth_ == 0)
    return fail("header: wanted an object, got " + what);
  if (is_metadata_ && depth_ == 1)
    return fail("__metadata__: wanted an object, got " + what);
  if (is_metadata_)
    return fail("__metadata__: " + quoted_name(key_) + ": wanted a string, got "
                + what);
  if (depth_ == 1)
    return fail_tensor("wanted an object, got " + what);
  return fail_tensor(std::string{wanted()} + ", got " + what);
}

bool header_reader::number(std::int64_t x) {
  if (is_skipping())
    return true;
  if (!in_list_)
    return value(std::to_string(x));
  if (x < 0)
    return fail_tensor(std::string{wanted()} + " of at least 0, got "
                       + std::to_string(x));
  auto& entry = header_.entries.back();
  if (at_ == field::shape)
    entry.shape.push_back(x);
  else if (offsets_ == entry.offsets.size())
    return fail_tensor(std::string{wanted()} + ", got more");
  else
    entry.offsets.at(offsets_++) = x;
  return true;
}

bool header_reader::number_integer(number_integer_t x) {
  return number(x);
}

bool header_reader::number_unsigned(number_unsigned_t x) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  if (x <= static_cast<number_unsigned_t>(most))
    return number(static_cast<std::int64_t>(x));
  return value(std::to_string(x) + ", which is too large");
}

bool header_reader::number_float(number_float_t, const string_t& text) {
  return value(text.substr(0, 32));
}

bool header_reader::string(string_t& text) {
  if (is_skipping())
    return true;
  if (is_metadata_ && depth_ == 2) {
    header_.metadata[key_] = text;
    return true;
  }
  if (at_ != field::dtype || depth_ != 2)
    return value(quoted_name(text));
  header_.entries.back().dtype = text;
  at_ = field::none;
  return true;
}

bool header_reader::descend() {
  if (++depth_ > deepest)
    return fail_tensor("nested too deep");
  return true;
}

bool header_reader::start_object(std::size_t) {
  if (is_skipping())
    return descend();
  if (depth_ >= 2)
    return value("an object");
  ++depth_;
  return true;
}

bool header_reader::key(string_t& name) {
  if (depth_ == 1)
    return begin_entry(name);
  if (depth_ > 2)
    return true;
  if (!keys_.insert(name).second) {
    const auto text = quoted_name(name) + " is there twice";
    return is_metadata_ ? fail("__metadata__: " + text) : fail_tensor(text);
  }
  key_ = name;
  return is_metadata_ || begin_field(name);
}

bool header_reader::begin_entry(const std::string& name) {
  if (!names_.insert(name).second)
    return fail("tensor " + quoted_name(name) + ": is there twice");
  is_metadata_ = name == metadata_key;
  keys_.clear();
  offsets_ = 0;
  at_ = field::none;
  if (!is_metadata_)
    header_.entries.push_back({name, {}, {}, {}});
  return true;
}

bool header_reader::begin_field(const std::string& name) {
  at_ = name == "dtype"          ? field::dtype
        : name == "shape"        ? field::shape
        : name == "data_offsets" ? field::offsets
                                 : field::other;
  return true;
}

bool header_reader::end_object() {
  --depth_;
  return depth_ != 1 || is_metadata_ || end_entry();
}

bool header_reader::end_entry() {
  at_ = field::none;
  for (const auto* each : {"dtype", "shape", "data_offsets"})
    if (!keys_.contains(each))
      return fail_tensor(std::string{"has no "} + each);
  return offsets_ == 2 || fail_tensor("data_offsets: wanted two whole numbers");
}

bool header_reader::start_array(std::size_t) {
  if (is_skipping())
    return descend();
  const bool is_list = at_ == field::shape || at_ == field::offsets;
  if (is_metadata_ || depth_ != 2 || !is_list)
    return value("a list");
  ++depth_;
  in_list_ = true;
  return true;
}

bool header_reader::end_array() {
  --depth_;
  in_list_ = false;
  return true;
}

bool header_reader::parse_error(std::size_t position, const std::string&,
                                const nlohmann::detail::exception& why) {
  // "[json.exception.parse_error.101] parse error at line 1, column 7: text"
  std::string text = why.what();
  if (const auto end = text.find(": "); end != std::string::npos)
    text = text.substr(end + 2);
  return fail("header: not JSON at byte " + std::to_string(position) + ": "
              + quoted_name(text));
}

result<safetensors_header> header_reader::finish() && {
  if (failed_)
    return error{errc::bad_file, *failed_};
  return std::move(header_);
}

/// Text as JSON. Errors: bad_value if it is not UTF-8.
result<std::string> to_json(const std::string& text) {
  try {
    return json(text).dump();
  } catch (const json::exception&) {
    return error{errc::bad_value, quoted_name(text) + ": not UTF-8"};
  }
}

std::string print_list(const auto& numbers) {
  std::string text;
  for (const auto each : numbers)
    text += (text.empty() ? "" : ",") + std::to_string(each);
  return "[" + text + "]";
}

result<std::string>
print_metadata(const std::map<std::string, std::string>& metadata) {
  std::string text;
  for (const auto& [key, value] : metadata) {
    PD_TRY(const auto key_text, to_json(key));
    PD_TRY(const auto value_text, to_json(value));
    text += text.empty() ? "" : ",";
    text += key_text;
    text += ":";
    text += value_text;
  }
  return "\"" + std::string{metadata_key} + "\":{" + text + "}";
}

} // namespace

result<safetensors_header> parse_safetensors_header(std::string_view text) {
  if (!text.starts_with('{'))
    return error{errc::bad_file,
                 "header: wanted an object, no '{' at its start"};
  header_reader reader;
  json::sax_parse(text.begin(), text.end(), &reader);
  return std::move(reader).finish();
}

result<std::string> print_safetensors_header(const safetensors_header& header) {
  std::string text;
  if (!header.metadata.empty()) {
    PD_TRY(text, print_metadata(header.metadata));
  }
  for (const auto& each : header.entries) {
    PD_TRY(const auto name, to_json(each.name));
    text += (text.empty() ? "" : ",") + name + R"(:{"dtype":")" + each.dtype
            + R"(","shape":)" + print_list(each.shape) + R"(,"data_offsets":)"
            + print_list(each.offsets) + "}";
  }
  return "{" + text + "}";
}

std::string quoted_name(std::string_view name) {
  constexpr std::size_t longest = 120;
  std::string text{name.substr(0, longest)};
  std::ranges::replace_if(
    text, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, '?');
  return "'" + text + (name.size() > longest ? "...'" : "'");
}

} // namespace pd
