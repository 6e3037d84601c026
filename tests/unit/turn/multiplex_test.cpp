// SPDX-License-Identifier: BSD-3-Clause
// Allocations that share relay ports: which port, whose peer, and who hears what.
#include <random>

#include "common/turn/shared_port_pool.hpp"
#include "tests/unit/turn/turn_fixture.hpp"

namespace turnpike::turn {
namespace {

TEST(SharedPorts, two_ports_a_slot_and_slots_by_worker) {
  constexpr SharedPorts one{3480, 1, 4};
  EXPECT_EQ(one.port(0, 0, Family::kIpv4), 3480);
  EXPECT_EQ(one.port(0, 0, Family::kIpv6), 3481);
  EXPECT_EQ(one.port(3, 0, Family::kIpv4), 3486);
  EXPECT_EQ(one.port(3, 0, Family::kIpv6), 3487);
  EXPECT_EQ(one.range(), (PortRange{3480, 3487}));
  constexpr SharedPorts three{4000, 3, 2};
  EXPECT_EQ(three.port(1, 2, Family::kIpv4), 4010);
  EXPECT_EQ(three.range(), (PortRange{4000, 4011}));
  EXPECT_EQ(three.owner(4005), 0);
  EXPECT_EQ(three.owner(4006), 1);
  EXPECT_EQ(three.owner(4012), kNoWorker);
  EXPECT_EQ(three.owner(3999), kNoWorker);
}

TEST(SharedPorts, they_fit_or_there_are_none) {
  EXPECT_TRUE((SharedPorts{65534, 1, 1}.fit()));
  EXPECT_EQ((SharedPorts{65534, 1, 1}.range().last), 65535);
  for (const SharedPorts& bad : {SharedPorts{65535, 1, 1}, SharedPorts{65000, 300, 1}, SharedPorts{0, 1, 1},
                                 SharedPorts{3480, 0, 1}, SharedPorts{3480, 65535, 65535}}) {
    EXPECT_FALSE(bad.fit());
    EXPECT_TRUE(bad.range().empty());
    SharedPortPool pool({Family::kIpv4}, bad, seconds(1));
    EXPECT_FALSE(pool.take(Family::kIpv4, 0, {}));
  }
}

TEST(SharedPorts, least_used_over_all_addresses) {
  SharedPortPool pool({Family::kIpv4, Family::kIpv6, Family::kIpv4}, {3480, 2, 1}, seconds(10));
  std::map<std::pair<int, int>, int> users;
  for (int i = 0; i < 8; ++i) {
    const auto port = pool.take(Family::kIpv4, 0, {});
    ++users[{port->address, port->port}];
  }
  EXPECT_EQ(users.size(), 4u);  // two addresses with two ports each
  for (const auto& [port, count] : users) EXPECT_EQ(count, 2);
  pool.leave({2, 3482});
  EXPECT_EQ(pool.take(Family::kIpv4, 0, {}), (RelayPort{2, 3482}));
  EXPECT_EQ(pool.users({1, 3481}), 0u);
  EXPECT_EQ(pool.users({1, 3480}), 0u);  // no port of that family
  EXPECT_FALSE(pool.take(Family::kIpv4, 1, {}));
}

class TurnMultiplex : public TurnTest {
protected:
  static constexpr const char* kRelay = "198.51.100.10:3480";
  static constexpr const char* kPeer = "8.8.8.8:1000";

