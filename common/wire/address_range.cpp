// SPDX-License-Identifier: BSD-3-Clause
// The three spellings of a range.
#include "common/wire/address_range.hpp"

#include <charconv>
#include <string>

namespace turnpike::wire {

namespace {

// A prefix is a range: the host bits all zero, then all one.
AddressRange prefix_range(const IpAddress& address, unsigned length) {
  AddressRange range{address, address};
  for (unsigned bit = length; bit < 8 * address.size(); ++bit) {
    const auto mask = static_cast<std::uint8_t>(0x80u >> (bit % 8));
    range.first.bytes[bit / 8] &= static_cast<std::uint8_t>(~mask);
    range.last.bytes[bit / 8] |= mask;
  }
  return range;
}

Error malformed(std::string_view text, std::string_view what) {
  return Error{"\"" + std::string(text) + "\" " + std::string(what) +
               "; write an address, ADDRESS/PREFIX-LENGTH or FIRST-LAST"};
}

Result<AddressRange> parse_cidr(std::string_view text, std::size_t slash) {
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return malformed(text, "does not begin with an IP address");
  const std::string_view digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (code != std::errc{} || end != digits.data() + digits.size() || length > 8 * address->size()) {
    return malformed(text, "has no prefix length of 0 to " + std::to_string(8 * address->size()));
  }
  return prefix_range(*address, length);
}

Result<AddressRange> parse_span(std::string_view text, std::size_t dash) {
  const auto first = parse_address(text.substr(0, dash));
  const auto last = parse_address(text.substr(dash + 1));
  if (!first || !last) return malformed(text, "is not a range of two IP addresses");
  if (first->family != last->family) return malformed(text, "mixes IPv4 and IPv6");
  if (last->bytes < first->bytes) return malformed(text, "ends before it begins");
  return AddressRange{*first, *last};
}

}  // namespace

Result<AddressRange> AddressRange::parse(std::string_view text) {
  if (const auto slash = text.find('/'); slash != text.npos) return parse_cidr(text, slash);
  if (const auto dash = text.find('-'); dash != text.npos) return parse_span(text, dash);
  const auto address = parse_address(text);
  if (!address) return malformed(text, "is not an IP address");
  return AddressRange{*address, *address};
}

}  // namespace turnpike::wire
