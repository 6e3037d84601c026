// SPDX-License-Identifier: BSD-3-Clause
// A server dies; another one goes on with what its effects told.
#include <deque>

#include "tests/unit/turn/turn_fixture.hpp"

namespace turnpike::turn {
namespace {

// What whoever relays keeps of a server's effects, slot by slot.
class Keeper {
public:
  void keep(const Effects& effects) {
    for (const Effect& effect : effects.list()) {
      if (const auto* fact = std::get_if<InstallAllocation>(&effect)) keep(*fact, effects);
      if (const auto* fact = std::get_if<InstallPermission>(&effect)) {
        at(permissions, fact->permission) = {fact->permission, true, fact->allocation, fact->peer,
                                             fact->deadline};
      }
      if (const auto* fact = std::get_if<InstallChannel>(&effect)) {
        at(channels, fact->channel) = {fact->channel, true,         fact->allocation,
                                       fact->peer,    fact->number, fact->deadline};
      }
      if (const auto* fact = std::get_if<RemoveAllocation>(&effect))
        at(allocations, fact->allocation).live = false;
      if (const auto* fact = std::get_if<RemovePermission>(&effect))
        at(permissions, fact->permission).live = false;
      if (const auto* fact = std::get_if<RemoveChannel>(&effect)) at(channels, fact->channel).live = false;
    }
  }
  // Whether all of it went on.
  bool give_to(Server& server, Time now) const {
    bool all = true;
    for (const FormerAllocation& one : allocations) all = server.take_over(one, now) && all;
    for (const FormerPermission& one : permissions) all = server.take_over(one, now) && all;
    for (const FormerChannel& one : channels) all = server.take_over(one, now) && all;
    server.take_over_rest(now);
    return all;
  }

  std::deque<FormerAllocation> allocations;
  std::deque<FormerPermission> permissions;
  std::deque<FormerChannel> channels;
  std::deque<std::vector<std::uint8_t>> notes;

private:
  void keep(const InstallAllocation& fact, const Effects& effects) {
    FormerAllocation& one = at(allocations, fact.allocation);
    if (fact.note.size != 0) {
      const Bytes note = effects.bytes(fact.note);
      one.note = notes.emplace_back(note.begin(), note.end());
    }
    one = {fact.allocation, true,         fact.five_tuple, {fact.relay_v4, fact.relay_v6},
           fact.deadlines,  fact.max_bps, one.note};
  }
  template <typename Former>
  static Former& at(std::deque<Former>& list, const SlotId& id) {
    while (list.size() <= id.index) {
      list.emplace_back();
      list.back().id = {0, static_cast<std::uint32_t>(list.size() - 1), 0};
    }
    return list[id.index];
  }
};

class TakeoverTest : public TurnTest {
protected:
  TakeoverTest() { last_fact[0] = config.facts_before = 1000; }

  Reply kept(Reply reply) {
    keeper.keep(effects);
    return reply;
  }
  // Another server, with what was kept and the nonces of the first one.
  void die() {
    const auto nonces = server().nonce_keys(now);
    config.facts_before += 1000;
    last_fact[0] = config.facts_before;
    next = std::make_unique<Server>(config, crypto, users, observer);
    next->take_over(nonces);
    goes_on = keeper.give_to(*next, now);
    replace_server(std::move(next));
    restate();
  }
  void restate() {
    server().begin_restating(0);
    restated.clear();
    bool more = true;
    while (more) {
      effects.clear();
      more = server().restate(0, 1, effects);
      for (const Effect& effect : effects.list()) restated.push_back(effect);
      keeper.keep(effects);
      note_facts();
    }
  }
  template <typename T>
  std::size_t count_restated() const {
    return static_cast<std::size_t>(std::count_if(restated.begin(), restated.end(), [](const Effect& effect) {
      return std::holds_alternative<T>(effect);
    }));
  }

