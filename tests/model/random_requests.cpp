// SPDX-License-Identifier: BSD-3-Clause
// Requests, their repetitions and refusals, and who intrudes.
#include "tests/model/random_talk.hpp"

namespace turnpike::model {

Endpoint Talk::random_peer() {
  static const char* const kPeers[] = {"8.8.8.1:1000",   "8.8.8.2:1000", "8.8.8.2:2000", "8.8.8.3:1000",
                                       "8.8.8.4:1000",   "8.8.8.5:1000", "8.8.8.6:7",    "[2a00::1]:1000",
                                       "[2a00::2]:1000", "[2a00::2]:9"};
  const auto which = dice(32);
  if (which == 0) return endpoint("10.0.0.1:1000");
  if (which == 1) return endpoint("[fe80::1]:1000");
  if (which == 2) return endpoint("8.8.8.1:0");
  if (which == 3) return {relay_address(1), 0, 22};
  if (which < 8) {
    return {relay_address(1), 0, static_cast<std::uint16_t>(50001 + dice(20))};
  }
  return endpoint(kPeers[dice(std::size(kPeers))]);
}

Intent Talk::random_intent() {
  Intent intent;
  client_ = dice(clients_.size());
  intent.client = clients_[client_].tuple;
  intent.worker = static_cast<WorkerIndex>(client_ % model_.limits.workers);
  intent.user = clients_[client_].user;
  intent.transaction = clients_[client_].transaction();
  if (dice(3) == 0) intent.lifetime = std::array<std::uint32_t, 5>{0, 100, 700, 2000, 100000}[dice(5)];
  switch (dice(5)) {
    case 0:
      intent.method = Method::kAllocate;
      if (dice(3) == 0) intent.family = static_cast<int>(dice(4));
      intent.dual = dice(3) == 0;
      if (dice(3) == 0) intent.even = static_cast<int>(dice(3));
      if (!tokens_.empty() && dice(4) == 0) {
        intent.token = tokens_[dice(tokens_.size())];
        if (dice(4) != 0) intent.family = intent.even = 0, intent.dual = false;
      }
      break;
    case 1:
      intent.method = Method::kRefresh;
      if (dice(2) == 0) intent.family = static_cast<int>(dice(3));
      break;
    case 2:
    case 3:
      intent.method = Method::kCreatePermission;
      for (auto count = dice(12) == 0 ? 0 : 1 + dice(3); count > 0; --count)
        intent.peers.push_back(random_peer());
      break;
    default:
      intent.method = Method::kChannelBind;
      intent.channel = static_cast<std::uint16_t>(dice(30) == 0 ? 0x5000 : 0x4000 + dice(6));
      intent.peers.push_back(random_peer());
      break;
  }
  return intent;
}

Datagram Talk::write(TurnClient& client, const Intent& intent) {
  client.next_transaction = intent.transaction;
  return client.request(intent.method, [&](stun::MessageWriter& writer) {
    if (intent.method == Method::kAllocate) test::add_udp_transport(writer);
    if (intent.lifetime) writer.add_u32(Attribute::kLifetime, *intent.lifetime);
    if (intent.family != 0) {
      writer.add_address_family(Attribute::kRequestedAddressFamily, static_cast<Family>(intent.family));
    }
    if (intent.dual) writer.add_address_family(Attribute::kAdditionalAddressFamily, Family::kIpv6);
    if (intent.even != 0) writer.add_even_port(intent.even == 2);
    if (intent.token) writer.add(Attribute::kReservationToken, *intent.token);
    if (intent.channel != 0) writer.add_channel_number(intent.channel);
    for (const Endpoint& peer : intent.peers) writer.add_xor_address(Attribute::kXorPeerAddress, peer);
  });
}

std::vector<Reply> Talk::hand(const TurnClient& client, WorkerIndex worker, const Datagram& bytes) {
  effects_.clear();
  server_->handle_client(client.tuple, worker, bytes, now_, effects_);
  std::vector<Reply> replies;
  for (const Effect& effect : effects_.list()) {
    if (const auto* reply = std::get_if<SendReply>(&effect)) {
      replies.push_back(test::read_reply(effects_.bytes(reply->message)));
      replies.back().sent = *reply;
    }
  }
  take_effects();
  return replies;
}

void Talk::renew_nonce(std::size_t client, WorkerIndex worker) {
  if (now_ - nonce_time_[client] < seconds(3000)) return;
  TurnClient& who = clients_[client];
  const auto replies = hand(who, worker, who.plain(Method::kAllocate, stun::MessageClass::kRequest));
  require(replies.size() == 1 && replies[0].error == 401, "no challenge");
  who.learn(replies[0]);
  nonce_time_[client] = now_;
}

void Talk::request(const Intent& intent) {
  renew_nonce(client_, intent.worker);
  const bool counts = intent.method == Method::kAllocate || intent.method == Method::kRefresh;
  if (counts && model_.has_ghost_allocations(now_)) {  // quotas, ports and bandwidth count them
    now_ += NaiveTurn::kGhost;
    run_timeouts();
    settle();
    model_.purge(now_);
  }
  const Datagram bytes = write(clients_[client_], intent);
  sent_.push_back({client_, intent, bytes, now_});
  if (sent_.size() > 30) sent_.pop_front();
  exchange(client_, intent, bytes);
}

void Talk::exchange(std::size_t client, const Intent& intent, const Datagram& bytes) {
  const bool refusing = workers_ == Workers::kRefusing && dice(8) == 0;
  if (refusing) settle();
  const NaiveTurn before = refusing ? model_ : NaiveTurn(model_.limits);
  const auto seq_before = emitted_seq_;
  const Prediction expected = model_.serve(intent, now_, emitted_, applied_, applied_seq_);
  const auto replies = hand(clients_[client], intent.worker, bytes);
  require(replies.size() == (expected.answered ? 1u : 0u), "the wrong number of answers");
  if (!expected.answered) return;
  const Reply& reply = replies[0];
  check_reply(clients_[client], intent, expected, reply);
  ++outcomes[reply.error];
  if (!reply.ok()) return;
  if (expected.creates) model_.adopt(intent, expected, reply.relayed, reply.token, now_);
  if (reply.token) tokens_.push_back(*reply.token);
  if (reply.sent.first_fact == 0) return;
  model_.note_facts(intent, reply.sent.last_fact);
  if (refusing) refuse_one_of(intent, expected, reply, before, seq_before);
}

void Talk::check_reply(TurnClient& client, const Intent& intent, const Prediction& expected,
                       const Reply& reply) {
  require(reply.error == expected.error,
          "error " + std::to_string(reply.error) + " where the model says " + std::to_string(expected.error));
  require(reply.transaction == intent.transaction && reply.method == intent.method,
          "an answer to something else");
  require(client.trusts(reply), "the answer's integrity is wrong");
  if (!reply.ok()) return;
  require(reply.lifetime == expected.lifetime, "another lifetime");
  require(expected.relayed.empty() || reply.relayed == expected.relayed, "another relayed address");
  if (expected.creates)
    require(reply.failed_family.value_or(0) == expected.failed_family, "ADDRESS-ERROR-CODE");
  const bool has_facts = reply.sent.first_fact != 0;
  require(!has_facts || reply.sent.last_fact == emitted_seq_[reply.sent.worker],
          "the answer's facts are not the last");
}

void Talk::refuse_one_of(const Intent& intent, const Prediction& expected, const Reply& reply,
                         const NaiveTurn& before, const std::map<WorkerIndex, std::uint64_t>& seq_before) {
  const WorkerIndex worker = reply.sent.worker;
  std::vector<std::uint64_t> candidates;
  for (const Effect& effect : queues_[worker]) {
    std::visit(
        [&](const auto& fact) {
          using Fact = std::decay_t<decltype(fact)>;
          constexpr bool installs = std::is_same_v<Fact, InstallAllocation> ||
                                    std::is_same_v<Fact, InstallPermission> ||
                                    std::is_same_v<Fact, InstallChannel>;
          if constexpr (installs) {
            const auto known = seq_before.find(worker);
            if (fact.seq > (known == seq_before.end() ? 0 : known->second)) candidates.push_back(fact.seq);
          }
        },
        effect);
  }
  if (candidates.empty()) return;  // a deletion
  refused_ = candidates[dice(candidates.size())];
  refusal_replies_.clear();
  emitted_ = applied_;  // what was emitted beyond it comes again below
  for (const Effect& effect : queues_[worker]) {
    if (seq_of(effect) != refused_) emitted_.apply(effect);
  }
  const auto resting = model_.resting;
  const auto reservations = model_.reservations;
  const std::uint64_t max_bps = model_.max_bps_of(intent.client);
  model_ = before;
  model_.set_max_bps(intent.client, max_bps);  // that of a refused Refresh stays
  model_.resting = resting;
  model_.reservations = reservations;
  if (expected.shrinks) model_.remove(intent.client);
  settle();
  if (expected.creates) {
    for (const Endpoint& relay : reply.relayed) model_.rest(relay, now_);
  }
  refused_ = 0;
  require(refusal_replies_.size() == 1 && refusal_replies_[0].error == 508,
          "a refusal is answered by one 508");
  require(refusal_replies_[0].transaction == intent.transaction, "the 508 is for something else");
  ++outcomes[-508];
}

void Talk::repeat() {
  if (sent_.empty()) return;
  const Sent& sent = sent_[dice(sent_.size())];
  if (now_ - sent.at > seconds(60)) return;
  const bool counts = sent.intent.method == Method::kAllocate || sent.intent.method == Method::kRefresh;
  if (counts && model_.has_ghost_allocations(now_)) return;
  const bool used_up = sent.intent.token && model_.find(sent.intent.client, now_) == nullptr;
  if (used_up && now_ - sent.at > seconds(30)) return;
  exchange(sent.client, sent.intent, sent.bytes);
}

void Talk::intrude() {
  client_ = dice(clients_.size());
  TurnClient thief = clients_[client_];
  const auto worker = static_cast<WorkerIndex>(client_ % model_.limits.workers);
  renew_nonce(client_, worker);
  thief.nonce = clients_[client_].nonce;
  thief.realm = clients_[client_].realm;
  thief.algorithms = clients_[client_].algorithms;
  Intent intent = random_intent_of(Method::kRefresh, client_, worker);
  if (dice(2) == 0) {
    thief.password = "wrong";
    const auto replies = hand(thief, worker, write(thief, intent));
    require(replies.size() == 1 && replies[0].error == 401, "a wrong password");
    return;
  }
  const bool alice = thief.user == "alice";
  thief.user = intent.user = alice ? "bob" : "alice";
  thief.password = alice ? "hunter2" : "secret";
  const bool exists = model_.find(intent.client, now_) != nullptr;
  if (!exists) model_.remove(intent.client);
  const auto replies = hand(thief, worker, write(thief, intent));
  require(replies.size() == 1 && replies[0].error == (exists ? 441 : 437), "another user");
  ++outcomes[replies[0].error];
}

Intent Talk::random_intent_of(Method method, std::size_t client, WorkerIndex worker) {
  Intent intent;
  intent.method = method;
  intent.client = clients_[client].tuple;
  intent.worker = worker;
  intent.transaction = clients_[client].transaction();
  intent.lifetime = 0;
  return intent;
}

void Talk::remove_one() {
  if (emitted_.allocations.empty() || dice(8) != 0) return;
  auto which = emitted_.allocations.begin();
  std::advance(which, static_cast<std::ptrdiff_t>(dice(emitted_.allocations.size())));
  const InstallAllocation fact = which->second;
  effects_.clear();
  server_->remove(fact.allocation, effects_);
  model_.remove(fact.five_tuple);
  take_effects();
}

}  // namespace turnpike::model
