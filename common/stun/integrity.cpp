// SPDX-License-Identifier: BSD-3-Clause
// RFC 8489 section 14.5: the MAC sees a header whose length ends with the integrity attribute.
#include "common/stun/integrity.hpp"

#include <algorithm>

#include "common/base/constant_time.hpp"
#include "common/wire/endian.hpp"

namespace turnpike::stun {

namespace {

constexpr std::size_t kSha1Size = std::tuple_size_v<Sha1Digest>;
constexpr std::size_t kSha256Size = std::tuple_size_v<Sha256Digest>;

// The header as its sender computed the MAC over it, for an attribute at `offset` with a value of `size`
// bytes.
std::array<std::uint8_t, kHeaderSize> covered_header(Bytes message, std::size_t offset,
                                                     std::size_t size) noexcept {
  std::array<std::uint8_t, kHeaderSize> header;
  std::copy_n(message.begin(), kHeaderSize, header.begin());
  wire::store_be16(header.data() + 2,
                   static_cast<std::uint16_t>(offset - kHeaderSize + kAttributeHeaderSize + size));
  return header;
}

}  // namespace

bool verify_sha1(Crypto& crypto, const MessageView& message, Bytes key) noexcept {
  const std::size_t offset = message.integrity_offset();
  if (offset == 0) return false;
  const Bytes value = message.value_at(offset);
  if (value.size() != kSha1Size) return false;
  const auto header = covered_header(message.bytes(), offset, kSha1Size);
  const Bytes attributes = message.bytes().subspan(kHeaderSize, offset - kHeaderSize);
  return constant_time_equal(crypto.hmac_sha1(key, header, attributes), value);
}

bool verify_sha256(Crypto& crypto, const MessageView& message, Bytes key) noexcept {
  const std::size_t offset = message.integrity_sha256_offset();
  if (offset == 0) return false;
  const Bytes value = message.value_at(offset);
  if (value.size() != kSha256Size) return false;
  const auto header = covered_header(message.bytes(), offset, kSha256Size);
  const Bytes attributes = message.bytes().subspan(kHeaderSize, offset - kHeaderSize);
  return constant_time_equal(crypto.hmac_sha256(key, header, attributes), value);
}

bool verify_integrity(Crypto& crypto, const MessageView& message, Bytes key) noexcept {
  switch (integrity_kind(message)) {
    case IntegrityKind::kNone:
      return false;
    case IntegrityKind::kSha1:
      return verify_sha1(crypto, message, key);
    case IntegrityKind::kSha256:
      return verify_sha256(crypto, message, key);
  }
  return false;
}

void add_integrity(MessageWriter& writer, IntegrityKind kind, Crypto& crypto, Bytes key) noexcept {
  if (kind == IntegrityKind::kNone || writer.failed()) return;
  const std::size_t covered = writer.written().size();
  const bool sha256 = kind == IntegrityKind::kSha256;
  // The writer's header counts the attribute from here on, which is just the length that the MAC must see.
  const MutableBytes room =
      writer.reserve(sha256 ? Attribute::kMessageIntegritySha256 : Attribute::kMessageIntegrity,
                     sha256 ? kSha256Size : kSha1Size);
  if (writer.failed()) return;
  const Bytes message = writer.written().first(covered);
  if (sha256) {
    const auto mac = crypto.hmac_sha256(key, message, Bytes());
    std::copy(mac.begin(), mac.end(), room.begin());
  } else {
    const auto mac = crypto.hmac_sha1(key, message, Bytes());
    std::copy(mac.begin(), mac.end(), room.begin());
  }
}

}  // namespace turnpike::stun