  Keeper keeper;
  std::unique_ptr<Server> next;
  bool goes_on = false;
  std::vector<Effect> restated;
};

TEST_F(TakeoverTest, a_session_goes_on_as_if_nothing_had_happened) {
  TurnClient alice = client();
  const Reply allocated = kept(allocate(alice));
  kept(permit(alice, {"8.8.8.1:0", "8.8.8.2:0"}));
  kept(bind(alice, 0x4001, "8.8.8.3:7000"));
  advance(seconds(100));
  kept(permit(alice, {"8.8.8.1:0"}));
  die();
  EXPECT_TRUE(goes_on);
  EXPECT_EQ(count_restated<InstallAllocation>(), 1u);
  EXPECT_EQ(count_restated<InstallPermission>(), 3u);
  EXPECT_EQ(count_restated<InstallChannel>(), 1u);
  EXPECT_EQ(count_restated<Mark>(), 1u);
  EXPECT_EQ(server().allocation_count(), 1u);

  // The same nonce, no challenge.
  EXPECT_EQ(talk(alice, alice.request(Method::kRefresh, {})).error, 0);
  EXPECT_EQ(bind(alice, 0x4001, "8.8.8.3:7000").error, 0);
  EXPECT_EQ(bind(alice, 0x4001, "8.8.8.4:7000").error, 400);
  EXPECT_EQ(allocate(alice).error, 437);
  // Deadlines went on too: the second peer's permission had 200 s left.
  advance(seconds(201));
  EXPECT_FALSE(send(alice, "8.8.8.2:1").has_value());
  EXPECT_TRUE(send(alice, "8.8.8.1:1").has_value());
}

TEST_F(TakeoverTest, a_repeated_allocate_gets_the_same_answer) {
  TurnClient alice = client();
  alice.learn(talk(alice, alice.plain(Method::kAllocate, MessageClass::kRequest, {})));
  const Datagram request = alice.request(Method::kAllocate, [](MessageWriter& writer) {
    add_udp_transport(writer);
    writer.add_even_port(true);
  });
  const Reply before = kept(talk(alice, request));
  ASSERT_EQ(before.error, 0);
  die();
  const Reply again = talk(alice, request);
  ASSERT_EQ(again.error, 0);
  EXPECT_EQ(again.relayed, before.relayed);
  EXPECT_EQ(again.token, before.token);

  // The other half of the pair is still held for the token, and for nobody else.
  TurnClient bob = client("203.0.113.6:5000", "bob", "hunter2");
  const Reply second = ask(bob, Method::kAllocate, [&](MessageWriter& writer) {
    add_udp_transport(writer);
    writer.add(Attribute::kReservationToken, *before.token);
  });
  ASSERT_EQ(second.error, 0);
  EXPECT_EQ(second.relayed.at(0).port, before.relayed.at(0).port + 1);
}

TEST_F(TakeoverTest, quotas_and_bandwidth_count_what_was_taken_over) {
  config.quotas.user = 2;
  config.quotas.max_bps = 1000;
  config.quotas.bps_capacity = 5000;
  TurnClient first = client("203.0.113.5:5001");
  TurnClient second = client("203.0.113.5:5002");
  kept(allocate(first));
  kept(allocate(second));
  die();
  EXPECT_EQ(server().bandwidth_use().handed_out, 2000u);
  TurnClient third = client("203.0.113.5:5003");
  EXPECT_EQ(allocate(third).error, 486);
  EXPECT_EQ(refresh(first, 0).error, 0);
  EXPECT_EQ(server().bandwidth_use().handed_out, 1000u);
  EXPECT_EQ(allocate(third).error, 0);
}

TEST_F(TakeoverTest, what_was_removed_is_removed_again_and_its_port_rests) {
  config.min_port = 50000;
  config.max_port = 50003;
  TurnClient alice = client();
  const Reply first = kept(allocate(alice));
  kept(permit(alice, {"8.8.8.1:0"}));
  apply_at_once = false;
  kept(refresh(alice, 0));
  apply_at_once = true;
  die();
  EXPECT_TRUE(goes_on);
  EXPECT_EQ(server().allocation_count(), 0u);
  EXPECT_EQ(count_restated<RemoveAllocation>(), 1u);
  for (int i = 0; i < 3; ++i) {
    TurnClient other = client("203.0.113.7:600" + std::to_string(i));
    const Reply reply = kept(allocate(other));
    ASSERT_EQ(reply.error, 0);
    EXPECT_NE(reply.relayed.at(0).port, first.relayed.at(0).port);
  }
  advance(seconds(11));
  TurnClient last = client("203.0.113.7:7000");
  EXPECT_EQ(allocate(last).relayed.at(0).port, first.relayed.at(0).port);
}

TEST_F(TakeoverTest, generations_go_on_so_that_no_slot_is_mistaken) {
  TurnClient alice = client();
  kept(allocate(alice));
  kept(refresh(alice, 0));
  die();
  TurnClient bob = client("203.0.113.6:5000", "bob", "hunter2");
  ASSERT_EQ(allocate(bob).error, 0);
  const auto installed = only<InstallAllocation>();
  ASSERT_TRUE(installed);
  EXPECT_EQ(installed->allocation.index, 0u);
  EXPECT_EQ(installed->allocation.generation, 2u);
  EXPECT_GT(installed->seq, 2000u);
}

TEST_F(TakeoverTest, what_is_damaged_is_removed_and_costs_nobody_else) {
  const auto spoil = [](auto change) { return std::function<void(Keeper&)>(change); };
  const std::vector<std::function<void(Keeper&)>> damages = {
      spoil([](Keeper& k) { k.allocations[0].note = {}; }),
      spoil([](Keeper& k) { k.allocations[0].note = k.allocations[0].note.first(39); }),
      spoil([](Keeper& k) {
        k.allocations[0].five_tuple = k.allocations[1].five_tuple, k.allocations[1].live = true;
      }),
      spoil([](Keeper& k) { k.allocations[0].relays[0] = k.allocations[1].relays[0]; }),
      spoil([](Keeper& k) { k.allocations[0].relays[0] = relay("198.51.100.77:50000"); }),
      spoil([](Keeper& k) { k.allocations[0].relays[0].port = 80; }),
      spoil([](Keeper& k) { k.allocations[0].relays[0] = {}; }),
      spoil([](Keeper& k) { k.allocations[0].relays[1] = k.allocations[0].relays[0]; }),
      spoil([](Keeper& k) { k.allocations[0].five_tuple.client.port = 0; }),
      spoil([](Keeper& k) { k.allocations[0].five_tuple.client.address.family = static_cast<Family>(9); }),
      spoil([](Keeper& k) { k.allocations[0].five_tuple.client.address.bytes[12] = 1; }),
  };
  for (const auto& damage : damages) {
    SCOPED_TRACE(&damage - damages.data());
    keeper = Keeper();
    last_fact[0] = config.facts_before;
    replace_server(nullptr);
    TurnClient alice = client();
    TurnClient bob = client("203.0.113.6:5000", "bob", "hunter2");
    kept(allocate(alice));
    kept(permit(alice, {"8.8.8.1:0"}));
    kept(allocate(bob));
    kept(bind(bob, 0x4000, "8.8.8.3:7000"));
    damage(keeper);
    die();
    EXPECT_FALSE(goes_on);
    EXPECT_EQ(server().allocation_count(), 1u);
    EXPECT_EQ(count_restated<RemoveAllocation>(), 1u);
    EXPECT_EQ(count_restated<RemovePermission>() + count_restated<InstallPermission>(), 2u);
  }
}

TEST_F(TakeoverTest, damaged_permissions_and_channels_go_alone) {
  TurnClient alice = client();
  kept(allocate(alice));
  kept(permit(alice, {"8.8.8.1:0", "8.8.8.2:0"}));
  kept(bind(alice, 0x4001, "8.8.8.3:7000"));
  kept(bind(alice, 0x4002, "8.8.8.4:7000"));
  keeper.permissions[1].peer = keeper.permissions[0].peer;
  keeper.channels[1].number = 0x3FFF;
  die();
  EXPECT_FALSE(goes_on);
  EXPECT_EQ(count_restated<InstallPermission>(), 3u);
  EXPECT_EQ(count_restated<InstallChannel>(), 1u);
  EXPECT_EQ(count_restated<RemovePermission>(), 1u);
  EXPECT_EQ(count_restated<RemoveChannel>(), 1u);
  EXPECT_EQ(bind(alice, 0x4002, "8.8.8.4:7000").error, 0);
}

TEST_F(TakeoverTest, while_it_is_restated_the_rest_is_unsaid) {
  TurnClient alice = client();
  TurnClient bob = client("203.0.113.6:5000", "bob", "hunter2");
  kept(allocate(alice));
  kept(allocate(bob));
  server().begin_restating(0);
  EXPECT_TRUE(server().is_unsaid({0, 0, 1}));
  effects.clear();
  EXPECT_TRUE(server().restate(0, 1, effects));
  note_facts();
  EXPECT_FALSE(server().is_unsaid({0, 0, 1}));
  EXPECT_TRUE(server().is_unsaid({0, 1, 1}));
  effects.clear();
  EXPECT_FALSE(server().restate(0, 1, effects));
  EXPECT_EQ(all<Mark>().size(), 1u);
  EXPECT_FALSE(server().is_unsaid({0, 1, 1}));
}

TEST_F(TakeoverTest, shared_ports_and_their_sharers) {
  config.multiplex_peer = true;
  TurnClient alice = client();
  TurnClient bob = client("203.0.113.6:5000", "bob", "hunter2");
  kept(allocate(alice));
  kept(allocate(bob));
  kept(permit(alice, {"8.8.8.1:0"}));
  kept(permit(bob, {"8.8.8.1:0"}));
  kept(bind(alice, 0x4001, "8.8.8.3:7000"));
  die();
  EXPECT_TRUE(goes_on);
  EXPECT_EQ(bind(bob, 0x4001, "8.8.8.3:7000").error, 508);
  EXPECT_EQ(refresh(alice, 0).error, 0);
  EXPECT_EQ(bind(bob, 0x4001, "8.8.8.3:7000").error, 0);
}

}  // namespace
}  // namespace turnpike::turn
