// SPDX-License-Identifier: BSD-3-Clause
// Responses by one rule: ERROR-CODE or the method's attributes, SOFTWARE in Allocate and Refresh, integrity
// as the request had it once it was authenticated, FINGERPRINT exactly when the request had one. Never
// USERNAME, USERHASH, REALM or NONCE in an authenticated response (RFC 8489 section 9.2.4).
#pragma once

#include "common/turn/service.hpp"

namespace turnpike::turn {

// A response being written. It fits the smallest path MTU: 548 bytes over IPv4, 1232 over IPv6 (RFC 8489
// section 6.1).
class Response {
public:
  Response(Service& service, const ReplyContext& reply, stun::MessageClass message_class);

  stun::MessageWriter& writer() { return writer_; }
  // Completes and emits it. With facts it waits for them, and on_refused() answers in its place if one is
  // refused.
  void send(Effects& effects, const FactSpan& facts = {});

private:
  Service& service_;
  const ReplyContext& reply_;
  stun::MessageClass class_;
  std::array<std::uint8_t, 1232> buffer_;
  stun::MessageWriter writer_;
};

void send_error(Service& service, const Request& request, stun::ErrorCode error);
void send_error(Service& service, const Request& request, stun::ErrorCode error, std::string_view phrase);
// 401 and 438 with what the client needs to try again: REALM, NONCE, and PASSWORD-ALGORITHMS when that is on.
void send_challenge(Service& service, const Request& request, stun::ErrorCode error);
void send_unknown_attributes(Service& service, const Request& request, std::span<const std::uint16_t> codes);

// The value of PASSWORD-ALGORITHMS (RFC 8489 section 14.11) that lists stun::kOfferedAlgorithms.
inline constexpr std::array<std::uint8_t, 8> kOfferedAlgorithmsValue = {0, 2, 0, 0, 0, 1, 0, 0};

}  // namespace turnpike::turn
