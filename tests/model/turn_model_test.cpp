// SPDX-License-Identifier: BSD-3-Clause
// Random talks of several clients with the server, step by step against the naive model: every answer, every
// fact, and who may send to whom by model, by facts and by the server's own data path. A failing seed prints
// its step; run it alone with --gtest_filter and TURNPIKE_MODEL_SEED.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <random>

#include "common/stun/channel_data.hpp"
#include "common/turn/server.hpp"
#include "tests/model/naive_turn.hpp"
#include "tests/support/turn_client.hpp"

namespace turnpike::model {
namespace {

using stun::Attribute;
using stun::Method;
using test::Datagram;
using test::endpoint;
using test::Reply;
using test::TurnClient;

// How the workers behave.
enum class Workers { kPrompt, kLate, kRefusing };

class Talk {
public:
  Talk(std::uint64_t seed, Workers workers)
      : workers_(workers), random_(seed), crypto_(seed), users_("example.org"), model_(Limits{}) {
    users_.add(crypto_, "alice", "secret");
    users_.add(crypto_, "bob", "hunter2");
    server_ = std::make_unique<Server>(config(), crypto_, users_);
    for (int i = 0; i < 12; ++i) {
      const std::string from = i % 3 == 2 ? "[2001:db8:9::1]:" : "203.0.113.5:";
      const char* to = i % 3 == 2 ? "[2001:db8:5::1]:3478" : "198.51.100.1:3478";
      const auto transport = i % 4 == 3 ? Transport::kTcp : Transport::kUdp;
      clients_.emplace_back(crypto_, test::five_tuple(from + std::to_string(5000 + i), to, transport),
                            i % 2 == 0 ? "alice" : "bob", i % 2 == 0 ? "secret" : "hunter2");
      clients_.back().use_algorithms = i % 5 < 2;
      nonce_time_.push_back(-seconds(100000));
    }
  }

  void step() {
    pass_time();
    switch (dice(12)) {
      case 0:
        repeat();
        break;
      case 1:
        intrude();
        break;
      case 2:
        remove_one();
        break;
      default:
        request(random_intent());
        break;
    }
    if (workers_ != Workers::kLate || dice(4) == 0) settle();
    probe();
    model_.purge(now_);
    model_.compare(emitted_, now_);
    require(server_->allocation_count() >= model_.records.size() - ghosts(), "an allocation is lost");
  }

  std::map<int, int> outcomes;  // answers by code, 0: success

private:
  struct Sent {
    std::size_t client;
    Intent intent;
    Datagram bytes;
    Time at;
  };

  turn::Config config() const {
    turn::Config config;
    const Limits& limits = model_.limits;
    config.realm = "example.org";
    config.workers = limits.workers;
    config.relay_addresses = {{relay_address(1), relay_address(1)}, {relay_address(2), relay_address(2)}};
    config.min_port = limits.min_port;
    config.max_port = limits.max_port;
    config.nonce_lifetime = seconds(3600);
    config.port_rest = std::chrono::duration_cast<seconds>(limits.rest);
    config.max_allocations = static_cast<std::uint32_t>(limits.allocations);
    config.max_permissions = static_cast<std::uint32_t>(limits.permissions);
    config.max_channels = static_cast<std::uint32_t>(limits.channels);
    config.max_permissions_per_allocation = static_cast<std::uint32_t>(limits.permissions_each);
    config.max_channels_per_allocation = static_cast<std::uint32_t>(limits.channels_each);
    config.user_quota = static_cast<std::uint32_t>(limits.quota);
    return config;
  }

  std::uint64_t dice(std::uint64_t sides) { return random_() % sides; }
  std::size_t ghosts() const {
    std::size_t count = 0;
    for (const Record& record : model_.records) count += model_.find(record.client, now_) == nullptr ? 1 : 0;
    return count;
  }

