// SPDX-License-Identifier: BSD-3-Clause
// Stateless nonces by themselves; what the server does with them is tests/unit/turn/credentials_test.cpp's.
#include "common/stun/nonce.hpp"

#include <gtest/gtest.h>

namespace turnpike::stun {
namespace {

constexpr SipKey kKey{1, 2, 3};
constexpr SipKey kOther{1, 2, 4};
constexpr std::uint32_t kSeconds = 123456;
const NonceClient kClient{{wire::IpAddress::v4(0xC0000201), 0, 4711}, 0};

Nonce make(const SipKey& key = kKey, NonceFeatures features = {true, false}) {
  return make_nonce(key, kClient, features, kSeconds);
}

auto read(std::span<const SipKey> keys, const Nonce& nonce, const NonceClient& client = kClient) {
  return read_nonce(keys, client, {nonce.data(), nonce.size()});
}

TEST(StunNonce, says_what_went_in) {
  for (const bool algorithms : {false, true}) {
    for (const bool anonymity : {false, true}) {
      const auto genuine = read({&kKey, 1}, make(kKey, {algorithms, anonymity}));
      ASSERT_TRUE(genuine);
      EXPECT_EQ(genuine->seconds, kSeconds);
      EXPECT_EQ(genuine->features.password_algorithms, algorithms);
      EXPECT_EQ(genuine->features.username_anonymity, anonymity);
    }
  }
}

TEST(StunNonce, any_of_the_keys_will_do_and_no_other) {
  const std::array<SipKey, 2> keys{kKey, kOther};
  EXPECT_TRUE(read(keys, make(kKey)));
  EXPECT_TRUE(read(keys, make(kOther)));
  EXPECT_FALSE(read({&kKey, 1}, make(kOther)));
}

TEST(StunNonce, is_of_one_client) {
  NonceClient port = kClient;
  ++port.endpoint.port;
  NonceClient address = kClient;
  address.endpoint.address.bytes[3] ^= 1;
  NonceClient transport = kClient;
  transport.transport = 1;
  for (const NonceClient& other : {port, address, transport}) EXPECT_FALSE(read({&kKey, 1}, make(), other));
}

TEST(StunNonce, every_other_character_spoils_it) {
  for (std::size_t i = 0; i < kNonceSize; ++i) {
    for (int character = 0; character < 256; ++character) {
      Nonce nonce = make();
      if (nonce[i] == static_cast<char>(character)) continue;
      nonce[i] = static_cast<char>(character);
      EXPECT_FALSE(read({&kKey, 1}, nonce)) << i << ' ' << character;
    }
  }
  const Nonce nonce = make();
  EXPECT_FALSE(read_nonce({&kKey, 1}, kClient, {nonce.data(), nonce.size() - 1}));
}

}  // namespace
}  // namespace turnpike::stun
