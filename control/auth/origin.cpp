// SPDX-License-Identifier: BSD-3-Clause
// RFC 6454 section 6.2, with the port always written.
#include "control/auth/origin.hpp"

#include <algorithm>

namespace turnpike::control {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

std::string_view usual_port(std::string_view scheme) {
  if (scheme == "http" || scheme == "ws") return ":80";
  if (scheme == "https" || scheme == "wss") return ":443";
  if (scheme == "ftp") return ":21";
  return {};
}

}  // namespace

std::string canonical_origin(std::string_view origin) {
  const std::size_t mark = origin.find("://");
  if (mark == std::string_view::npos || mark == 0) return std::string(origin);
  const std::string scheme = lower(origin.substr(0, mark));
  std::string_view host = origin.substr(mark + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (const std::size_t at = host.rfind('@'); at != host.npos) host.remove_prefix(at + 1);
  const std::size_t end = host.starts_with('[') ? host.find(']') + 1 : std::min(host.find(':'), host.size());
  const std::string_view port = host.substr(end);  // with its colon
  host = host.substr(0, end);
  const bool odd_port = !port.empty() && (port.front() != ':' || port.rfind(':') != 0);
  if (host.empty() || odd_port) return std::string(origin);
  return scheme + "://" + lower(host) + std::string(port.size() > 1 ? port : usual_port(scheme));
}

}  // namespace turnpike::control
