// SPDX-License-Identifier: BSD-3-Clause
// Random talks of several clients with the server, step by step against the naive model: every answer, every
// fact, and who may send to whom by model, by facts and by the server's own data path.
#pragma once

#include <deque>
#include <random>

#include "common/turn/server.hpp"
#include "tests/model/naive_turn.hpp"
#include "tests/support/turn_client.hpp"

namespace turnpike::model {

using stun::Attribute;
using stun::Method;
using test::Datagram;
using test::endpoint;
using test::Reply;
using test::TurnClient;

// How the workers behave.
enum class Workers { kPrompt, kLate, kRefusing };

// step() throws std::runtime_error at the first disagreement.
class Talk {
public:
  Talk(std::uint64_t seed, Workers workers);

  void step();

  std::map<int, int> outcomes;  // answers by code, 0: success

private:
  struct Sent {
    std::size_t client;
    Intent intent;
    Datagram bytes;
    Time at;
  };

  turn::Config config() const;
  turn::Quotas quotas() const;
  std::uint64_t dice(std::uint64_t sides) { return random_() % sides; }
  std::size_t ghosts() const;

  void pass_time();
  void run_timeouts();

  // Facts as they are emitted: numbered without gaps, at once in the emitted view, queued for the worker.
  void take_effects();
  // A relayed address or a slot is nobody else's, also for workers that have not caught up.
  void check_reuse(const Effect& effect);

  void settle();
  void apply(WorkerIndex worker, const Effect& effect);
  void note_rest(const std::map<Slot, InstallAllocation>& before);
  void refuse(WorkerIndex worker, std::uint64_t seq);

  Endpoint random_peer();
  Intent random_intent();
  Datagram write(TurnClient& client, const Intent& intent);
  std::vector<Reply> hand(const TurnClient& client, WorkerIndex worker, const Datagram& bytes);
  void renew_nonce(std::size_t client, WorkerIndex worker);
  void request(const Intent& intent);
  void exchange(std::size_t client, const Intent& intent, const Datagram& bytes);
  void check_reply(TurnClient& client, const Intent& intent, const Prediction& expected, const Reply& reply);
  // The worker refuses one of the request's installations: everything is as before it.
  void refuse_one_of(const Intent& intent, const Prediction& expected, const Reply& reply,
                     const NaiveTurn& before, const std::map<WorkerIndex, std::uint64_t>& seq_before);
  static std::uint64_t seq_of(const Effect& effect);

  // The same bytes again.
  void repeat();

  // Another user, or nobody, on somebody's 5-tuple.
  void intrude();
  Intent random_intent_of(Method method, std::size_t client, WorkerIndex worker);

  void remove_one();
  void reload();  // other bandwidth limits

  // Who may send to whom: model, facts and the server's data path agree.
  void probe();
  bool is_ghost_leg(const FiveTuple& client, Family family) const;
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
  void probe_send(TurnClient& client, const Endpoint& peer);
  void probe_channel(TurnClient& client, std::uint16_t number);
  void probe_receive(const RelayEndpoint& relay, const PeerEndpoint& peer);

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

}  // namespace turnpike::model