  TurnMultiplex() {
    config.multiplex_peer = true;
    config.nonce_lifetime = seconds(1'000'000);
  }
  TurnClient ready(std::string_view from, const std::vector<std::string>& peers = {}) {
    auto c = client(from);
    EXPECT_EQ(allocate(c).relayed.at(0), endpoint(kRelay));
    EXPECT_TRUE(peers.empty() || permit(c, peers).ok());
    return c;
  }
  static bool is_channel_data(Bytes message) { return message[0] >= 0x40; }
};

TEST_F(TurnMultiplex, every_worker_has_its_ports) {
  config.workers = 2;
  auto a = client("203.0.113.5:1");
  auto b = client("203.0.113.5:2");
  const auto both = [](MessageWriter& writer) {
    writer.add_address_family(Attribute::kAdditionalAddressFamily, Family::kIpv6);
  };
  const Reply first = allocate(a, both, 0);
  ASSERT_EQ(first.relayed.size(), 2u);
  EXPECT_EQ(first.relayed[0], endpoint("198.51.100.10:3480"));
  EXPECT_EQ(first.relayed[1], endpoint("[2001:db8:5::10]:3481"));
  const Reply second = allocate(b, both, 1);
  EXPECT_EQ(second.relayed[0], endpoint("198.51.100.10:3482"));
  EXPECT_EQ(second.relayed[1], endpoint("[2001:db8:5::10]:3483"));
}

TEST_F(TurnMultiplex, more_allocations_than_ports) {
  config.multiplex_ports_per_worker = 3;
  std::map<std::uint16_t, int> users;
  for (int i = 0; i < 30; ++i) {
    auto c = client("203.0.113.5:" + std::to_string(1000 + i));
    ++users[allocate(c).relayed.at(0).port];
  }
  EXPECT_EQ(users, (std::map<std::uint16_t, int>{{3480, 10}, {3482, 10}, {3484, 10}}));
  std::size_t sessions = 0;
  server().for_each_session([&](const SessionView& view) {
    ++sessions;
    EXPECT_EQ(users.count(view.relay_v4.port), 1u);
  });
  EXPECT_EQ(sessions, 30u);
}

TEST_F(TurnMultiplex, a_left_port_is_the_next) {
  config.multiplex_ports_per_worker = 2;
  auto a = client("203.0.113.5:1");
  auto b = client("203.0.113.5:2");
  auto c = client("203.0.113.5:3");
  allocate(a);
  const Endpoint left = allocate(b).relayed.at(0);
  allocate(c);
  refresh(b, 0);
  EXPECT_EQ(allocate(b).relayed.at(0), left);  // no rest: others are on it anyway
}

TEST_F(TurnMultiplex, a_port_of_ones_own_is_not_to_be_had) {
  auto c = client();
  for (const bool reserve : {false, true}) {
    EXPECT_EQ(allocate(c, [&](MessageWriter& writer) { writer.add_even_port(reserve); }).error, 400);
  }
  const stun::ReservationToken token{1, 2, 3};
  EXPECT_EQ(allocate(c, [&](MessageWriter& w) { w.add(Attribute::kReservationToken, token); }).error, 400);
  EXPECT_EQ(server().counters().shared_port_wishes, 3u);
  EXPECT_EQ(server().allocation_count(), 0u);
  EXPECT_TRUE(allocate(c).ok());
}

TEST_F(TurnMultiplex, a_bound_peer_is_taken) {
  auto a = ready("203.0.113.5:1");
  auto b = ready("203.0.113.5:2");
  ASSERT_TRUE(bind(a, 0x4000, kPeer).ok());
  const Reply refused = bind(b, 0x4000, kPeer);
  EXPECT_EQ(refused.error, 508);
  const std::string text(refused.bytes.begin(), refused.bytes.end());
  EXPECT_NE(text.find("Peer Taken On Shared Relay Port"), std::string::npos);
  EXPECT_TRUE(b.trusts(refused));
  EXPECT_TRUE(all<InstallPermission>().empty());
  EXPECT_EQ(server().counters().shared_peer_taken, 1u);
  EXPECT_TRUE(bind(b, 0x4000, "8.8.8.8:1001").ok());  // another port, another peer
  EXPECT_TRUE(bind(a, 0x4000, kPeer).ok());           // its own
  EXPECT_EQ(bind(a, 0x4001, kPeer).error, 400);
}

TEST_F(TurnMultiplex, workers_and_families_keep_apart) {
  config.workers = 2;
  auto a = client("203.0.113.5:1");
  auto b = client("203.0.113.5:2");
  allocate(a, {}, 0);
  allocate(b, {}, 1);
  EXPECT_TRUE(bind(a, 0x4000, kPeer).ok());
  EXPECT_TRUE(bind(b, 0x4000, kPeer).ok());
}

TEST_F(TurnMultiplex, a_peer_is_free_again_when_its_channel_or_allocation_ends) {
  auto a = ready("203.0.113.5:1");
  auto b = ready("203.0.113.5:2");
  refresh(a, 3600);
  refresh(b, 3600);
  ASSERT_TRUE(bind(a, 0x4000, kPeer).ok());
  now += seconds(599);
  EXPECT_EQ(bind(b, 0x4000, kPeer).error, 508);
  now += seconds(1);  // over, though no timer has run
  ASSERT_TRUE(bind(b, 0x4000, kPeer).ok());
  EXPECT_EQ(all<RemoveChannel>().size(), 1u);  // before the worker hears of the new one
  EXPECT_EQ(bind(a, 0x4000, kPeer).error, 508);
  refresh(b, 0);
  ASSERT_TRUE(bind(a, 0x4000, kPeer).ok());
}

TEST_F(TurnMultiplex, a_peer_is_free_again_when_its_allocation_runs_out) {
  auto a = ready("203.0.113.5:1");
  now += seconds(599);
  auto b = ready("203.0.113.5:2");
  ASSERT_TRUE(bind(a, 0x4000, kPeer).ok());
  EXPECT_EQ(bind(b, 0x4000, kPeer).error, 508);
  now += seconds(1);
  EXPECT_TRUE(bind(b, 0x4000, kPeer).ok());
  EXPECT_EQ(all<RemoveAllocation>().size(), 1u);
}

TEST_F(TurnMultiplex, data_goes_to_the_only_one_who_permits) {
  auto a = ready("203.0.113.5:1", {"8.8.8.8:1"});
  auto b = ready("203.0.113.5:2", {"8.8.4.4:1"});
  EXPECT_EQ(receive(endpoint(kRelay), "8.8.8.8:7")->to, a.tuple);
  EXPECT_EQ(receive(endpoint(kRelay), "8.8.4.4:7")->to, b.tuple);
  EXPECT_FALSE(receive(endpoint(kRelay), "1.1.1.1:7"));
  EXPECT_EQ(server().counters().dropped_peer_no_permission, 1u);
  ASSERT_TRUE(permit(b, {"8.8.8.8:1"}).ok());
  EXPECT_FALSE(receive(endpoint(kRelay), "8.8.8.8:7"));
  EXPECT_EQ(server().counters().dropped_ambiguous_peer, 1u);
  EXPECT_TRUE(send(a, "8.8.8.8:1"));  // the other direction is clear
  EXPECT_TRUE(send(b, "8.8.8.8:1"));
  refresh(a, 0);
  EXPECT_EQ(receive(endpoint(kRelay), "8.8.8.8:7")->to, b.tuple);
  refresh(b, 0);
  EXPECT_FALSE(receive(endpoint(kRelay), "8.8.8.8:7"));
  EXPECT_EQ(server().counters().dropped_no_relay, 1u);
  EXPECT_FALSE(receive(endpoint("198.51.100.10:3481"), "8.8.8.8:7"));
}

TEST_F(TurnMultiplex, what_has_run_out_does_not_count) {
  auto a = ready("203.0.113.5:1", {"8.8.8.8:1"});
  now += seconds(299);
  auto b = ready("203.0.113.5:2", {"8.8.8.8:1"});
  EXPECT_FALSE(receive(endpoint(kRelay), "8.8.8.8:7"));
  now += seconds(1);  // no timer has run
  EXPECT_EQ(receive(endpoint(kRelay), "8.8.8.8:7")->to, b.tuple);
  advance(seconds(1));
  EXPECT_EQ(receive(endpoint(kRelay), "8.8.8.8:7")->to, b.tuple);
}

TEST_F(TurnMultiplex, the_exact_channel_goes_first) {
  auto a = ready("203.0.113.5:1", {"8.8.8.8:1"});
  auto b = ready("203.0.113.5:2");
  refresh(b, 3600);
  ASSERT_TRUE(bind(b, 0x4001, kPeer).ok());
  const auto bound = receive(endpoint(kRelay), kPeer);
  ASSERT_TRUE(bound);
  EXPECT_EQ(bound->to, b.tuple);
  EXPECT_TRUE(is_channel_data(effects.bytes(bound->message)));
  EXPECT_FALSE(receive(endpoint(kRelay), "8.8.8.8:1001"));  // both permit the address
  EXPECT_EQ(server().counters().dropped_ambiguous_peer, 1u);
  advance(seconds(299));
  ASSERT_TRUE(permit(a, {"8.8.8.8:1"}).ok());
  advance(seconds(1));  // b's permission is over, its channel lives
  const auto unbound = receive(endpoint(kRelay), kPeer);
  ASSERT_TRUE(unbound);
  EXPECT_EQ(unbound->to, a.tuple);
  EXPECT_FALSE(is_channel_data(effects.bytes(unbound->message)));
}

TEST_F(TurnMultiplex, shared_ports_may_be_peers_and_services_never) {
  config.workers = 2;
  config.service_endpoints.push_back(ServerEndpoint(endpoint("198.51.100.10:3478")));
  auto a = client("203.0.113.5:1");
  ASSERT_TRUE(allocate(a).ok());
  ASSERT_TRUE(permit(a, {"198.51.100.10:1"}).ok());
  EXPECT_TRUE(send(a, "198.51.100.10:3482"));
  EXPECT_TRUE(bind(a, 0x4000, "198.51.100.10:3482").ok());
  for (const char* no_peer : {"198.51.100.10:3478", "198.51.100.10:3479", "198.51.100.10:3484",
                              "198.51.100.10:50000", "198.51.100.10:22"}) {
    EXPECT_FALSE(send(a, no_peer)) << no_peer;
    EXPECT_EQ(bind(a, 0x4001, no_peer).error, 403) << no_peer;
  }
}

TEST_F(TurnMultiplex, two_workers_clients_call_each_other) {
  config.workers = 2;
  auto a = client("203.0.113.5:1");
  auto b = client("203.0.113.5:2");
  const Endpoint relay_a = allocate(a, {}, 0).relayed.at(0);
  const Endpoint relay_b = allocate(b, {}, 1).relayed.at(0);
  ASSERT_TRUE(permit(a, {wire::to_string(relay_b)}).ok());
  ASSERT_TRUE(permit(b, {wire::to_string(relay_a)}).ok());
  ASSERT_TRUE(send(a, wire::to_string(relay_b)));
  EXPECT_EQ(receive(relay_b, wire::to_string(relay_a))->to, b.tuple);
}

// Against every session looked at one by one.
class TurnMultiplexRandom : public TurnMultiplex {
protected:
  struct Expected {
    std::optional<FiveTuple> to;
    bool channel = false;
  };

