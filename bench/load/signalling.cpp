// SPDX-License-Identifier: BSD-3-Clause
// Transactions: requests, their repetition, and what responses lead to.
#include "bench/load/signalling.hpp"

#include <rte_cycles.h>

#include <algorithm>

#include "common/stun/integrity.hpp"
#include "tests/support/packet_builder.hpp"

namespace turnpike::load {
namespace {

using stun::Attribute;
using stun::MessageClass;
using stun::Method;

constexpr std::size_t kTalks = 64;   // under way at once: a lost one costs little, the server is kept busy
constexpr unsigned kTries = 7;       // RFC 8489 section 6.2.1: Rc
constexpr unsigned kChallenges = 3;  // stale nonces in one exchange
constexpr std::uint64_t kFirstRtoMs = 250;
constexpr std::size_t kMaxRequest = 1024;

std::string text_of(const stun::MessageView& message, Attribute attribute) {
  const auto value = message.find(attribute);
  return value ? std::string(value->begin(), value->end()) : std::string();
}

Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

Method Signalling::method_of(Step step) const {
  switch (step) {
    case Step::kReach:
      return options_.indications ? Method::kCreatePermission : Method::kChannelBind;
    case Step::kDelete:
      return Method::kRefresh;
    default:
      return Method::kAllocate;
  }
}

Status Signalling::run(Step first, const std::atomic<bool>& stop) {
  std::uint32_t next = 0;
  talks_.clear();
  while (failure_.empty() && (next < sessions_.size() || !talks_.empty())) {
    if (stop.load(std::memory_order_relaxed)) return Error{"interrupted"};
    while (talks_.size() < kTalks && next < sessions_.size()) {
      const std::uint32_t session = next++;
      const bool allocated = sessions_[session].relay.address.family != wire::Family::kNone;
      if (first == Step::kDelete && !allocated) continue;
      Talk& talk = talks_.emplace_back();
      talk.session = session;
      talk.step = first;
      request(talk);
    }
    receive();
    repeat_overdue();
    std::erase_if(talks_, [](const Talk& talk) { return talk.step == Step::kDone; });
  }
  return failure_.empty() ? Status(Unit{}) : Error{std::exchange(failure_, {})};
}

void Signalling::add_attributes(stun::MessageWriter& writer, const Talk& talk) const {
  const Session& session = sessions_[talk.session];
  switch (talk.step) {
    case Step::kChallenge:
    case Step::kAllocate:
      writer.add_requested_transport(stun::kTransportUdp);
      if (session.peer.address.family != wire::Family::kIpv4) {
        writer.add_address_family(Attribute::kRequestedAddressFamily, session.peer.address.family);
      }
      break;
    case Step::kReach:
      if (!options_.indications) writer.add_channel_number(kChannel);
      writer.add_xor_address(Attribute::kXorPeerAddress, session.peer);
      break;
    case Step::kDelete:
      writer.add_u32(Attribute::kLifetime, 0);
      break;
    case Step::kDone:
      break;
  }
}

// A new transaction for the talk's step.
void Signalling::request(Talk& talk) {
  std::array<std::uint8_t, kMaxRequest> buffer;
  stun::MessageWriter writer(buffer);
  crypto_.random(talk.id);
  writer.begin(method_of(talk.step), MessageClass::kRequest, talk.id);
  add_attributes(writer, talk);
  if (talk.step != Step::kChallenge) {
    writer.add_text(Attribute::kUsername, options_.user);
    writer.add_text(Attribute::kRealm, realm_);
    writer.add_text(Attribute::kNonce, nonces_[talk.session]);
    stun::add_integrity(writer, stun::IntegrityKind::kSha1, crypto_, key_);
  }
  const Bytes message = writer.finish();
  if (message.empty()) return fail(talk, "the request does not fit its buffer");
  test::UdpFrame frame;
  frame.source = sessions_[talk.session].client;
  frame.destination = options_.server;
  frame.source_mac = options_.own_mac.bytes;
  frame.destination_mac = options_.relay_mac.bytes;
  frame.payload.assign(message.begin(), message.end());
  talk.frame = test::build(frame);
  talk.tries = 0;
  talk.timeout = kFirstRtoMs * rte_get_tsc_hz() / 1000;
  transmit(talk);
}

// A full ring loses the request like any network would: it is repeated.
void Signalling::transmit(Talk& talk) {
  port_.send(Bytes(talk.frame));
  ++talk.tries;
  talk.deadline = rte_rdtsc() + talk.timeout;
  talk.timeout *= 2;
}

void Signalling::receive() {
  std::array<rte_mbuf*, 32> burst;
  const std::uint16_t count = port_.receive(burst);
  for (std::uint16_t i = 0; i < count; ++i) on_frame(load::bytes_of(burst[i]));
  rte_pktmbuf_free_bulk(burst.data(), count);
  if (count == 0) rte_delay_us_sleep(10);
}

void Signalling::on_frame(Bytes frame) {
  const auto arrival = parse_udp(frame);
  if (!arrival || !arrival->checksums_right || arrival->source != options_.server) return;
  const std::uint32_t session = session_of_client(options_, arrival->destination);
  const auto talk = std::find_if(talks_.begin(), talks_.end(),
                                 [&](const Talk& candidate) { return candidate.session == session; });
  if (talk == talks_.end() || talk->step == Step::kDone) return;
  const auto response = stun::MessageView::parse(arrival->payload);
  if (!response || !std::equal(talk->id.begin(), talk->id.end(), response->transaction_id().begin())) return;
  if (response->method() != method_of(talk->step)) return;
  if (response->message_class() == MessageClass::kError) return on_error(*talk, *response);
  if (response->message_class() == MessageClass::kSuccess) return on_success(*talk, *response);
}

// Only the two challenges may come without integrity; any other error ends the run, whoever sent it.
void Signalling::on_error(Talk& talk, const stun::MessageView& response) {
  const auto value = response.find(Attribute::kErrorCode);
  const auto error = value ? stun::decode_error(*value) : std::nullopt;
  const int code = error ? error->code : 0;
  const bool asked = talk.step == Step::kChallenge && code == 401;
  if ((!asked && code != 438) || ++talk.challenges > kChallenges) {
    return fail(talk, "refused with " + std::to_string(code));
  }
  nonces_[talk.session] = text_of(response, Attribute::kNonce);
  if (realm_.empty()) {
    realm_ = text_of(response, Attribute::kRealm);
    key_ = crypto_.md5(bytes_of(options_.user + ":" + realm_ + ":" + options_.password));
  }
  if (talk.step == Step::kChallenge) talk.step = Step::kAllocate;
  request(talk);
}

void Signalling::on_success(Talk& talk, const stun::MessageView& response) {
  if (talk.step == Step::kChallenge) return fail(talk, "no credentials were asked for");
  if (!stun::verify_integrity(crypto_, response, key_)) {
    ++untrusted_;
    return;
  }
  if (talk.step != Step::kAllocate) {
    if (talk.step == Step::kDelete) sessions_[talk.session].relay = {};
    talk.step = Step::kDone;
    return;
  }
  const auto value = response.find(Attribute::kXorRelayedAddress);
  wire::Endpoint relay;
  if (!value || !stun::read_xor_address(*value, response.transaction_id(), relay) ||
      relay.address.family != sessions_[talk.session].peer.address.family) {
    return fail(talk, "no relayed address of the peer's family");
  }
  sessions_[talk.session].relay = relay;
  talk.step = Step::kReach;
  talk.challenges = 0;
  request(talk);
}

void Signalling::repeat_overdue() {
  const std::uint64_t now = rte_rdtsc();
  for (Talk& talk : talks_) {
    if (talk.step == Step::kDone || now < talk.deadline) continue;
    if (talk.tries == kTries) return fail(talk, "no answer");
    ++retransmissions_;
    transmit(talk);
  }
}

void Signalling::fail(const Talk& talk, const std::string& what) {
  if (!failure_.empty()) return;
  const auto method = method_of(talk.step);
  failure_ =
      std::string(stun::name(method)) + " of " + to_string(sessions_[talk.session].client) + ": " + what;
}

}  // namespace turnpike::load
