// SPDX-License-Identifier: BSD-3-Clause
// ChannelData messages (RFC 8656 sections 12.4 to 12.6).
#pragma once

#include <algorithm>
#include <optional>

#include "common/base/types.hpp"
#include "common/stun/types.hpp"
#include "common/wire/endian.hpp"

namespace turnpike::stun {

//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +-------------------------------+-------------------------------+
//  |         channel number        |   length of data, unpadded    |
//  +-------------------------------+-------------------------------+
//  |                       application data                        |
struct ChannelDataHeader {
  wire::Be16 channel;
  wire::Be16 length;
};
static_assert(sizeof(ChannelDataHeader) == 4 && alignof(ChannelDataHeader) == 1);
inline constexpr std::size_t kChannelDataHeaderSize = sizeof(ChannelDataHeader);

inline constexpr std::uint16_t kMinChannel = 0x4000;
inline constexpr std::uint16_t kMaxChannel = 0x4FFF;         // RFC 8656 section 12
inline constexpr std::uint16_t kMaxRfc5766Channel = 0x7FFF;  // RFC 5766 section 11

constexpr bool is_channel_number(std::uint16_t number, bool rfc5766_channels) noexcept {
  return number >= kMinChannel && number <= (rfc5766_channels ? kMaxRfc5766Channel : kMaxChannel);
}

struct ChannelDataView {
  std::uint16_t channel = 0;
  Bytes data;
};

// One datagram, DTLS record or framed stream message: bytes beyond the announced length are ignored
// (padding), a message shorter than announced is none. The channel number is not judged here.
inline std::optional<ChannelDataView> parse_channel_data(Bytes message) noexcept {
  if (message.size() < kChannelDataHeaderSize) return std::nullopt;
  const std::size_t length = wire::load_be16(message.data() + 2);
  if (length > message.size() - kChannelDataHeaderSize) return std::nullopt;
  return ChannelDataView{wire::load_be16(message.data()), message.subspan(kChannelDataHeaderSize, length)};
}

// The caller has proved room for four bytes; `length` counts the data without padding.
inline void write_channel_data_header(std::uint8_t* out, std::uint16_t channel,
                                      std::uint16_t length) noexcept {
  const ChannelDataHeader header{wire::Be16(channel), wire::Be16(length)};
  std::memcpy(out, &header, sizeof header);
}

enum class ChannelPadding : std::uint8_t {
  kNone,
  kStream
};  // kStream: TCP and TLS pad to a multiple of four

// A whole message into `out`; nothing when it does not fit `out` or the length field.
inline Bytes write_channel_data(MutableBytes out, std::uint16_t channel, Bytes data,
                                ChannelPadding padding) noexcept {
  const std::size_t tail = padding == ChannelPadding::kStream ? padded_size(data.size()) - data.size() : 0;
  const std::size_t size = kChannelDataHeaderSize + data.size() + tail;
  if (data.size() > 0xFFFF || size > out.size()) return {};
  write_channel_data_header(out.data(), channel, static_cast<std::uint16_t>(data.size()));
  std::copy(data.begin(), data.end(), out.begin() + kChannelDataHeaderSize);
  std::fill_n(out.begin() + kChannelDataHeaderSize + data.size(), tail, std::uint8_t{0});
  return out.first(size);
}

}  // namespace turnpike::stun