  void pass_time() {
    static constexpr std::int64_t kScales[] = {1'000'000, 300'000'000, 5'000'000'000, 40'000'000'000,
                                               200'000'000'000};
    const auto scale = static_cast<std::uint64_t>(kScales[dice(20) == 0 ? 4 : dice(4)]);
    now_ += Time(static_cast<std::int64_t>(dice(scale)));
    run_timeouts();
    model_.purge(now_);
  }
  void run_timeouts() {
    effects_.clear();
    server_->on_timeout(now_, effects_);
    take_effects();
  }

  // Facts as they are emitted: numbered without gaps, at once in the emitted view, queued for the worker.
  void take_effects() {
    for (const Effect& effect : effects_.list()) {
      std::visit(
          [&](const auto& fact) {
            if constexpr (requires { fact.seq; }) {
              const WorkerIndex worker = fact.allocation.worker;
              require(fact.seq == ++emitted_seq_[worker], "a fact is out of number");
              queues_[worker].push_back(effect);
            }
          },
          effect);
      check_reuse(effect);
      emitted_.apply(effect);
    }
  }
  // A relayed address is nobody else's, also for workers that have not caught up.
  void check_reuse(const Effect& effect) {
    const auto* install = std::get_if<InstallAllocation>(&effect);
    if (install == nullptr) return;
    for (const auto* relay : {&install->relay_v4, &install->relay_v6}) {
      if (relay->address.family == Family::kNone) continue;
      for (const FactTables* facts : {&emitted_, &applied_}) {
        const auto* other = facts->find_relay(*relay);
        require(other == nullptr || other->allocation == install->allocation,
                "a relayed address has two owners");
      }
    }
  }

  void settle() {
    for (auto& [worker, queue] : queues_) {
      while (!queue.empty()) {
        const Effect effect = queue.front();
        queue.pop_front();
        apply(worker, effect);
      }
      server_->on_applied(worker, emitted_seq_[worker], now_);
      applied_seq_[worker] = emitted_seq_[worker];
    }
  }
  void apply(WorkerIndex worker, const Effect& effect) {
    const auto before = applied_.allocations;
    const std::uint64_t seq = std::visit(
        [](const auto& fact) -> std::uint64_t {
          if constexpr (requires { fact.seq; }) return fact.seq;
          return 0;
        },
        effect);
    if (seq == refused_ || !applied_.apply(effect)) {
      refuse(worker, seq);
    } else {
      note_rest(before);
    }
  }
  void note_rest(const std::map<Slot, InstallAllocation>& before) {
    for (const auto& [at, old] : before) {
      const auto found = applied_.allocations.find(at);
      for (const bool v6 : {false, true}) {
        const RelayEndpoint& relay = v6 ? old.relay_v6 : old.relay_v4;
        if (relay.address.family == Family::kNone) continue;
        const bool kept = found != applied_.allocations.end() &&
                          (v6 ? found->second.relay_v6 : found->second.relay_v4) == relay;
        if (!kept) model_.rest(relay, now_);
      }
    }
  }
  void refuse(WorkerIndex worker, std::uint64_t seq) {
    effects_.clear();
    server_->on_refused(worker, seq, now_, effects_);
    for (const Effect& effect : effects_.list()) {
      if (const auto* reply = std::get_if<SendReply>(&effect)) {
        refusal_replies_.push_back(test::read_reply(effects_.bytes(reply->message)));
      }
    }
    take_effects();
  }

  Endpoint random_peer() {
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

  Intent random_intent() {
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

  Datagram write(TurnClient& client, const Intent& intent) {
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

  std::vector<Reply> hand(const TurnClient& client, WorkerIndex worker, const Datagram& bytes) {
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

  void renew_nonce(std::size_t client, WorkerIndex worker) {
    if (now_ - nonce_time_[client] < seconds(3000)) return;
    TurnClient& who = clients_[client];
    const auto replies = hand(who, worker, who.plain(Method::kAllocate, stun::MessageClass::kRequest));
    require(replies.size() == 1 && replies[0].error == 401, "no challenge");
    who.learn(replies[0]);
    nonce_time_[client] = now_;
  }

  void request(const Intent& intent) {
    renew_nonce(client_, intent.worker);
    if (intent.method == Method::kAllocate &&
        model_.has_ghost_allocations(now_)) {  // quota and ports count them
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

  void exchange(std::size_t client, const Intent& intent, const Datagram& bytes) {
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

  void check_reply(TurnClient& client, const Intent& intent, const Prediction& expected, const Reply& reply) {
    require(reply.error == expected.error, "error " + std::to_string(reply.error) + " where the model says " +
                                               std::to_string(expected.error));
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

  // The worker refuses one of the request's installations: everything is as before it.
  void refuse_one_of(const Intent& intent, const Prediction& expected, const Reply& reply,
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
    model_ = before;
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
  static std::uint64_t seq_of(const Effect& effect) {
    return std::visit(
        [](const auto& fact) -> std::uint64_t {
          if constexpr (requires { fact.seq; }) return fact.seq;
          return 0;
        },
        effect);
  }

  // The same bytes again.
  void repeat() {
    if (sent_.empty()) return;
    const Sent& sent = sent_[dice(sent_.size())];
    if (now_ - sent.at > seconds(60)) return;
    if (sent.intent.method == Method::kAllocate && model_.has_ghost_allocations(now_)) return;
    const bool used_up = sent.intent.token && model_.find(sent.intent.client, now_) == nullptr;
    if (used_up && now_ - sent.at > seconds(30)) return;
    exchange(sent.client, sent.intent, sent.bytes);
  }

  // Another user, or nobody, on somebody's 5-tuple.
  void intrude() {
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
  Intent random_intent_of(Method method, std::size_t client, WorkerIndex worker) {
    Intent intent;
    intent.method = method;
    intent.client = clients_[client].tuple;
    intent.worker = worker;
    intent.transaction = clients_[client].transaction();
    intent.lifetime = 0;
    return intent;
  }

  void remove_one() {
    if (emitted_.allocations.empty() || dice(8) != 0) return;
    auto which = emitted_.allocations.begin();
    std::advance(which, static_cast<std::ptrdiff_t>(dice(emitted_.allocations.size())));
    const InstallAllocation fact = which->second;
    effects_.clear();
    server_->remove(fact.allocation, effects_);
    model_.remove(fact.five_tuple);
    take_effects();
  }

  // Who may send to whom: model, facts and the server's data path agree.
  void probe() {
    for (int i = 0; i < 4; ++i) {
      TurnClient& client = clients_[dice(clients_.size())];
      probe_send(client, random_peer());
      probe_channel(client, static_cast<std::uint16_t>(0x4000 + dice(6)));
      if (emitted_.allocations.empty()) continue;
      auto which = emitted_.allocations.begin();
      std::advance(which, static_cast<std::ptrdiff_t>(dice(emitted_.allocations.size())));
      const RelayEndpoint relay = dice(2) == 0 ? which->second.relay_v4 : which->second.relay_v6;
      if (relay.address.family != Family::kNone) probe_receive(relay, PeerEndpoint(random_peer()));
    }
  }
  bool is_ghost_leg(const FiveTuple& client, Family family) const {
    for (const Record& record : model_.records) {
      if (record.client != client) continue;
      const auto leg = record.legs.find(static_cast<int>(family));
      return leg != record.legs.end() && leg->second.deadline <= now_;
    }
    return false;
  }
  template <typename T>
  std::optional<T> hand_media(const TurnClient& client, const Datagram& bytes) {
    effects_.clear();
    server_->handle_client(client.tuple, 0, bytes, now_, effects_);
    return media<T>();
  }
  template <typename T>
  std::optional<T> media() {
    std::optional<T> out;
    for (const Effect& effect : effects_.list()) {
      require(!std::holds_alternative<SendReply>(effect), "data was answered");
      if (const T* match = std::get_if<T>(&effect)) out = *match;
    }
    take_effects();
    return out;
  }
  void probe_send(TurnClient& client, const Endpoint& peer) {
    const bool expected = model_.may_send(client.tuple, peer, now_);
    const bool ghost = is_ghost_leg(client.tuple, peer.address.family);
    const bool by_facts = emitted_.may_send(client.tuple, peer.address, now_) && peer.port != 0 &&
                          is_allowed_peer(peer, model_.limits, true);
    require(ghost || by_facts == expected, "the facts allow another Send than the model");
    const auto out = hand_media<RelayToPeer>(client, client.send_indication(peer, test::as_bytes("m")));
    require(out.has_value() == expected, "the server allows another Send than the model");
    if (out) require(out->peer == PeerEndpoint(peer), "data for the wrong peer");
  }
  void probe_channel(TurnClient& client, std::uint16_t number) {
    const auto expected = model_.channel_target(client.tuple, number, now_);
    const auto by_facts = emitted_.channel_target(client.tuple, number, now_);
    const bool ghost = by_facts && is_ghost_leg(client.tuple, by_facts->address.family);
    require(ghost || by_facts.has_value() == expected.has_value(),
            "the facts know another channel than the model");
    const auto out = hand_media<RelayToPeer>(client, client.channel_data(number, test::as_bytes("m")));
    require(out.has_value() == expected.has_value(), "the server knows another channel than the model");
    if (out) require(out->peer == PeerEndpoint(*expected), "ChannelData for the wrong peer");
  }
  void probe_receive(const RelayEndpoint& relay, const PeerEndpoint& peer) {
    const auto expected = model_.may_receive(relay, peer, now_);
    const auto* owner = emitted_.find_relay(relay);
    const bool ghost = owner != nullptr && is_ghost_leg(owner->five_tuple, relay.address.family);
    const auto by_facts = emitted_.may_receive(relay, peer, now_);
    require(ghost || by_facts == expected, "by the facts " + wire::to_string(peer) + " reaches " +
                                               describe(by_facts) + ", by the model " + describe(expected));
    effects_.clear();
    server_->handle_peer(relay, peer, test::as_bytes("m"), now_, effects_);
    const Effects copy = effects_;
    const auto out = media<RelayToClient>();
    require(out.has_value() == expected.has_value(), "the server lets other peers in than the model");
    if (!out) return;
    require(out->to == owner->five_tuple, "a peer's data for the wrong client");
    const auto channel = stun::parse_channel_data(copy.bytes(out->message));
    const bool indication = copy.bytes(out->message)[0] < 0x40;
    require(indication == (*expected == 0) && (indication || channel->channel == *expected),
            "the wrong form of data");
  }

  static std::string describe(const std::optional<std::uint16_t>& way) {
    return way ? "channel " + std::to_string(*way) : "nobody";
  }

  Workers workers_;
  std::mt19937_64 random_;
  test::TestCrypto crypto_;
  test::TestUsers users_;
  NaiveTurn model_;
  std::unique_ptr<Server> server_;
  std::vector<TurnClient> clients_;
  std::vector<Time> nonce_time_;
  std::deque<Sent> sent_;
  std::vector<stun::ReservationToken> tokens_;
  std::vector<Reply> refusal_replies_;
  std::size_t client_ = 0;
  std::uint64_t refused_ = 0;
  Effects effects_;
  Time now_ = seconds(500'000);
  FactTables emitted_;
  FactTables applied_;
  std::map<WorkerIndex, std::deque<Effect>> queues_;
  std::map<WorkerIndex, std::uint64_t> emitted_seq_;
  std::map<WorkerIndex, std::uint64_t> applied_seq_;
};

void run(std::uint64_t first_seed, Workers workers, const std::vector<int>& must_occur) {
  const char* only = std::getenv("TURNPIKE_MODEL_SEED");
  std::map<int, int> outcomes;
  for (std::uint64_t seed = first_seed; seed < first_seed + 20; ++seed) {
    if (only != nullptr && seed != std::strtoull(only, nullptr, 10)) continue;
    Talk talk(seed, workers);
    for (int step = 0; step < 5000; ++step) {
      try {
        talk.step();
      } catch (const std::exception& broken) {
        FAIL() << "seed " << seed << ", step " << step << ": " << broken.what();
      }
    }
    for (const auto& [code, count] : talk.outcomes) outcomes[code] += count;
  }
  if (only != nullptr) return;
  for (const int code : must_occur) EXPECT_GT(outcomes[code], 50) << "the talks hardly ever led to " << code;
}

TEST(TurnModel, workers_apply_at_once) {
  run(1000, Workers::kPrompt, {0, 400, 403, 437, 440, 441, 443, 486, 508});
}
TEST(TurnModel, workers_lag_behind) { run(2000, Workers::kLate, {0, 400, 403, 437, 441, 443, 508}); }
TEST(TurnModel, workers_refuse) { run(3000, Workers::kRefusing, {0, 508, -508}); }

}  // namespace
}  // namespace turnpike::model
