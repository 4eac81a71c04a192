/// A place in a line of text, for parsers that say where and what was wanted.

#pragma once

#include "engine/base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pd {

class text_cursor {
public:
  /// `first_column` is what errors call the first character of `text`.
  text_cursor(std::string_view text, std::size_t first_column)
    : text_{text}, first_column_{first_column} {}

  [[nodiscard]] bool is_at_end() const { return at_ == text_.size(); }
  [[nodiscard]] bool is_at_space() const;
  [[nodiscard]] bool is_at_digit() const;
  [[nodiscard]] std::size_t column() const { return first_column_ + at_; }
  [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }

  /// Goes past `c` if it is here.
  bool take(char c);
  void skip_spaces();

  /// Letters, digits, '-' and '_'; empty if there is none here.
  [[nodiscard]] std::string_view word();

  /// A whole number of up to 18 digits. Errors: bad_value, wanting `what`.
  [[nodiscard]] result<std::int64_t> number(const std::string& what);

  /// "column 3: wanted a space, found 'x'".
  [[nodiscard]] error wanted(const std::string& what) const;

private:
  std::string_view text_;
  std::size_t first_column_;
  std::size_t at_ = 0;
};

} // namespace pd
