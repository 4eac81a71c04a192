#include "engine/base/error.hpp"

namespace pd {

const char* to_string(errc code) {
  switch (code) {
  case errc::bad_shape:
    return "bad_shape";
  case errc::bad_value:
    return "bad_value";
  case errc::bad_file:
    return "bad_file";
  case errc::io:
    return "io";
  case errc::out_of_memory:
    return "out_of_memory";
  case errc::unknown_name:
    return "unknown_name";
  case errc::not_supported:
    return "not_supported";
  case errc::interrupted:
    return "interrupted";
  case errc::failed:
    return "failed";
  }
  return "unknown errc";
}

} // namespace pd
