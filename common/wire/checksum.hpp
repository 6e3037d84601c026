// SPDX-License-Identifier: BSD-3-Clause
// Internet checksums: RFC 1071 sums, the UDP pseudo headers, and RFC 1624 carry-over as a builder.
#pragma once

#include <bit>

#include "common/base/types.hpp"
#include "common/wire/endian.hpp"
#include "common/wire/endpoint.hpp"
#include "common/wire/ipv4.hpp"
#include "common/wire/ipv6.hpp"
#include "common/wire/udp.hpp"

namespace turnpike::wire {

// A one's-complement sum of 16-bit words in NATIVE LOAD ORDER: words are loaded as they lie in memory,
// without swapping. One's-complement addition commutes with the byte swap (RFC 1071 section 2.B), so the
// folded result stored as it is equals the big-endian sum; constants in host order are swapped on their way
// in. 64 bits hold 2^32 additions of 32-bit words before a carry could be lost, so folding happens once, at
// the end.
class ChecksumSum {
public:
  constexpr ChecksumSum() = default;

  // A span that starts at an even offset of the checksummed data. An odd last byte is padded with a zero
  // byte, so only the last span of a message may have an odd size.
  ChecksumSum& add(Bytes bytes) noexcept {
    const std::uint8_t* at = bytes.data();
    std::size_t left = bytes.size();
    // Two accumulators: the additions of one iteration do not wait for each other.
    std::uint64_t even = 0;
    std::uint64_t odd = 0;
    for (; left >= 16; left -= 16, at += 16) {
      const std::uint64_t first = load<std::uint64_t>(at);
      const std::uint64_t second = load<std::uint64_t>(at + 8);
      even += (first & 0xFFFFFFFF) + (first >> 32);
      odd += (second & 0xFFFFFFFF) + (second >> 32);
    }
    sum_ += even + odd;
    for (; left >= 4; left -= 4, at += 4) sum_ += load<std::uint32_t>(at);
    if (left >= 2) {
      sum_ += load<std::uint16_t>(at);
      at += 2;
      left -= 2;
    }
    if (left == 1) sum_ += *at;  // low byte of a little-endian word: the padding byte follows it
    return *this;
  }
  constexpr ChecksumSum& add(Be16 word) noexcept {
    sum_ += word.raw();
    return *this;
  }
  constexpr ChecksumSum& add(Be32 word) noexcept {
    sum_ += word.raw();
    return *this;
  }
  constexpr ChecksumSum& add(ChecksumSum other) noexcept {
    sum_ += other.sum_;
    return *this;
  }
  // `part` comes of additions only, of less than 64 KiB: then the multiple of 0xFFFF, which is a zero here,
  // is larger.
  constexpr ChecksumSum& subtract(ChecksumSum part) noexcept {
    sum_ += (std::uint64_t{0xFFFF} << 32) - part.sum_;
    return *this;
  }
  ChecksumSum& add(const IpAddress& address) noexcept {
    return add(Bytes(address.bytes.data(), address.size()));
  }

  // The 16-bit one's-complement sum, native load order. 0 only when every added word was 0.
  // Adding the halves swapped leaves their end-around sum in the upper half: the carry of the lower one goes
  // in.
  constexpr std::uint16_t fold() const noexcept {
    const auto half = static_cast<std::uint32_t>((sum_ + std::rotl(sum_, 32)) >> 32);
    return static_cast<std::uint16_t>((half + std::rotl(half, 16)) >> 16);
  }
  // What goes into a checksum field: the complement. A message with a right checksum in it sums up to 0 here.
  constexpr Be16 checksum() const noexcept { return from_raw(static_cast<std::uint16_t>(~fold())); }
  // The same for UDP, where a zero field would say "no checksum" (RFC 768): the other zero is sent.
  constexpr Be16 udp_checksum() const noexcept {
    const std::uint16_t folded = fold();
    return from_raw(folded == 0xFFFF ? 0xFFFF : static_cast<std::uint16_t>(~folded));
  }

private:
  template <typename T>
  static T load(const std::uint8_t* at) noexcept {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  static constexpr Be16 from_raw(std::uint16_t raw) noexcept { return Be16(swap_bytes(raw)); }

  std::uint64_t sum_ = 0;
};

inline ChecksumSum sum(Bytes bytes) noexcept { return ChecksumSum().add(bytes); }

// The header must be wholly there, options included; its checksum field takes part, so a right header gives 0
// and a header whose field was zeroed gives the value to store.
inline Be16 ipv4_header_checksum(Bytes header) noexcept { return sum(header).checksum(); }
inline Be16 ipv4_header_checksum(const Ipv4Header& header) noexcept {
  return ipv4_header_checksum(Bytes(reinterpret_cast<const std::uint8_t*>(&header), sizeof header));
}

// Pseudo headers of UDP: addresses, protocol, UDP length (RFC 768, RFC 8200 section 8.1). The layouts of the
// two families differ, their sums do not: zeros add nothing.
inline ChecksumSum udp_pseudo_sum(const IpAddress& source, const IpAddress& destination,
                                  std::uint16_t udp_length) noexcept {
  return ChecksumSum().add(source).add(destination).add(Be16(kProtocolUdp)).add(Be16(udp_length));
}
inline ChecksumSum udp_pseudo_sum(const Ipv4Header& ip, std::uint16_t udp_length) noexcept {
  return ChecksumSum().add(ip.source).add(ip.destination).add(Be16(kProtocolUdp)).add(Be16(udp_length));
}
inline ChecksumSum udp_pseudo_sum(const Ipv6Header& ip, std::uint16_t udp_length) noexcept {
  return ChecksumSum().add(ip.source).add(ip.destination).add(Be16(kProtocolUdp)).add(Be16(udp_length));
}

// RFC 1624: the checksum of a changed message without looking at what did not change, so that damage done
// before us is still seen by the receiver. HC' = ~(~HC + ~m + m'):
//
//   udp.checksum = ChecksumUpdate(udp.checksum).remove(old_sums).add(new_sums).finish_udp();
//
// Removed and added parts must start at even offsets of the message, before and after. A part that moves by
// an even number of bytes needs no mention. The sums may be computed long before, once for a flow.
class ChecksumUpdate {
public:
  // `old_checksum` is a field that was computed; a zero of UDP ("none") cannot be carried over.
  explicit constexpr ChecksumUpdate(Be16 old_checksum) noexcept {
    sum_.add(Be16(static_cast<std::uint16_t>(~old_checksum.host())));
  }
  constexpr ChecksumUpdate& remove(ChecksumSum old_part) noexcept {
    sum_.subtract(old_part);
    return *this;
  }
  constexpr ChecksumUpdate& add(ChecksumSum new_part) noexcept {
    sum_.add(new_part);
    return *this;
  }
  // Of the two zeros the one that a computation from scratch gives, which never sees a message of zeros only.
  constexpr Be16 finish() const noexcept { return sum_.fold() == 0 ? Be16() : sum_.checksum(); }
  constexpr Be16 finish_udp() const noexcept { return sum_.udp_checksum(); }  // never 0

private:
  ChecksumSum sum_;
};

}  // namespace turnpike::wire
