#include "actors/supervise.hpp"

#include <caf/deep_to_string.hpp>
#include <caf/make_message.hpp>

namespace pd {

caf::error to_caf_error(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& what) {
    return caf::make_error(caf::sec::runtime_error, std::string{what.what()});
  } catch (...) {
    return caf::make_error(caf::sec::runtime_error,
                           std::string{"something that is no exception"});
  }
}

std::string text_of(const caf::error& from) {
  const auto& context = from.context();
  if (!context.empty() && context.match_element<std::string>(0))
    return context.get_as<std::string>(0);
  if (!from)
    return "it ended";
  if (from == caf::exit_reason::remote_link_unreachable)
    return "its process does not answer";
  return "code " + std::to_string(from.code()) + " of "
         + caf::to_string(from.category());
}

} // namespace pd