  TurnMultiplexRandom() {
    config.multiplex_ports_per_worker = 2;
    for (int i = 0; i < 6; ++i) clients.push_back(client("203.0.113.5:" + std::to_string(100 + i)));
  }
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random() % bound); }
  std::string some_peer() {
    return "8.8.8." + std::to_string(1 + below(3)) + ":" + std::to_string(1 + below(2));
  }
  template <typename Visit>  // visit(session, peer) of what lives
  void for_each_live(const Visit& visit) {
    server().for_each_session([&](const SessionView& view) {
      if (view.deadline <= now) return;
      for (const auto& each : view.peers) {
        if (each.deadline > now) visit(view, each);
      }
    });
  }
  Expected expected(const Endpoint& relay, const Endpoint& from) {
    std::vector<FiveTuple> permitting;
    std::optional<FiveTuple> bound;
    for_each_live([&](const SessionView& view, const SessionView::Peer& each) {
      if (view.relay_v4 != RelayEndpoint(relay) || each.peer.address != from.address) return;
      if (each.channel == 0) permitting.push_back(view.five_tuple);
      if (each.channel != 0 && each.peer == PeerEndpoint(from)) bound = view.five_tuple;
    });
    if (bound && std::find(permitting.begin(), permitting.end(), *bound) != permitting.end()) {
      return {bound, true};
    }
    if (permitting.size() == 1) return {permitting[0], false};
    return {};
  }
  bool taken(const TurnClient& c, const std::string& to) {
    std::optional<RelayEndpoint> own;
    server().for_each_session([&](const SessionView& view) {
      if (view.five_tuple == c.tuple) own = view.relay_v4;
    });
    bool found = false;
    for_each_live([&](const SessionView& view, const SessionView::Peer& each) {
      const bool other = view.five_tuple != c.tuple && view.relay_v4 == own;
      found = found || (other && each.channel != 0 && each.peer == peer(to));
    });
    return found;
  }
  void act(TurnClient& c) {
    switch (below(8)) {
      case 0:
        allocate(c);
        return;
      case 1:
        if (below(4) == 0) refresh(c, 0);
        return;
      case 2:
        refresh(c);
        return;
      case 3:
      case 4:
        permit(c, {some_peer()});
        return;
      case 5:
      case 6: {
        const std::string to = some_peer();
        const bool collides = taken(c, to);
        const auto before = server().counters().shared_peer_taken;
        const Reply reply = bind(c, static_cast<std::uint16_t>(0x4000 + below(3)), to);
        const bool refused = server().counters().shared_peer_taken != before;
        EXPECT_TRUE(!refused || collides);
        EXPECT_FALSE(reply.ok() && collides);
        return;
      }
      default:
        return below(2) == 0 ? advance(seconds(below(200))) : void(now += seconds(below(100)));
    }
  }
  std::mt19937 random{20261121};
  std::vector<TurnClient> clients;
};

TEST_F(TurnMultiplexRandom, as_a_look_at_every_session_says) {
  std::size_t relayed = 0;
  for (int round = 0; round < 6000; ++round) {
    act(clients[below(6)]);
    const Endpoint relay = endpoint(below(2) == 0 ? "198.51.100.10:3480" : "198.51.100.10:3482");
    const std::string from = some_peer();
    const Expected wanted = expected(relay, endpoint(from));
    const auto got = receive(relay, from);
    ASSERT_EQ(got.has_value(), wanted.to.has_value()) << "round " << round;
    if (!got) continue;
    ++relayed;
    ASSERT_EQ(got->to, *wanted.to) << "round " << round;
    ASSERT_EQ(is_channel_data(effects.bytes(got->message)), wanted.channel) << "round " << round;
  }
  EXPECT_GT(relayed, 500u);
  EXPECT_GT(server().counters().dropped_ambiguous_peer, 100u);
  EXPECT_GT(server().counters().shared_peer_taken, 50u);
}

}  // namespace
}  // namespace turnpike::turn
