// SPDX-License-Identifier: BSD-3-Clause
// Requests of clients that have proved nothing (RFC 8489 section 9.2.4), answered on the lcore without
// remembering anything: control sees only those who have shown by a nonce that their address is their own.
#include "common/stun/challenge.hpp"

#include "common/stun/attributes.hpp"
#include "dataplane/rewrite.hpp"
#include "dataplane/stages/stages.hpp"

namespace turnpike::dataplane {
namespace {

using shm::DropReason;
using stun::Attribute;
using stun::ErrorCode;
using stun::MessageView;

constexpr std::uint8_t kUdp = 0;            // as the TURN server numbers transports
constexpr std::size_t kMaxChallenge = 256;  // with the longest realm that fits the fact, 216 bytes

// Services that answer whatever reaches them: echo, quotd, chargen, DNS, TFTP, portmap, NTP, NetBIOS, SNMP,
// CLDAP, RIP, SSDP. An answer to one of these ports makes two answers of it, or a loop. All but the last are
// below 1024, where no NAT puts a client; of the others one client in 64,000 would have such a port.
bool reflects(std::uint16_t port) noexcept {
  switch (port) {
    case 7:
    case 17:
    case 19:
    case 53:
    case 69:
    case 111:
    case 123:
    case 137:
    case 161:
    case 389:
    case 520:
    case 1900:
      return true;
    default:
      return false;
  }
}

wire::Endpoint client_of(const Packet& packet) noexcept {
  wire::Endpoint client;
  client.address.bytes = packet.key.remote;
  client.address.family = packet.v4 ? wire::Family::kIpv4 : wire::Family::kIpv6;
  client.port = packet.key.remote_port;
  return client;
}

std::string_view text_of(Bytes value) noexcept {
  return {reinterpret_cast<const char*>(value.data()), value.size()};
}

// What control would answer, in the order in which it looks; nothing where it has to look itself.
std::optional<ErrorCode> verdict(const shm::Challenge& ours, const MessageView& request,
                                 const stun::NonceClient& client) noexcept {
  const auto realm = request.find(Attribute::kRealm);
  if (!request.has_integrity()) {
    // Another realm's users, and those of a web page that has one of its own, are control's matter.
    if (realm || request.has(Attribute::kOrigin)) return std::nullopt;
    return ErrorCode::kUnauthenticated;
  }
  const auto nonce = request.find(Attribute::kNonce);
  const bool named = request.has(Attribute::kUsername) || request.has(Attribute::kUserhash);
  if (!named || !realm || !nonce || text_of(*realm) != std::string_view(ours.realm.data(), ours.realm_size)) {
    return std::nullopt;
  }
  if (stun::read_nonce(ours.nonce_keys, client, text_of(*nonce))) return std::nullopt;
  return ErrorCode::kStaleNonce;
}

}  // namespace

bool drop_denied(Lcore& lcore, const Packet& packet) noexcept {
  if (lcore.denied_clients.is_empty()) [[likely]]
    return false;
  const wire::Family family = packet.v4 ? wire::Family::kIpv4 : wire::Family::kIpv6;
  if (!lcore.denied_clients.denies(family, packet.key.remote)) return false;
  lcore.drop(packet.mbuf, DropReason::k_client_denied);
  return true;
}

bool admit_unproved(Lcore& lcore, const Packet& packet) noexcept {
  if (reflects(packet.key.remote_port)) {
    lcore.drop(packet.mbuf, DropReason::k_source_reflects);
    return false;
  }
  std::uint64_t source;
  std::memcpy(&source, packet.key.remote.data(), sizeof source);
  switch (lcore.sources->admit(source, lcore.now_ns)) {
    case Lcore::Sources::Verdict::kPass:
      break;
    case Lcore::Sources::Verdict::kSourceOver:
      lcore.drop(packet.mbuf, DropReason::k_source_over_rate);
      return false;
    case Lcore::Sources::Verdict::kAllOver:
      lcore.drop(packet.mbuf, DropReason::k_unproved_over_rate);
      return false;
  }
  // What a wire brings is not from ourselves.
  if (!lcore.locals.hairpins(client_of(packet).address)) return true;
  lcore.drop(packet.mbuf, DropReason::k_ip_source_invalid);
  return false;
}

bool challenge(Lcore& lcore, Packet& packet, const MessageView& request) noexcept {
  const shm::Challenge& ours = lcore.challenge;
  if (ours.realm_size == 0 || request.method() == stun::Method::kBinding) return false;
  const stun::NonceClient client{client_of(packet), kUdp};
  const auto error = verdict(ours, request, client);
  if (!error) return false;
  const stun::NonceFeatures features{ours.offers_algorithms != 0, ours.knows_userhash != 0};
  const auto seconds = static_cast<std::uint32_t>(lcore.now_ns / 1'000'000'000) + ours.clock_offset_s;
  const stun::Nonce nonce = stun::make_nonce(ours.nonce_keys[0], client, features, seconds);
  std::array<std::uint8_t, kMaxChallenge> buffer;
  stun::MessageWriter writer(buffer);
  writer.begin(request.method(), stun::MessageClass::kError, request.transaction_id());
  stun::add_challenge(writer, *error, {ours.realm.data(), ours.realm_size}, nonce,
                      features.password_algorithms);
  if (request.has_fingerprint()) writer.add_fingerprint();
  lcore.count(shm::Counter::k_challenges_answered);
  reply(lcore, packet, {packet.local->address, 0, packet.key.local_port}, client.endpoint, writer.finish());
  return true;
}

}  // namespace turnpike::dataplane
