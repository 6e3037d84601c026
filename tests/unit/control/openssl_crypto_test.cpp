// SPDX-License-Identifier: BSD-3-Clause
// OpensslCrypto against published vectors.
#include "control/crypto/openssl_crypto.hpp"

#include <gtest/gtest.h>

#include "tests/support/vectors.hpp"

namespace turnpike::control {
namespace {

Bytes text(std::string_view value) {
  return {reinterpret_cast<const std::uint8_t*>(value.data()), value.size()};
}

template <typename Digest>
std::vector<std::uint8_t> bytes(const Digest& digest) {
  return {digest.begin(), digest.end()};
}

// RFC 2202 test case 2 and RFC 4231 test case 2: the data in two pieces at every place.
TEST(OpensslCrypto, hmac_over_two_pieces) {
  OpensslCrypto crypto;
  const std::string_view data = "what do ya want for nothing?";
  for (std::size_t cut = 0; cut <= data.size(); ++cut) {
    EXPECT_EQ(bytes(crypto.hmac_sha1(text("Jefe"), text(data.substr(0, cut)), text(data.substr(cut)))),
              test::from_hex("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"));
    EXPECT_EQ(bytes(crypto.hmac_sha256(text("Jefe"), text(data.substr(0, cut)), text(data.substr(cut)))),
              test::from_hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
  }
}

TEST(OpensslCrypto, keys_change_from_call_to_call) {
  OpensslCrypto crypto;
  const auto first = crypto.hmac_sha1(text("one"), text("data"), {});
  EXPECT_NE(crypto.hmac_sha1(text("two"), text("data"), {}), first);
  const auto empty = crypto.hmac_sha1({}, text("data"), {});
  EXPECT_NE(empty, crypto.hmac_sha1(text("one"), text("data"), {}));
  EXPECT_EQ(crypto.hmac_sha1({}, text("data"), {}), empty) << "an empty key is a key, not the one before";
  EXPECT_EQ(crypto.hmac_sha1(text("one"), text("data"), {}), first);
}

TEST(OpensslCrypto, digests) {
  OpensslCrypto crypto;
  EXPECT_EQ(bytes(crypto.md5(text("abc"))), test::from_hex("900150983cd24fb0d6963f7d28e17f72"));
  EXPECT_EQ(bytes(crypto.sha256(text("abc"))),
            test::from_hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
}

TEST(OpensslCrypto, random_bytes_differ) {
  OpensslCrypto crypto;
  std::array<std::uint8_t, 32> first{};
  std::array<std::uint8_t, 32> second{};
  crypto.random(first);
  crypto.random(second);
  EXPECT_NE(first, second);
}

}  // namespace
}  // namespace turnpike::control
