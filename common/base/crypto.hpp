// SPDX-License-Identifier: BSD-3-Clause
// The cryptography that STUN and TURN need, supplied from outside (OpenSSL in control, the same in tests):
// common/ links no crypto library and has no global source of randomness.
#pragma once

#include <array>
#include <cstdint>

#include "common/base/types.hpp"

namespace turnpike {

using Md5Digest = std::array<std::uint8_t, 16>;
using Sha1Digest = std::array<std::uint8_t, 20>;
using Sha256Digest = std::array<std::uint8_t, 32>;

class Crypto {
public:
  virtual ~Crypto() = default;
  // The data may come in two pieces: STUN integrity covers a header with another length, then attributes.
  virtual Sha1Digest hmac_sha1(Bytes key, Bytes first, Bytes second) = 0;
  virtual Sha256Digest hmac_sha256(Bytes key, Bytes first, Bytes second) = 0;
  virtual Md5Digest md5(Bytes data) = 0;
  virtual Sha256Digest sha256(Bytes data) = 0;
  // CSPRNG; never fails (the implementation aborts the program instead).
  virtual void random(MutableBytes out) = 0;
};

}  // namespace turnpike
