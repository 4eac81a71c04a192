#include "engine/job/cluster_file.hpp"

#include "engine/base/text.hpp"
#include "engine/job/toml_file.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

namespace pd {

namespace {

/// [network], before it is known how many workers there are.
struct network_text {
  std::vector<double> machines;
  std::vector<double> bandwidths;
  std::vector<double> latencies;
  int line = 0;
};

/// What a file said so far.
struct reading {
  cluster_spec made;
  network_text network;
  std::map<std::string, int> line_of; ///< of an address
};

using set_key = result<void> (*)(const toml_entry&, reading&);

struct cluster_key {
  const char* section;
  const char* name;
  set_key set;
};

// -- values -------------------------------------------------------------------

error wanted(const toml_entry& from, const std::string& what) {
  return {errc::bad_value,
          from.key + ": wanted " + what + ", got " + brief_toml(from.value)};
}

std::optional<double> number(const toml_value& from) {
  if (const auto* whole = std::get_if<std::int64_t>(&from))
    return static_cast<double>(*whole);
  if (const auto* real = std::get_if<double>(&from))
    return *real;
  return std::nullopt;
}

/// A number, or a list of them.
std::optional<std::vector<double>> numbers(const toml_value& from) {
  if (const auto one = number(from))
    return std::vector{*one};
  if (const auto* whole = std::get_if<std::vector<std::int64_t>>(&from))
    return std::vector<double>{whole->begin(), whole->end()};
  if (const auto* real = std::get_if<std::vector<double>>(&from))
    return *real;
  return std::nullopt;
}

result<void> read_amounts(const toml_entry& from, bool may_be_zero,
                          const char* what, std::vector<double>& to) {
  const auto read = numbers(from.value);
  const auto is_wrong = [&](double x) {
    return !std::isfinite(x) || x < 0 || (x == 0 && !may_be_zero);
  };
  if (!read || read->empty() || std::ranges::any_of(*read, is_wrong))
    return wanted(from, std::string{what} + ", one or a list by level");
  to = *read;
  return {};
}

result<void> read_amount(const toml_entry& from, const char* what, double& to) {
  const auto read = number(from.value);
  if (!read || !std::isfinite(*read) || *read <= 0)
    return wanted(from, what);
  to = *read;
  return {};
}

result<void> read_text(const toml_entry& from, const char* what,
                       std::string& to) {
  const auto* text = std::get_if<std::string>(&from.value);
  if (text == nullptr || text->empty())
    return wanted(from, what);
  to = *text;
  return {};
}

bool is_address(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0)
    return false;
  int port = 0;
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data() + colon + 1, end, port);
  return read.ec == std::errc{} && read.ptr == end && port > 0 && port < 65536;
}

bool is_device(const std::string& text) {
  const std::string cuda = "cuda:";
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return text == "cpu" || text == "replay" || text == "auto" || text == "cuda"
         || (text.starts_with(cuda) && text.size() > cuda.size()
             && std::all_of(text.begin()
                              + static_cast<std::ptrdiff_t>(cuda.size()),
                            text.end(), is_digit));
}

// -- keys ---------------------------------------------------------------------

result<void> set_address(const toml_entry& from, reading& to) {
  constexpr const char* what = "\"host:port\", a port from 1 to 65535";
  auto& address = to.made.machines.workers.back().address;
  PD_CHECK(read_text(from, what, address));
  if (!is_address(address))
    return wanted(from, what);
  const auto [known, is_new] = to.line_of.try_emplace(address, from.line);
  if (!is_new)
    return wanted(from, "another than the worker in line "
                          + std::to_string(known->second));
  return {};
}

result<void> set_device(const toml_entry& from, reading& to) {
  constexpr const char* what = "\"cpu\", \"cuda:N\", \"replay\" or \"auto\"";
  auto& device = to.made.machines.workers.back().device;
  PD_CHECK(read_text(from, what, device));
  if (!is_device(device))
    return wanted(from, what);
  return {};
}

result<void> set_namespace(const toml_entry& from, reading& to) {
  return read_text(from, "a network namespace's name",
                   to.made.machines.workers.back().network_namespace);
}

result<void> set_coordinator(const toml_entry& from, reading& to) {
  return read_text(from, "an address of this machine",
                   to.made.coordinator_host);
}

result<void> set_speed(const toml_entry& from, reading& to) {
  return read_amount(from, "a factor above 0",
                     to.made.machines.workers.back().speed);
}

result<void> set_memory(const toml_entry& from, reading& to) {
  return read_amount(from, "bytes, more than 0",
                     to.made.machines.workers.back().memory_bytes);
}

result<void> set_machines(const toml_entry& from, reading& to) {
  PD_CHECK(
    read_amounts(from, false, "counts of 1 or more", to.network.machines));
  const auto is_broken = [](double x) { return x != std::floor(x); };
  if (std::ranges::any_of(to.network.machines, is_broken))
    return wanted(from, "whole numbers");
  return {};
}

result<void> set_bandwidth(const toml_entry& from, reading& to) {
  return read_amounts(from, false, "bytes a second, more than 0",
                      to.network.bandwidths);
}

result<void> set_latency(const toml_entry& from, reading& to) {
  return read_amounts(from, true, "seconds from 0 on", to.network.latencies);
}

