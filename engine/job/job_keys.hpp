/// The keys of a job file as a table: parsing, printing, overrides, the
/// documentation and what is near a misspelt key all come from it.

#pragma once

#include "engine/job/job.hpp"
#include "engine/job/toml_file.hpp"

#include <optional>
#include <span>
#include <string>
#include <variant>

namespace pd {

/// Where a key's value is in a job. A list of reals is as long as its default.
/// The number is the index of the [[stage]]; other keys do not look at it.
template <class T>
using job_place = T& (*)(job&, std::size_t);

/// One key.
struct job_key {
  static constexpr double most_count = 1e15; ///< exact in a double

  std::string section; ///< empty: before the first section
  std::string name;
  std::variant<job_place<bool>, job_place<std::int64_t>, job_place<double>,
               job_place<std::string>, job_place<image_extents>,
               job_place<std::vector<std::int64_t>>,
               job_place<checkpoint_interval>, job_place<std::vector<double>>,
               job_place<std::optional<double>>>
    place;
  std::string meaning; ///< one line, for the documentation
  std::string unit = {};
  double least = 0; ///< of numbers
  double most = 0;
  std::vector<std::string> choices = {}; ///< of text; empty: any
  bool is_path = false;                  ///< relative to the job file's folder
  /// Why a value other than the default would not be carried out; empty if it
  /// is. Null: it always is.
  std::string (*refuse)(const job&) = nullptr;

  /// "section.name"
  [[nodiscard]] std::string full_name() const;
  /// "a whole number from 1 to 9", as errors and the documentation say it.
  [[nodiscard]] std::string wanted() const;
  [[nodiscard]] bool is_text() const;
};

/// A job_key::refuse: this version takes the default only.
[[nodiscard]] std::string refuse_always(const job&);

/// The table itself (job_key_table.cpp); job_keys() keeps it.
[[nodiscard]] std::vector<job_key> make_job_keys();

/// All keys, by section.
[[nodiscard]] std::span<const job_key> job_keys();

/// Null if there is none.
[[nodiscard]] const job_key* find_job_key(const std::string& section,
                                          const std::string& name);

/// Without "" and "stage"; in the order of job_keys().
[[nodiscard]] std::vector<std::string> job_sections();

/// The value in `from`, of stage `stage` if it is a stage's.
[[nodiscard]] toml_value value_of(const job_key& key, job from,
                                  std::size_t stage = 0);

/// The value of a job in which nothing is set.
[[nodiscard]] toml_value default_of(const job_key& key);

/// Puts a value in a job. Errors: bad_value, "section.name: wanted, got".
[[nodiscard]] result<void> set_value(const job_key& key,
                                     const toml_value& value, job& to,
                                     std::size_t stage = 0);

/// The tables of docs/job-file.md, in Markdown.
[[nodiscard]] std::string describe_job_keys();

} // namespace pd
