#include "engine/schedule/text_cursor.hpp"

namespace pd {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
         || c == '-' || c == '_';
}

} // namespace

bool text_cursor::is_at_space() const {
  return !is_at_end() && text_[at_] == ' ';
}

bool text_cursor::is_at_digit() const {
  return !is_at_end() && is_digit(text_[at_]);
}

bool text_cursor::take(char c) {
  if (is_at_end() || text_[at_] != c)
    return false;
  ++at_;
  return true;
}

void text_cursor::skip_spaces() {
  while (is_at_space())
    ++at_;
}

std::string_view text_cursor::word() {
  const auto begin = at_;
  while (!is_at_end() && is_word(text_[at_]))
    ++at_;
  return text_.substr(begin, at_ - begin);
}

result<std::int64_t> text_cursor::number(const std::string& what) {
  if (!is_at_digit())
    return wanted(what);
  const auto begin = *this;
  std::int64_t made = 0;
  for (int digits = 0; is_at_digit(); ++at_, ++digits) {
    if (digits == 18)
      return begin.wanted(what + " of at most 18 digits");
    made = made * 10 + (text_[at_] - '0');
  }
  return made;
}

error text_cursor::wanted(const std::string& what) const {
  const auto found =
    is_at_end() ? "the end" : "'" + std::string{text_[at_]} + "'";
  return {errc::bad_value, "column " + std::to_string(column()) + ": wanted "
                             + what + ", found " + found};
}

} // namespace pd
