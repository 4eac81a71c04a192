/// What a caller can act on, as a value: an error, or a result that holds one.
///
/// Bugs of our own are PD_ASSERT (assert.hpp). A fault of a device or a peer is
/// an `engine_fault`, the one exception of the engine; it is caught where a
/// thread or an actor starts and nowhere else.

#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

namespace pd {

/// The kind of an error: what a program can act on. The text is for people.
enum class errc {
  bad_shape,     ///< operands do not fit together
  bad_value,     ///< a value outside its range, or of a wrong type
  bad_file,      ///< a file that breaks its own format
  io,            ///< the operating system refused
  out_of_memory, ///< a byte budget is used up; nothing was allocated
  unknown_name,  ///< no such op, model, key, parameter
  not_supported, ///< well formed, but not on this device or in this build
  interrupted,   ///< the user asked to stop
  failed,        ///< the job itself failed (a loss that is no number)
};

/// "bad_shape" ...
[[nodiscard]] const char* to_string(errc code);

/// One line that names the thing, what was wanted and what was there.
struct [[nodiscard]] error {
  errc code = errc::bad_value;
  std::string message;

  /// The same error, with where it happened put in front: "where: message".
  [[nodiscard]] error within(const std::string& where) const {
    return {code, where + ": " + message};
  }
};

/// A value, or why there is none.
template <class T>
class [[nodiscard]] result {
public:
  // NOLINTNEXTLINE(google-explicit-constructor): `return value;` reads well
  result(T value) : held_{std::in_place_index<0>, std::move(value)} {}
  // NOLINTNEXTLINE(google-explicit-constructor): `return error{...};` too
  result(error why) : held_{std::in_place_index<1>, std::move(why)} {}

  [[nodiscard]] bool has_value() const { return held_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  /// @pre has_value()
  [[nodiscard]] T& operator*() & { return *std::get_if<0>(&held_); }
  [[nodiscard]] const T& operator*() const& { return *std::get_if<0>(&held_); }
  [[nodiscard]] T&& operator*() && {
    return std::move(*std::get_if<0>(&held_));
  }
  [[nodiscard]] T* operator->() { return std::get_if<0>(&held_); }
  [[nodiscard]] const T* operator->() const { return std::get_if<0>(&held_); }

  /// @pre !has_value()
  [[nodiscard]] const error& failure() const { return *std::get_if<1>(&held_); }

private:
  std::variant<T, error> held_;
};

/// Success, or why not.
template <>
class [[nodiscard]] result<void> {
public:
  result() = default;
  // NOLINTNEXTLINE(google-explicit-constructor)
  result(error why) : failed_{true}, why_{std::move(why)} {}

  [[nodiscard]] bool has_value() const { return !failed_; }
  explicit operator bool() const { return has_value(); }
  [[nodiscard]] const error& failure() const { return why_; }

private:
  bool failed_ = false;
  error why_;
};

/// A device or a peer died: no caller can go on.
class engine_fault : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

} // namespace pd

// NOLINTBEGIN(bugprone-macro-parentheses): `auto x` takes none
#define PD_CONCAT_AS_IS(a, b) a##b
#define PD_CONCAT(a, b) PD_CONCAT_AS_IS(a, b)
#define PD_TRY_WITH(tmp, var, expr)                                            \
  auto tmp = (expr);                                                           \
  if (!tmp)                                                                    \
    return tmp.failure();                                                      \
  var = *std::move(tmp)
// NOLINTEND(bugprone-macro-parentheses)

/// `PD_TRY(auto x, f());`: x is f's value, or this function returns f's error.
#define PD_TRY(var, expr)                                                      \
  PD_TRY_WITH(PD_CONCAT(pd_try_, __COUNTER__), var, expr)

/// `PD_CHECK(f());`: goes on if f succeeded, else returns f's error.
#define PD_CHECK(expr)                                                         \
  do {                                                                         \
    if (auto pd_checked = (expr); !pd_checked)                                 \
      return pd_checked.failure();                                             \
  } while (false)
