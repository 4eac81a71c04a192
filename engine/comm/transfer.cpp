#include "engine/comm/transfer.hpp"

#include <string>

namespace pd {

namespace {

std::string bytes_text(std::uint64_t bytes) {
  return std::to_string(bytes) + " B";
}

std::string rank_text(int rank) {
  return "rank " + std::to_string(rank);
}

std::string tag_text(const transfer_key& key) {
  return "tag " + std::to_string(key.tag);
}

} // namespace

error size_mismatch(const transfer_key& key, const transfer_size& sent,
                    const transfer_size& wanted) {
  const auto from = rank_text(key.from);
  const auto to = rank_text(key.to);
  if (sent.whole != wanted.whole)
    return {errc::bad_shape, "sum: " + from + " adds " + bytes_text(sent.whole)
                               + ", " + to + " adds "
                               + bytes_text(wanted.whole)};
  return {errc::bad_shape, from + " sends " + bytes_text(sent.bytes) + " to "
                             + to + ", " + tag_text(key) + ", which receives "
                             + bytes_text(wanted.bytes)};
}

error aborted_error(const transfer_key& key) {
  return {errc::interrupted, "transfer from " + rank_text(key.from) + " to "
                               + rank_text(key.to) + ", " + tag_text(key)
                               + ": aborted"};
}

error closed_error() {
  return {errc::interrupted, "closed"};
}

error left_error(int rank) {
  return {errc::failed, rank_text(rank) + " left the group"};
}

error gone_error(int rank, const std::string& why) {
  return {errc::failed, rank_text(rank) + " is gone: " + why};
}

} // namespace pd
