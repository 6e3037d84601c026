// SPDX-License-Identifier: BSD-3-Clause
// net.ipv4.ip_local_port_range and ip_local_reserved_ports, which rule IPv6 as well.
#include "control/runtime/port_range.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>

namespace turnpike::control {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (status != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

Result<std::string> read_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!file.is_open()) return Error{"cannot read " + path};
  std::getline(file, line);
  return line;
}

bool write_line(const std::string& path, const std::string& line) {
  std::ofstream file(path);
  file << line << std::endl;
  return file.good();
}

std::string text_of(PortRange range) {
  return std::to_string(range.first) + "-" + std::to_string(range.last);
}

}  // namespace

PortRange parse_port_range(std::string_view text) {
  text = trim(text);
  const std::size_t blank = text.find_first_of(kBlank);
  if (blank == std::string_view::npos) return {};
  const auto first = parse_port(text.substr(0, blank));
  const auto last = parse_port(trim(text.substr(blank)));
  return first && last ? PortRange{*first, *last} : PortRange{};
}

Result<std::vector<PortRange>> parse_reserved_ports(std::string_view text) {
  std::vector<PortRange> ranges;
  text = trim(text);
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    const std::size_t dash = part.find('-');
    const auto first = parse_port(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_port(part.substr(dash + 1));
    if (!first || !last) return Error{"ip_local_reserved_ports: cannot read \"" + std::string(part) + "\""};
    ranges.push_back({*first, *last});
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
  }
  return ranges;
}

bool is_reserved(PortRange wanted, PortRange handed_out, const std::vector<PortRange>& reserved) {
  const std::uint32_t first = std::max(wanted.first, handed_out.first);
  const std::uint32_t last = std::min(wanted.last, handed_out.last);
  for (std::uint32_t port = first; port <= last; ++port) {
    const auto holds = [&](PortRange range) { return range.contains(static_cast<std::uint16_t>(port)); };
    if (std::none_of(reserved.begin(), reserved.end(), holds)) return false;
  }
  return true;
}

Result<std::string> reserve_ports(PortRange wanted, const std::string& proc_ipv4) {
  const std::string reserved_path = proc_ipv4 + "/ip_local_reserved_ports";
  const auto handed_out = read_line(proc_ipv4 + "/ip_local_port_range");
  const auto reserved = read_line(reserved_path);
  if (!handed_out) return Error{handed_out.error()};
  if (!reserved) return Error{reserved.error()};
  const auto ranges = parse_reserved_ports(*reserved);
  if (!ranges) return Error{ranges.error()};
  if (is_reserved(wanted, parse_port_range(*handed_out), *ranges)) return std::string();
  const std::string before(trim(*reserved));
  const std::string line = before + (before.empty() ? "" : ",") + text_of(wanted);
  if (!write_line(reserved_path, line)) {
    return Error{"the kernel hands out ports of the relay range " + text_of(wanted) +
                 "; reserve them with: sysctl -w net.ipv4.ip_local_reserved_ports=" + line};
  }
  return "reserved ports " + text_of(wanted) + ": net.ipv4.ip_local_reserved_ports=" + line;
}

}  // namespace turnpike::control
