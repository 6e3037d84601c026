// SPDX-License-Identifier: BSD-3-Clause
// What a server should not get, made from a seed: the same seed makes the same messages.
#pragma once

#include <array>
#include <random>
#include <string>

#include "bench/load/options.hpp"
#include "common/stun/message_view.hpp"
#include "common/stun/message_writer.hpp"
#include "control/crypto/openssl_crypto.hpp"

namespace turnpike::load {

class FloodMessages {
public:
  static constexpr std::size_t kMaxSize = 1400;

  // By SocketOptions::flood and its seed.
  explicit FloodMessages(const Options& options);

  // Valid until the next one is made.
  Bytes next();
  // An Allocate request without credentials, whose answer tells realm and nonce.
  Bytes allocate();
  Bytes binding();
  // Whether requests with a wrong password can be made from it.
  bool take_challenge(const stun::MessageView& answer);

private:
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  Bytes garbage();
  Bytes wrong_password();
  Bytes some_message();
  Bytes damaged();
  std::size_t damage(std::size_t size);
  void begin(stun::MessageWriter& writer, stun::Method method, stun::MessageClass message_class);

  const Options& options_;
  std::mt19937_64 random_;
  control::OpensslCrypto crypto_;
  std::string realm_;
  std::string nonce_;
  Md5Digest key_{};
  std::array<std::uint8_t, kMaxSize> buffer_;
};

}  // namespace turnpike::load
