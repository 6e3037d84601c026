// SPDX-License-Identifier: BSD-3-Clause
// The way of a message through the server: what is it, may it, then the method.
#include "common/turn/server.hpp"

#include "common/stun/demux.hpp"
#include "common/turn/credentials.hpp"
#include "common/turn/media.hpp"
#include "common/turn/refusal.hpp"
#include "common/turn/requests/requests.hpp"

namespace turnpike::turn {

namespace {

using stun::MessageClass;
using stun::MessageView;
using stun::Method;
using stun::ParseError;

void count_parse_error(ServerCounters& counters, ParseError error) {
  switch (error) {
    case ParseError::kNone:
      return;
    case ParseError::kTooShort:
      ++counters.dropped_short;
      return;
    case ParseError::kNotStun:
      ++counters.dropped_first_byte;
      return;
    case ParseError::kBadCookie:
      ++counters.dropped_cookie;
      return;
    case ParseError::kBadLength:
      ++counters.dropped_length;
      return;
    case ParseError::kAttributeOverrun:
      ++counters.dropped_attributes;
      return;
    case ParseError::kFingerprintNotLast:
    case ParseError::kBadFingerprint:
      ++counters.dropped_fingerprint;
      return;
  }
}

void count_request(ServerCounters& counters, Method method) {
  switch (method) {
    case Method::kBinding:
      ++counters.requests_binding;
      return;
    case Method::kAllocate:
      ++counters.requests_allocate;
      return;
    case Method::kRefresh:
      ++counters.requests_refresh;
      return;
    case Method::kCreatePermission:
      ++counters.requests_create_permission;
      return;
    case Method::kChannelBind:
      ++counters.requests_channel_bind;
      return;
    default:
      return;
  }
}

// CHANGE-REQUEST without a flag asks for nothing: old test tools send it to every server.
bool is_idle_change_request(const MessageView& message, std::uint16_t code) {
  if (code != static_cast<std::uint16_t>(stun::Attribute::kChangeRequest)) return false;
  const auto value = message.find(stun::Attribute::kChangeRequest);
  return value && stun::decode_u32(*value) == 0u;
}

// RFC 8489 section 6.3.1. False: a 420 went out.
bool passes_unknown_attributes(Service& service, const Request& request) {
  std::array<std::uint16_t, MessageView::kMaxUnknown> unknown;
  std::size_t count = 0;
  for (const std::uint16_t code : request.message.unknown_required()) {
    if (!is_idle_change_request(request.message, code)) unknown[count++] = code;
  }
  if (count == 0) return true;
  send_unknown_attributes(service, request, {unknown.data(), count});
  return false;
}

bool is_duplicate_in_flight(Service& service, const Request& request, const Allocation& allocation) {
  return allocation.latest == request.reply.transaction &&
         allocation.latest_fact > service.sessions.log(allocation.id.worker).applied();
}

// Attributes other than integrity and FINGERPRINT behind the integrity have no effect; pion's client puts
// some there.
void count_attributes_after_integrity(Service& service, const MessageView& message) {
  std::size_t end = message.bytes().size() - (message.has_fingerprint() ? 8 : 0);
  for (const std::size_t offset : {message.integrity_offset(), message.integrity_sha256_offset()}) {
    if (offset == 0) continue;
    const std::size_t after =
        offset + stun::kAttributeHeaderSize + stun::padded_size(message.value_at(offset).size());
    const bool sha256_follows = after == message.integrity_sha256_offset();
    if (after == end || sha256_follows) continue;
    ++service.counters.attributes_after_integrity;
    return;
  }
}

// 401 and 438 tell the client how to try again.
void deny(Service& service, const Request& request, stun::ErrorCode error) {
  const bool challenge = error == stun::ErrorCode::kUnauthenticated || error == stun::ErrorCode::kStaleNonce;
  if (challenge) return send_challenge(service, request, error);
  send_error(service, request, error);
}

// What comes after authentication in every method but Binding.
void serve_turn(Service& service, Request& request) {
  if (!passes_unknown_attributes(service, request)) return;
  const Method method = request.reply.method;
  if (method == Method::kRefresh && repeat_deletion(service, request)) return;

  Allocation* allocation = service.sessions.find(request.from, request.step);
  if (allocation == nullptr) {
    if (method == Method::kAllocate) return serve_allocate(service, request, nullptr);
    return send_error(service, request, stun::ErrorCode::kAllocationMismatch);
  }
  request.reply.worker = allocation->id.worker;
  if (!allocation->user->is(request.user)) {
    service.observer.on_authentication_failure({request.from, request.user.realm, request.user.name},
                                               AuthenticationFailure::kOthersAllocation);
    return send_error(service, request, stun::ErrorCode::kWrongCredentials);
  }
  if (is_duplicate_in_flight(service, request, *allocation)) {
    ++service.counters.duplicates_in_flight;
    return;
  }
  switch (method) {
    case Method::kAllocate:
      return serve_allocate(service, request, allocation);
    case Method::kRefresh:
      return serve_refresh(service, request, *allocation);
    case Method::kCreatePermission:
      return serve_create_permission(service, request, *allocation);
    case Method::kChannelBind:
      return serve_channel_bind(service, request, *allocation);
    default:  // is_accepted() lets no other method come here
      return;
  }
}

LookupId serve_request(Service& service, const FiveTuple& from, WorkerIndex worker,
                       const MessageView& message, Step& step) {
  const bool binding = message.method() == Method::kBinding;
  if (service.config.stun_only && !binding) {
    ++service.counters.dropped_stun_only;
    return kNoLookup;
  }
  Request request{from, message, step, {}, {}, kNever};
  request.reply.to = from;
  request.reply.worker = worker;
  request.reply.method = message.method();
  request.reply.fingerprint = message.has_fingerprint();
  std::copy_n(message.transaction_id().begin(), stun::kTransactionIdSize, request.reply.transaction.begin());
  const bool behind = service.sessions.log(worker).pending_count() >= service.config.max_pending_facts;
  if (behind && !binding) {
    count_request(service.counters, message.method());
    ++service.counters.dropped_worker_behind;
    return kNoLookup;
  }
  if (binding ? service.config.authenticate_binding : service.config.authenticate) {
    const Denial denial = authenticate(service, request);
    if (denial.lookup != kNoLookup) return denial.lookup;
    count_request(service.counters, message.method());
    if (denial.error) {
      deny(service, request, *denial.error);
      return kNoLookup;
    }
    count_attributes_after_integrity(service, message);
  } else {
    count_request(service.counters, message.method());
  }
  if (!binding) {
    serve_turn(service, request);
  } else if (passes_unknown_attributes(service, request)) {
    serve_binding(service, request);
  }
  return kNoLookup;
}

LookupId handle_stun(Service& service, const FiveTuple& from, WorkerIndex worker, Bytes bytes, Step& step) {
  MessageView message;
  const ParseError error = MessageView::parse(bytes, message);
  if (error != ParseError::kNone) {
    count_parse_error(service.counters, error);
    return kNoLookup;
  }
  const MessageClass message_class = message.message_class();
  if (message_class == MessageClass::kSuccess || message_class == MessageClass::kError) {
    ++service.counters.dropped_response;
    return kNoLookup;
  }
  if (!stun::is_accepted(message.method(), message_class)) {
    ++service.counters.dropped_method;
    return kNoLookup;
  }
  if (message_class == MessageClass::kRequest) return serve_request(service, from, worker, message, step);
  if (message.method() == Method::kSend) {
    relay_send_indication(service, from, message, step);
  } else {
    ++service.counters.indications_binding;  // it has done its work: the NAT saw it
  }
  return kNoLookup;
}

}  // namespace

struct Server::State {
  State(Config config, Crypto& crypto, Users& users, SessionObserver* observer, Commons* commons)
      : service(std::move(config), crypto, users, observer != nullptr ? *observer : silence, commons) {}
  SessionObserver silence;
  Service service;
};

Server::Server(Config config, Crypto& crypto, Users& users, SessionObserver* observer, Commons* commons)
    : state_(std::make_unique<State>(std::move(config), crypto, users, observer, commons)) {}

Server::~Server() = default;

LookupId Server::handle_client(const FiveTuple& from, WorkerIndex worker, Bytes message, Time now,
                               Effects& effects) {
  Service& service = state_->service;
  Step step{now, effects};
  if (message.empty() || !service.config.serves(worker)) {
    ++service.counters.dropped_first_byte;
    return kNoLookup;
  }
  switch (stun::classify_first_byte(message[0])) {
    case stun::FirstByte::kStun:
      return handle_stun(service, from, worker, message, step);
    case stun::FirstByte::kChannelData:
      relay_channel_data(service, from, message, step);
      return kNoLookup;
    case stun::FirstByte::kCompatChannel:
      if (!service.config.rfc5766_channels) break;
      relay_channel_data(service, from, message, step);
      return kNoLookup;
    case stun::FirstByte::kDtls:
    case stun::FirstByte::kDrop:
      break;
  }
  ++service.counters.dropped_first_byte;
  return kNoLookup;
}

void Server::handle_peer(const RelayEndpoint& relay, const PeerEndpoint& peer, Bytes payload, Time now,
                         Effects& effects) {
  Step step{now, effects};
  relay_peer_data(state_->service, relay, peer, payload, step);
}

std::optional<Server::Challenge> Server::challenge(Time now) {
  Service& service = state_->service;
  if (!service.config.authenticate || service.config.stun_only) return std::nullopt;
  const Realm& realm = service.users.realm_for_origin({});
  return Challenge{service.nonces.keys(now),
                   realm.name,
                   {realm.offers_sha256, realm.finds_userhash},
                   static_cast<std::uint32_t>(service.nonces.nonce_seconds().count())};
}

Time Server::next_timeout() const { return state_->service.sessions.next_timeout(); }

void Server::on_timeout(Time now, Effects& effects) {
  Step step{now, effects};
  state_->service.sessions.expire(step);
}

void Server::on_applied(WorkerIndex worker, std::uint64_t seq, Time now) {
  state_->service.sessions.confirm(worker, seq, now);
}

void Server::on_refused(WorkerIndex worker, std::uint64_t seq, Time now, Effects& effects,
                        RefusalReason reason) {
  if (!state_->service.config.serves(worker)) return;
  Step step{now, effects};
  take_refusal(state_->service, worker, seq, reason, step);
}

void Server::set_peer_policy(PeerPolicies policies) { state_->service.policies = std::move(policies); }

void Server::set_quotas(const Quotas& quotas) { state_->service.quotas = quotas; }

void Server::set_draining(bool draining) { state_->service.draining = draining; }

void Server::set_wall_clock(seconds ahead) { state_->service.nonces.set_wall_clock(ahead); }

void Server::take_over(const NonceKeys::State& nonces) { state_->service.nonces.resume(nonces); }

bool Server::take_over(const FormerAllocation& former, Time now) {
  return state_->service.sessions.take_over(former, now);
}

bool Server::take_over(const FormerPermission& former, Time now) {
  return state_->service.sessions.take_over(former, now);
}

bool Server::take_over(const FormerChannel& former, Time now) {
  return state_->service.sessions.take_over(former, now);
}

void Server::take_over_port(const RelayEndpoint& relay) { state_->service.sessions.take_over_port(relay); }

void Server::take_over_rest(Time now) { state_->service.sessions.take_over_rest(now); }

NonceKeys::State Server::nonce_keys(Time now) { return state_->service.nonces.state(now); }

void Server::begin_restating(WorkerIndex worker) { state_->service.sessions.begin_restating(worker); }

bool Server::restate(WorkerIndex worker, std::size_t budget, Effects& effects) {
  return state_->service.sessions.restate(worker, budget, effects);
}

bool Server::is_unsaid(const SlotId& allocation) const {
  return state_->service.sessions.is_unsaid(allocation);
}

void Server::set_alternate_servers(const std::vector<wire::Endpoint>& servers) {
  state_->service.alternates.set(servers);
}

std::size_t Server::allocation_count() const { return state_->service.sessions.count(); }

Server::BandwidthUse Server::bandwidth_use() const {
  return {state_->service.commons.bandwidth_handed_out(), state_->service.quotas.bps_capacity};
}

const ServerCounters& Server::counters() const { return state_->service.counters; }

void Server::for_each_session(const std::function<void(const SessionView&)>& visit) const {
  const Service& service = state_->service;
  const auto outside = [&](const Endpoint& endpoint) { return service.own.outside(endpoint); };
  service.sessions.for_each([&](const Allocation& allocation) {
    SessionView view;
    view.allocation = allocation.id;
    view.five_tuple = allocation.five_tuple;
    view.user = allocation.user->name;
    view.realm = allocation.user->realm;
    view.relay_v4 = RelayEndpoint(outside(allocation.legs[0].own));
    view.relay_v6 = RelayEndpoint(outside(allocation.legs[1].own));
    view.deadline = allocation.deadline();
    view.max_bps = allocation.max_bps;
    service.sessions.for_each_permission(allocation, [&](const Permission& permission) {
      view.peers.push_back({PeerEndpoint(outside({permission.peer, 0, 0})), 0, permission.deadline});
    });
    service.sessions.for_each_channel(allocation, [&](const Channel& channel) {
      view.peers.push_back({PeerEndpoint(outside(channel.peer)), channel.number, channel.deadline});
    });
    visit(view);
  });
}

void Server::client_gone(const FiveTuple& client, Time now, Effects& effects) {
  Service& service = state_->service;
  Step step{now, effects};
  if (Allocation* found = service.sessions.find(client, step)) {
    service.sessions.remove(*found, effects, EndReason::kConnectionClosed);
    ++service.counters.allocations_deleted;
  }
}

void Server::remove(SlotId allocation, Effects& effects, EndReason reason) {
  Service& service = state_->service;
  if (Allocation* found = service.sessions.find(allocation)) {
    service.sessions.remove(*found, effects, reason);
    ++service.counters.allocations_deleted;
  }
}

}  // namespace turnpike::turn