result<void> set_tls(const toml_entry& from, reading& to) {
  const auto* is_on = std::get_if<bool>(&from.value);
  if (is_on == nullptr)
    return wanted(from, "true or false");
  to.made.security.tls = *is_on;
  return {};
}

result<void> set_ca(const toml_entry& from, reading& to) {
  return read_text(from, "a path", to.made.security.ca);
}

result<void> set_certificate(const toml_entry& from, reading& to) {
  return read_text(from, "a path", to.made.security.certificate);
}

result<void> set_private_key(const toml_entry& from, reading& to) {
  return read_text(from, "a path", to.made.security.key);
}

constexpr std::array keys{
  cluster_key{"worker", "address", set_address},
  cluster_key{"worker", "device", set_device},
  cluster_key{"worker", "namespace", set_namespace},
  cluster_key{"worker", "speed", set_speed},
  cluster_key{"worker", "memory_bytes", set_memory},
  cluster_key{"network", "machines", set_machines},
  cluster_key{"network", "bandwidth_bytes_per_s", set_bandwidth},
  cluster_key{"network", "latency_s", set_latency},
  cluster_key{"network", "coordinator", set_coordinator},
  cluster_key{"security", "tls", set_tls},
  cluster_key{"security", "ca", set_ca},
  cluster_key{"security", "certificate", set_certificate},
  cluster_key{"security", "key", set_private_key},
};

// -- sections -----------------------------------------------------------------

result<void> check_section(const toml_section& at) {
  const std::vector<std::string> names{"worker", "network", "security"};
  const auto& name = at.name;
  if (name.empty())
    return {}; // its keys are refused one by one
  if (std::ranges::find(names, name) == names.end())
    return error{errc::unknown_name,
                 "[" + name + "]: unknown section" + did_you_mean(name, names)};
  if (at.is_element == (name == "worker"))
    return {};
  return error{errc::bad_value, name == "worker"
                                  ? "[worker]: wanted [[worker]]"
                                  : "[[" + name + "]]: wanted [" + name + "]"};
}

result<void> set(const std::string& section, const toml_entry& from,
                 reading& to) {
  std::vector<std::string> siblings;
  for (const auto& each : keys) {
    if (each.section != section)
      continue;
    if (each.name == from.key)
      return each.set(from, to);
    siblings.emplace_back(each.name);
  }
  const auto full = section.empty() ? from.key : section + "." + from.key;
  return error{errc::unknown_name,
               full + ": unknown key" + did_you_mean(from.key, siblings)};
}

result<void> read_section(const toml_section& from, const std::string& path,
                          reading& to) {
  const auto at = place_text(path, from.line);
  if (const auto known = check_section(from); !known)
    return known.failure().within(at);
  if (from.name == "worker")
    to.made.machines.workers.emplace_back();
  if (from.name == "network")
    to.network.line = from.line;
  for (const auto& each : from.entries)
    if (const auto done = set(from.name, each, to); !done)
      return done.failure().within(place_text(path, each.line));
  if (from.name == "worker" && to.made.machines.workers.back().address.empty())
    return error{errc::bad_value, at + ": [[worker]]: wanted an address"};
  return {};
}

// -- the whole ----------------------------------------------------------------

/// By level: one value stands for all.
result<std::vector<double>> by_level(std::vector<double> given,
                                     std::size_t levels, const char* key) {
  if (given.size() == 1)
    given.resize(levels, given[0]);
  if (given.size() != levels)
    return error{errc::bad_value, std::string{key} + ": wanted "
                                    + std::to_string(levels)
                                    + " values, one for each level of "
                                      "machines, got "
                                    + std::to_string(given.size())};
  return given;
}

result<void> add_levels(network_text from, cluster& to) {
  if (from.bandwidths.empty())
    return error{errc::bad_value,
                 "[network]: wanted bandwidth_bytes_per_s, got nothing"};
  if (from.machines.empty())
    from.machines = {static_cast<double>(to.size())};
  if (from.latencies.empty())
    from.latencies = {0};
  const auto levels = from.machines.size();
  PD_TRY(const auto bandwidths,
         by_level(std::move(from.bandwidths), levels, "bandwidth_bytes_per_s"));
  PD_TRY(const auto latencies,
         by_level(std::move(from.latencies), levels, "latency_s"));
  for (std::size_t i = 0; i < levels; ++i) {
    constexpr double most = 1e6; // an int, however wrong it is
    to.levels.push_back({static_cast<int>(std::min(from.machines[i], most)),
                         bandwidths[i], latencies[i]});
  }
  return to.validate();
}

} // namespace

result<cluster_spec> load_cluster(const std::string& path) {
  PD_TRY(const auto text, read_text_file(path));
  return parse_cluster(text, path);
}

result<cluster_spec> parse_cluster(std::string_view text,
                                   const std::string& path) {
  PD_TRY(const auto document, parse_toml(text, path));
  reading all;
  for (const auto& each : document)
    PD_CHECK(read_section(each, path, all));
  if (all.made.machines.workers.empty())
    return error{errc::bad_value, path + ": wanted a [[worker]], got none"};
  const int line = all.network.line;
  if (const auto done = add_levels(std::move(all.network), all.made.machines);
      !done)
    return done.failure().within(line == 0 ? path : place_text(path, line));
  return std::move(all.made);
}

} // namespace pd
