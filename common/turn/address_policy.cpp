// SPDX-License-Identifier: BSD-3-Clause
// Ranges, the default deny list and the order of the rules.
#include "common/turn/address_policy.hpp"

#include <algorithm>

namespace turnpike::turn {

namespace {

using wire::IpAddress;

// Known prefixes, written once below; a typo there stops the program at its first use, which every test
// makes.
AddressRange known(std::string_view text) { return *AddressRange::parse(text); }

const AddressRange& teredo() {
  static const AddressRange range = known("2001::/32");
  return range;
}
const AddressRange& six_to_four() {
  static const AddressRange range = known("2002::/16");
  return range;
}

const std::vector<AddressRange>& default_denials() {
  static const std::vector<AddressRange> ranges = [] {
    std::vector<AddressRange> list;
    for (const std::string_view text : {
             "0.0.0.0/8",          // this network
             "10.0.0.0/8",         // private
             "100.64.0.0/10",      // carrier-grade NAT
             "127.0.0.0/8",        // loopback
             "169.254.0.0/16",     // link-local, cloud metadata
             "172.16.0.0/12",      // private
             "192.0.0.0/24",       // IETF protocol assignments
             "192.0.2.0/24",       // documentation
             "192.88.99.0/24",     // 6to4 relay anycast
             "192.168.0.0/16",     // private
             "198.18.0.0/15",      // benchmarking
             "198.51.100.0/24",    // documentation
             "203.0.113.0/24",     // documentation
             "224.0.0.0/4",        // multicast
             "240.0.0.0/4",        // reserved, limited broadcast
             "::/96",              // unspecified, loopback, IPv4-compatible
             "::ffff:0.0.0.0/96",  // IPv4-mapped
             "64:ff9b::/96",       // NAT64
             "64:ff9b:1::/48",     // local NAT64
             "100::/64",           // discard
             "2001:db8::/32",      // documentation
             "fc00::/7",           // unique local
             "fe80::/10",          // link-local
             "fec0::/10",          // site-local
             "ff00::/8",           // multicast
         }) {
      list.push_back(known(text));
    }
    return list;
  }();
  return ranges;
}

std::array<std::uint8_t, 16> subtract(const std::array<std::uint8_t, 16>& a,
                                      const std::array<std::uint8_t, 16>& b) {
  std::array<std::uint8_t, 16> difference{};
  int borrow = 0;
  for (int i = 15; i >= 0; --i) {
    const int value = a[i] - b[i] - borrow;
    borrow = value < 0 ? 1 : 0;
    difference[i] = static_cast<std::uint8_t>(value & 0xFF);
  }
  return difference;
}

PolicyVerdict stricter(PolicyVerdict a, PolicyVerdict b) { return std::max(a, b); }

}  // namespace

bool is_teredo_or_6to4(const IpAddress& address) {
  return teredo().contains(address) || six_to_four().contains(address);
}

IpAddress embedded_ipv4(const IpAddress& address) {
  static const AddressRange mapped = known("::ffff:0.0.0.0/96");
  static const AddressRange compatible = known("::/96");
  static const AddressRange nat64 = known("64:ff9b::/96");
  static const AddressRange local_nat64 = known("64:ff9b:1::/48");
  const std::uint8_t* bytes = address.bytes.data();
  // RFC 8215: inside the local prefix the IPv4 address may stand at the end (a /96) or in bytes 9 to 12 with
  // zeros behind it (a /64, RFC 6052 section 2.2). The shorter layouts end in zeros and read as 0.0.0.0,
  // which is denied.
  const bool ends_in_zeros = bytes[12] != 0 && bytes[13] == 0 && bytes[14] == 0 && bytes[15] == 0;
  if (local_nat64.contains(address)) return IpAddress::v4_bytes(bytes + (ends_in_zeros ? 9 : 12));
  if (mapped.contains(address) || compatible.contains(address) || nat64.contains(address)) {
    return IpAddress::v4_bytes(bytes + 12);
  }
  if (six_to_four().contains(address)) return IpAddress::v4_bytes(bytes + 2);
  if (teredo().contains(address)) {  // RFC 4380 section 4: the client's address, every bit inverted
    IpAddress client = IpAddress::v4_bytes(bytes + 12);
    for (int i = 0; i < 4; ++i) client.bytes[i] = static_cast<std::uint8_t>(~client.bytes[i]);
    return client;
  }
  return {};
}

void AddressPolicy::add(const AddressRange& range, bool denied) {
  const Rule rule{range, subtract(range.last.bytes, range.first.bytes), denied};
  const auto before = [](const Rule& a, const Rule& b) {
    return a.width != b.width ? a.width < b.width : a.denied && !b.denied;
  };
  rules_.insert(std::upper_bound(rules_.begin(), rules_.end(), rule, before), rule);
}

Status AddressPolicy::allow(std::string_view text) {
  const auto range = AddressRange::parse(text);
  if (!range) return Error{range.error()};
  allow(*range);
  return Unit{};
}

Status AddressPolicy::deny(std::string_view text) {
  const auto range = AddressRange::parse(text);
  if (!range) return Error{range.error()};
  deny(*range);
  return Unit{};
}

PolicyVerdict AddressPolicy::judge(const IpAddress& address) const {
  const PolicyVerdict verdict = judge_alone(address);
  const IpAddress inside = embedded_ipv4(address);
  return inside.is_v4() ? stricter(verdict, judge_alone(inside)) : verdict;
}

PolicyVerdict AddressPolicy::judge_alone(const IpAddress& address) const {
  if (is_teredo_or_6to4(address)) return PolicyVerdict::kNever;
  for (const Rule& rule : rules_) {
    if (rule.range.contains(address)) return rule.denied ? PolicyVerdict::kDenied : PolicyVerdict::kAllowed;
  }
  const auto& defaults = default_denials();
  const bool denied = std::any_of(defaults.begin(), defaults.end(),
                                  [&](const AddressRange& range) { return range.contains(address); });
  return denied ? PolicyVerdict::kDeniedDefault : PolicyVerdict::kNotListed;
}

}  // namespace turnpike::turn
