// SPDX-License-Identifier: BSD-3-Clause
// Binding requests, answered on the lcore (RFC 8489 section 6.3.1): stateless, unauthenticated, back the way
// they came. Without SOFTWARE, which RFC 8489 recommends: an answer to whoever a datagram says that it is
// from is at most 1.6 times as large over IPv4 (docs/decisions/0008).
#include "common/stun/message_writer.hpp"
#include "dataplane/header_template.hpp"
#include "dataplane/rewrite.hpp"
#include "dataplane/stages/stages.hpp"

namespace turnpike::dataplane {
namespace {

using stun::Attribute;
using stun::MessageClass;
using stun::Method;

// RFC 8489 section 6.1: what fits where the path MTU is unknown, over IPv4.
constexpr std::size_t kMaxAnswer = 548;

Bytes compose(const stun::MessageView& request, const wire::Endpoint& client, MutableBytes buffer) noexcept {
  stun::MessageWriter writer(buffer);
  const auto unknown = request.unknown_required();
  if (unknown.empty()) {
    writer.begin(Method::kBinding, MessageClass::kSuccess, request.transaction_id());
    writer.add_xor_address(Attribute::kXorMappedAddress, client);
  } else {
    writer.begin(Method::kBinding, MessageClass::kError, request.transaction_id());
    writer.add_error(stun::ErrorCode::kUnknownAttribute);
    writer.add_unknown_attributes(unknown);
  }
  if (request.has_fingerprint()) writer.add_fingerprint();
  return writer.finish();
}

}  // namespace

void binding(Lcore& lcore, Packet& packet, const stun::MessageView& request) noexcept {
  wire::Endpoint client;
  client.address.bytes = packet.key.remote;
  client.address.family = packet.v4 ? wire::Family::kIpv4 : wire::Family::kIpv6;
  client.port = packet.key.remote_port;
  std::array<std::uint8_t, kMaxAnswer> buffer;
  const Bytes answer = compose(request, client, buffer);
  lcore.count(shm::Counter::k_binding_answered);
  reply(lcore, packet, {packet.local->address, 0, packet.key.local_port}, client, answer);
}

}  // namespace turnpike::dataplane
