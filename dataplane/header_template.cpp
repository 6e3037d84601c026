// SPDX-License-Identifier: BSD-3-Clause
// Finished IP and UDP headers of a flow, with zero in what each packet decides.
#include "dataplane/header_template.hpp"

#include "common/wire/checksum.hpp"

namespace turnpike::dataplane {
namespace {

void make_v4(const wire::Endpoint& from, const wire::Endpoint& to, Flow& flow) noexcept {
  wire::Ipv4Header ip{};
  ip.version_ihl = wire::Ipv4Header::kVersionIhl;
  ip.protocol = wire::kProtocolUdp;
  std::memcpy(&ip.source, from.address.bytes.data(), 4);
  std::memcpy(&ip.destination, to.address.bytes.data(), 4);
  std::memcpy(flow.header.data(), &ip, sizeof ip);
}

void make_v6(const wire::Endpoint& from, const wire::Endpoint& to, Flow& flow) noexcept {
  wire::Ipv6Header ip{};
  // One label for all packets of a flow, never copied from another packet (RFC 8656 section 13.2).
  const std::uint64_t label = wire::hash_value(from, wire::hash_value(to, 0));
  ip.version_class_flow = wire::Ipv6Header::first_word(0, static_cast<std::uint32_t>(label));
  ip.next_header = wire::kProtocolUdp;
  ip.source = from.address.bytes;
  ip.destination = to.address.bytes;
  std::memcpy(flow.header.data(), &ip, sizeof ip);
}

}  // namespace

bool make_header(const wire::Endpoint& from, const wire::Endpoint& to, Flow& flow) noexcept {
  if (from.address.family != to.address.family || from.address.family == wire::Family::kNone) return false;
  flow.header.fill(0);
  const bool v4 = from.address.is_v4();
  v4 ? make_v4(from, to, flow) : make_v6(from, to, flow);
  const wire::UdpHeader udp{wire::Be16(from.port), wire::Be16(to.port), {}, {}};
  std::memcpy(flow.header.data() + (v4 ? sizeof(wire::Ipv4Header) : sizeof(wire::Ipv6Header)), &udp,
              sizeof udp);
  flow.pseudo_sum =
      wire::udp_pseudo_sum(from.address, to.address, 0).add(udp.source_port).add(udp.destination_port).fold();
  return true;
}

}  // namespace turnpike::dataplane
