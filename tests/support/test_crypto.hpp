// SPDX-License-Identifier: BSD-3-Clause
// Crypto for tests: real digests of OpenSSL, and a random source that repeats itself from its seed.
#pragma once

#include <string_view>

#include "common/base/crypto.hpp"

namespace turnpike::test {

class TestCrypto final : public Crypto {
public:
  explicit TestCrypto(std::uint64_t seed = 1) : state_(seed) {}

  Sha1Digest hmac_sha1(Bytes key, Bytes first, Bytes second) override;
  Sha256Digest hmac_sha256(Bytes key, Bytes first, Bytes second) override;
  Md5Digest md5(Bytes data) override;
  Sha256Digest sha256(Bytes data) override;
  void random(MutableBytes out) override;  // splitmix64 of the seed: never for anything but tests

private:
  std::uint64_t state_;
};

}  // namespace turnpike::test
