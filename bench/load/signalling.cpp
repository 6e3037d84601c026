// SPDX-License-Identifier: BSD-3-Clause
// Transactions: requests, their repetition, and what responses lead to.
#include "bench/load/signalling.hpp"

#include "bench/load/framing.hpp"
#include "common/stun/integrity.hpp"

namespace turnpike::load {
namespace {

using stun::Attribute;
using stun::MessageClass;
using stun::Method;

constexpr unsigned kTries = 7;       // RFC 8489 section 6.2.1: Rc
constexpr unsigned kChallenges = 3;  // stale nonces in one exchange
constexpr std::chrono::milliseconds kFirstRto{250};
constexpr std::chrono::milliseconds kLookEvery{5};  // at all transactions, for overdue ones
constexpr std::size_t kMaxRequest = 1024;

std::string text_of(const stun::MessageView& message, Attribute attribute) {
  const auto value = message.find(attribute);
  return value ? std::string(value->begin(), value->end()) : std::string();
}

Bytes bytes_in(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

Signalling::Signalling(RequestPath& path, const Options& options, std::vector<Session>& sessions,
                       const Manner& manner)
    : path_(path),
      options_(options),
      sessions_(sessions),
      manner_(manner),
      peers_each_(options.sockets.peers_per_client),
      schedule_(options.sessions, std::chrono::seconds(options.refresh_s)),
      nonces_(options.sessions),
      ready_(options.sessions) {}

Method Signalling::method_of(Step step) const {
  switch (step) {
    case Step::kReach:
      return options_.indications ? Method::kCreatePermission : Method::kChannelBind;
    case Step::kRefresh:
    case Step::kDelete:
      return Method::kRefresh;
    default:
      return Method::kAllocate;
  }
}

Status Signalling::run(Step first, const std::atomic<bool>& stop) {
  std::uint32_t next = 0;
  talks_.clear();
  done_.clear();
  while (failure_.empty() && (next < options_.sessions || !talks_.empty())) {
    if (stop.load(std::memory_order_relaxed)) return Error{"interrupted"};
    while (talks_.size() < manner_.at_once && next < options_.sessions) {
      const std::uint32_t client = next++;
      const bool allocated = sessions_[client * peers_each_].relay.address.family != wire::Family::kNone;
      if (first != Step::kDelete || allocated) start(client, first);
    }
    path_.receive([this](std::uint32_t client, Bytes message) { on_message(client, message); });
    repeat_overdue();
    sweep();
  }
  return failure_.empty() ? Status(Unit{}) : Error{std::exchange(failure_, {})};
}

void Signalling::keep_alive() {
  const auto now = Clock::now();
  while (talks_.size() < manner_.at_once) {
    const auto client = schedule_.due(now);
    if (!client) break;
    if (busy(*client)) {
      schedule_.renew(*client, now);  // it has not got its last answer; that is an interval old
    } else {
      start(*client, Step::kRefresh);
    }
  }
  repeat_overdue();
  sweep();
}

void Signalling::start(std::uint32_t client, Step first) {
  Talk& talk = talks_[client];
  talk.client = client;
  talk.renewal = first == Step::kRefresh;
  request_next(talk, first);
}

void Signalling::request_next(Talk& talk, Step step) {
  talk.step = step;
  talk.challenges = 0;
  request(talk);
}

void Signalling::add_attributes(stun::MessageWriter& writer, const Talk& talk) const {
  const Session& session = sessions_[talk.client * peers_each_ + talk.peer];
  switch (talk.step) {
    case Step::kChallenge:
    case Step::kAllocate:
      writer.add_requested_transport(stun::kTransportUdp);
      if (session.peer.address.family != wire::Family::kIpv4) {
        writer.add_address_family(Attribute::kRequestedAddressFamily, session.peer.address.family);
      }
      if (options_.even_port) writer.add_even_port(false);
      break;
    case Step::kReach:
      if (!options_.indications) writer.add_channel_number(channel_of(talk.peer));
      writer.add_xor_address(Attribute::kXorPeerAddress, session.peer);
      break;
    case Step::kDelete:
      writer.add_u32(Attribute::kLifetime, 0);
      break;
    case Step::kRefresh:
    case Step::kDone:
      break;
  }
}

// A new transaction for the talk's step.
void Signalling::request(Talk& talk) {
  std::array<std::uint8_t, kMaxRequest> buffer;
  stun::MessageWriter writer(buffer);
  // Nobody has to be kept from guessing them: they only have to differ.
  if (++transactions_ == 1) crypto_.random(id_);
  talk.id = id_;
  for (std::size_t i = 0; i < sizeof transactions_; ++i)
    talk.id[i] ^= static_cast<std::uint8_t>(transactions_ >> 8 * i);
  writer.begin(method_of(talk.step), MessageClass::kRequest, talk.id);
  add_attributes(writer, talk);
  if (talk.step != Step::kChallenge) {
    writer.add_text(Attribute::kUsername, options_.user);
    writer.add_text(Attribute::kRealm, realm_);
    writer.add_text(Attribute::kNonce, nonces_[talk.client]);
    stun::add_integrity(writer, stun::IntegrityKind::kSha1, crypto_, key_);
  }
  const Bytes message = writer.finish();
  if (message.empty()) return fail(talk, 0, "the request does not fit its buffer");
  talk.message.assign(message.begin(), message.end());
  talk.tries = 0;
  talk.timeout = kFirstRto;
  transmit(talk);
}

void Signalling::transmit(Talk& talk) {
  ++talk.tries;
  talk.deadline = Clock::now() + talk.timeout;
  talk.timeout *= 2;
  if (auto sent = path_.send(talk.client, talk.message); !sent) fail(talk, 0, sent.error());
}

void Signalling::on_message(std::uint32_t client, Bytes message) {
  const auto found = talks_.find(client);
  if (found == talks_.end() || found->second.step == Step::kDone) return;
  Talk& talk = found->second;
  const auto response = stun::MessageView::parse(message);
  if (!response || !std::equal(talk.id.begin(), talk.id.end(), response->transaction_id().begin())) return;
  if (response->method() != method_of(talk.step)) return;
  if (response->message_class() == MessageClass::kError) return on_error(talk, *response);
  if (response->message_class() == MessageClass::kSuccess) return on_success(talk, *response);
}

// Only the two challenges may come without integrity; any other error ends the run, whoever sent it.
void Signalling::on_error(Talk& talk, const stun::MessageView& response) {
  const auto value = response.find(Attribute::kErrorCode);
  const auto error = value ? stun::decode_error(*value) : std::nullopt;
  const int code = error ? error->code : 0;
  const bool asked = talk.step == Step::kChallenge && code == 401;
  if ((!asked && code != 438) || ++talk.challenges > kChallenges) {
    return fail(talk, code, "refused with " + std::to_string(code));
  }
  nonces_[talk.client] = text_of(response, Attribute::kNonce);
  if (realm_.empty()) {
    realm_ = text_of(response, Attribute::kRealm);
    key_ = crypto_.md5(bytes_in(options_.user + ":" + realm_ + ":" + options_.password));
  }
  if (talk.step == Step::kChallenge) talk.step = Step::kAllocate;
  request(talk);
}

void Signalling::on_success(Talk& talk, const stun::MessageView& response) {
  if (talk.step == Step::kChallenge) return fail(talk, 0, "no credentials were asked for");
  if (!stun::verify_integrity(crypto_, response, key_)) {
    ++untrusted_;
    return;
  }
  if (talk.step == Step::kAllocate) return on_allocated(talk, response);
  if (talk.step == Step::kDelete) return on_deleted(talk);
  if (talk.step == Step::kReach) return reach(talk, talk.peer + 1);
  follow_lifetime(response);
  if (manner_.allocate_only) return complete(talk);
  reach(talk, 0);
}

void Signalling::on_allocated(Talk& talk, const stun::MessageView& response) {
  const auto value = response.find(Attribute::kXorRelayedAddress);
  wire::Endpoint relay;
  if (!value || !stun::read_xor_address(*value, response.transaction_id(), relay) ||
      relay.address.family != sessions_[talk.client * peers_each_].peer.address.family) {
    return fail(talk, 0, "no relayed address of the peer's family");
  }
  for (std::uint32_t i = 0; i < peers_each_; ++i) sessions_[talk.client * peers_each_ + i].relay = relay;
  follow_lifetime(response);
  if (manner_.allocate_only) return complete(talk);
  reach(talk, 0);
}

void Signalling::on_deleted(Talk& talk) {
  for (std::uint32_t i = 0; i < peers_each_; ++i) sessions_[talk.client * peers_each_ + i].relay = {};
  ready_[talk.client] = false;
  schedule_.end(talk.client);
  finish(talk);
}

// What the server grants for less than twice the interval is refreshed at half of its time.
void Signalling::follow_lifetime(const stun::MessageView& response) {
  const auto value = response.find(Attribute::kLifetime);
  const auto lifetime = value ? stun::decode_lifetime(*value) : std::nullopt;
  if (lifetime && *lifetime != 0) schedule_.shorten(std::chrono::milliseconds(500) * *lifetime);
}

// A channel or a permission for this peer of the client, and the next ones.
void Signalling::reach(Talk& talk, std::uint32_t peer) {
  talk.peer = peer;
  while (talk.peer < peers_each_ && permitted_before(talk)) ++talk.peer;
  if (talk.peer == peers_each_) return complete(talk);
  request_next(talk, Step::kReach);
}

// A permission is for all ports of an address.
bool Signalling::permitted_before(const Talk& talk) const {
  const Session* const session = &sessions_[talk.client * peers_each_ + talk.peer];
  return options_.indications && talk.peer != 0 && session->peer.address == (session - 1)->peer.address;
}

void Signalling::complete(Talk& talk) {
  ready_[talk.client] = true;
  if (talk.renewal) ++refreshes_;
  schedule_.renew(talk.client, Clock::now());
  finish(talk);
}

void Signalling::repeat_overdue() {
  const auto now = Clock::now();
  if (now < next_look_) return;
  next_look_ = now + kLookEvery;
  for (auto& [client, talk] : talks_) {
    if (talk.step == Step::kDone || now < talk.deadline) continue;
    if (talk.tries == kTries) {
      fail(talk, 0, "no answer");
      continue;
    }
    ++retransmissions_;
    transmit(talk);
  }
}

void Signalling::finish(Talk& talk) {
  talk.step = Step::kDone;
  done_.push_back(talk.client);
  path_.rest(talk.client);
}

// Talks are taken out when nobody holds a reference to one.
void Signalling::sweep() {
  for (const std::uint32_t client : done_) talks_.erase(client);
  done_.clear();
}

void Signalling::fail(Talk& talk, int code, const std::string& what) {
  if (talk.renewal) {
    ++refresh_failures_[code];
    schedule_.renew(talk.client, Clock::now());
  } else if (manner_.go_on) {
    ++refusals_[code];
  } else if (failure_.empty()) {
    failure_ = std::string(stun::name(method_of(talk.step))) + " of " +
               to_string(sessions_[talk.client * peers_each_].client) + ": " + what;
  }
  finish(talk);
}

}  // namespace turnpike::load
