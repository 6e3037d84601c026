// SPDX-License-Identifier: BSD-3-Clause
// Sources exchanged by RFC 1624 arithmetic.
#include "bench/load/flood_frame.hpp"

#include <cstring>

#include "common/wire/checksum.hpp"

namespace turnpike::load {
namespace {

using wire::Be16;
using wire::Ipv4Header;
using wire::Ipv6Header;

constexpr std::size_t kIpAt = sizeof(wire::EthernetHeader);
constexpr std::size_t kIpChecksumAt = kIpAt + offsetof(Ipv4Header, checksum);

std::size_t address_at(bool v4) noexcept {
  return kIpAt + (v4 ? offsetof(Ipv4Header, source) : offsetof(Ipv6Header, source));
}
std::size_t udp_at(bool v4) noexcept { return kIpAt + (v4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header)); }
std::size_t udp_checksum_at(bool v4) noexcept { return udp_at(v4) + offsetof(wire::UdpHeader, checksum); }

}  // namespace

FloodFrame::FloodFrame(const Departure& departure) : bytes(frame_size(departure)) {
  write_udp(departure, bytes.data());
  const bool v4 = departure.source.address.is_v4();
  if (v4) checksums.ip = Be16(wire::load_be16(bytes.data() + kIpChecksumAt));
  checksums.udp = Be16(wire::load_be16(bytes.data() + udp_checksum_at(v4)));
}

void write_source(std::uint8_t* frame, const FrameChecksums& checksums, const wire::Endpoint& was,
                  const wire::Endpoint& source) noexcept {
  const bool v4 = source.address.is_v4();
  std::memcpy(frame + address_at(v4), source.address.bytes.data(), source.address.size());
  wire::store_be16(frame + udp_at(v4), source.port);
  const auto old_sum = wire::ChecksumSum().add(was.address);
  const auto new_sum = wire::ChecksumSum().add(source.address);
  const Be16 udp = wire::ChecksumUpdate(checksums.udp)
                       .remove(wire::ChecksumSum(old_sum).add(Be16(was.port)))
                       .add(wire::ChecksumSum(new_sum).add(Be16(source.port)))
                       .finish_udp();
  wire::store_be16(frame + udp_checksum_at(v4), udp.host());
  if (!v4) return;
  const Be16 ip = wire::ChecksumUpdate(checksums.ip).remove(old_sum).add(new_sum).finish();
  wire::store_be16(frame + kIpChecksumAt, ip.host());
}

}  // namespace turnpike::load
