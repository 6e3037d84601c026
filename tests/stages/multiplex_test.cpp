// SPDX-License-Identifier: BSD-3-Clause
// Allocations that share a relayed address: whose peer, whose permission, whose error, and lists that hold
// whatever comes and goes in whichever order.
#include <map>
#include <random>

#include "tests/stages/stage_fixture.hpp"

namespace turnpike::test {
namespace {

constexpr std::uint16_t kFirstClientPort = 40000;

class Multiplex : public StageTest {
protected:
  // Allocation `index` is that of the client with port kFirstClientPort + index; all share the relays.
  shm::AllocationFact allocation_of(std::uint32_t index, std::uint32_t generation = 1) {
    shm::AllocationFact fact = allocation();
    fact.allocation = {index, generation};
    fact.client.port = static_cast<std::uint16_t>(kFirstClientPort + index);
    return fact;
  }
  shm::PermissionFact permission_of(std::uint32_t owner, const char* peer, std::uint32_t slot) {
    shm::PermissionFact fact = permission(peer, slot);
    fact.allocation = {owner, 1};
    return fact;
  }
  shm::ChannelFact channel_of(std::uint32_t owner, const char* peer, std::uint16_t number,
                              std::uint32_t slot) {
    shm::ChannelFact fact = channel(peer, number, slot);
    fact.allocation = {owner, 1};
    return fact;
  }
  void install(const shm::AllocationFact& fact) { command(shm::Command::kInstallAllocation, fact, ++seq_); }
  void install(const shm::PermissionFact& fact) { command(shm::Command::kInstallPermission, fact, ++seq_); }
  void install(const shm::ChannelFact& fact) { command(shm::Command::kInstallChannel, fact, ++seq_); }
  void remove(shm::Command kind, std::uint32_t index, std::uint32_t generation = 1) {
    command(kind, shm::RemoveFact{{index, generation}, {}}, ++seq_);
  }
  void install_allocations(std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) install(allocation_of(i));
  }

  // Which client gets the datagram of `peer`; -1: nobody.
  int receiver_of(const char* peer) {
    receive(build(from_peer(bytes_of("x"), peer)), 1);
    return silent() ? -1 : only(0).destination.port - kFirstClientPort;
  }
  bool is_channel_data() { return only(0).payload.at(0) >= 0x40; }
  bool sends(std::uint32_t owner, const char* peer) {
    UdpFrame frame = from_client(send_indication(endpoint(peer), bytes_of("s")));
    frame.source.port = static_cast<std::uint16_t>(kFirstClientPort + owner);
    receive(build(frame));
    if (silent()) return false;
    const UdpFrame out = only(1);
    EXPECT_EQ(out.source, relay_v4_);
    EXPECT_EQ(out.destination, endpoint(peer));
    return true;
  }
  // Whom an ICMP error about a packet to `peer` reaches.
  int hears_error(const char* peer) {
    UdpFrame quoted;
    quoted.source = relay_v4_;
    quoted.destination = endpoint(peer);
    const ByteVector udp = udp_datagram(quoted);
    UdpFrame router;
    router.source = endpoint("10.0.2.254:0");
    router.destination = relay_v4_;
    receive(build_icmp(router, 3, 4, 1400, joined({ip_header(quoted, wire::kProtocolUdp, udp.size()), udp})),
            1);
    return silent() ? -1 : only(0).destination.port - kFirstClientPort;
  }
};

TEST_F(Multiplex, peers_tell_allocations_apart) {
  install_allocations(2);
  install(permission_of(0, "10.0.2.2", 0));
  install(permission_of(1, "10.0.2.3", 1));
  EXPECT_EQ(receiver_of("10.0.2.2:5000"), 0);
  EXPECT_EQ(receiver_of("10.0.2.3:5000"), 1);
  EXPECT_EQ(receiver_of("10.0.2.4:5000"), -1);
  EXPECT_EQ(drops(DropReason::k_relay_no_permission), 1u);
  EXPECT_EQ(worker_->lcore.tables->size(), 2u + 2u + 2u);  // clients, the two relays, permissions
}

TEST_F(Multiplex, an_address_that_two_permit_is_nobodys_until_one_leaves) {
  for (const std::uint32_t leaver : {0u, 1u}) {
    install_allocations(2);
    install(permission_of(0, "10.0.2.2", 0));
    install(permission_of(1, "10.0.2.2", 1));
    const std::uint64_t before = drops(DropReason::k_relay_ambiguous);
    EXPECT_EQ(receiver_of("10.0.2.2:5000"), -1);
    EXPECT_EQ(drops(DropReason::k_relay_ambiguous), before + 1);
    EXPECT_TRUE(sends(0, "10.0.2.2:5000"));
    EXPECT_TRUE(sends(1, "10.0.2.2:5000"));
    remove(shm::Command::kRemovePermission, leaver);
    EXPECT_EQ(receiver_of("10.0.2.2:5000"), static_cast<int>(1 - leaver));
    EXPECT_FALSE(sends(leaver, "10.0.2.2:5000"));
    EXPECT_TRUE(sends(1 - leaver, "10.0.2.2:5000"));
    install(permission_of(leaver, "10.0.2.2", leaver));
    EXPECT_EQ(receiver_of("10.0.2.2:5000"), -1);
    remove(shm::Command::kRemoveAllocation, 1 - leaver);
    EXPECT_EQ(receiver_of("10.0.2.2:5000"), static_cast<int>(leaver));
    remove(shm::Command::kRemoveAllocation, leaver);
    EXPECT_EQ(worker_->lcore.tables->size(), 0u);
  }
}

TEST_F(Multiplex, a_permission_is_its_allocations_alone) {
  install_allocations(2);
  install(permission_of(0, "10.0.2.2", 0));
  EXPECT_FALSE(sends(1, "10.0.2.2:5000"));
  EXPECT_EQ(drops(DropReason::k_send_no_permission), 1u);
  EXPECT_TRUE(sends(0, "10.0.2.2:5000"));
  EXPECT_EQ(region_->allocation(0, 0).to_peer_packets.load(), 1u);
  EXPECT_EQ(region_->allocation(0, 1).to_peer_packets.load(), 0u);
}

TEST_F(Multiplex, what_has_expired_does_not_count) {
  install_allocations(2);
  install(permission_of(0, "10.0.2.2", 0));
  advance(200);
  install(permission_of(1, "10.0.2.2", 1));
  EXPECT_EQ(receiver_of("10.0.2.2:5000"), -1);
  advance(101);
  EXPECT_EQ(receiver_of("10.0.2.2:5000"), 1);
  EXPECT_FALSE(sends(0, "10.0.2.2:5000"));
  EXPECT_EQ(drops(DropReason::k_send_permission_expired), 1u);
  advance(200);
  EXPECT_EQ(receiver_of("10.0.2.2:5000"), -1);
  EXPECT_EQ(drops(DropReason::k_relay_permission_expired), 1u);
}

TEST_F(Multiplex, the_exact_channel_goes_first) {
  install_allocations(2);
  install(permission_of(0, "10.0.2.2", 0));
  install(permission_of(1, "10.0.2.2", 1));
  install(channel_of(1, "10.0.2.2:5000", 0x4001, 0));
  EXPECT_EQ(receiver_of("10.0.2.2:5000"), 1);
  EXPECT_TRUE(is_channel_data());
  EXPECT_EQ(receiver_of("10.0.2.2:5001"), -1);
  remove(shm::Command::kRemovePermission, 1);
  EXPECT_EQ(receiver_of("10.0.2.2:5001"), 0);
  EXPECT_FALSE(is_channel_data());
}

TEST_F(Multiplex, a_bound_peer_is_not_taken_away) {
  install_allocations(2);
  install(channel_of(0, "10.0.2.2:5000", 0x4001, 0));
  const std::size_t size = worker_->lcore.tables->size();
  install(channel_of(1, "10.0.2.2:5000", 0x4001, 1));
  EXPECT_EQ(counter(Counter::k_facts_refused), 1u);
  EXPECT_EQ(worker_->lcore.tables->size(), size);
  ASSERT_EQ(events_.pop(*event_), shm::PopResult::kMessage);
  EXPECT_EQ(event_->header.seq, seq_);
  EXPECT_EQ(receiver_of("10.0.2.2:5000"), 0);
  remove(shm::Command::kRemoveChannel, 1);  // never was
  EXPECT_EQ(receiver_of("10.0.2.2:5000"), 0);
  remove(shm::Command::kRemoveChannel, 0);
  install(channel_of(1, "10.0.2.2:5000", 0x4001, 1));
  EXPECT_EQ(receiver_of("10.0.2.2:5000"), 1);
}

TEST_F(Multiplex, errors_reach_whom_the_quoted_peer_belongs_to) {
  install_allocations(3);
  install(permission_of(0, "10.0.2.2", 0));
  install(permission_of(1, "10.0.2.3", 1));
  EXPECT_EQ(hears_error("10.0.2.2:5000"), 0);
  EXPECT_EQ(hears_error("10.0.2.3:5000"), 1);
  EXPECT_EQ(hears_error("10.0.2.4:5000"), -1);
  EXPECT_EQ(drops(DropReason::k_icmp_no_permission), 1u);
  install(permission_of(2, "10.0.2.2", 2));
  EXPECT_EQ(hears_error("10.0.2.2:5000"), -1);
  EXPECT_EQ(drops(DropReason::k_relay_ambiguous), 1u);
  install(channel_of(2, "10.0.2.2:5000", 0x4001, 0));
  EXPECT_EQ(hears_error("10.0.2.2:5000"), 2);
  EXPECT_EQ(hears_error("10.0.2.2:5001"), -1);
  remove(shm::Command::kRemoveAllocation, 2);
  EXPECT_EQ(hears_error("10.0.2.2:5000"), 0);
  remove(shm::Command::kRemoveAllocation, 0);
  EXPECT_EQ(hears_error("10.0.2.3:5000"), 1);
  remove(shm::Command::kRemoveAllocation, 1);
  EXPECT_EQ(hears_error("10.0.2.3:5000"), -1);
  EXPECT_EQ(drops(DropReason::k_icmp_not_relayed), 1u);
}

TEST_F(Multiplex, the_relayed_address_lives_until_the_last_one_leaves) {
  std::array<std::uint32_t, 4> order{0, 1, 2, 3};
  do {
    install_allocations(4);
    EXPECT_EQ(worker_->lcore.tables->size(), 4u + 2u);
    for (std::size_t left = 4; left-- > 0;) {
      const std::uint64_t before = drops(DropReason::k_relay_no_allocation);
      EXPECT_EQ(receiver_of("10.0.2.9:1"), -1);
      EXPECT_EQ(drops(DropReason::k_relay_no_allocation), before);
      remove(shm::Command::kRemoveAllocation, order[left]);
      EXPECT_EQ(worker_->lcore.tables->size(), left == 0 ? 0u : left + 2u);
    }
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(receiver_of("10.0.2.9:1"), -1);
  EXPECT_EQ(drops(DropReason::k_relay_no_allocation), 1u);
}

TEST_F(Multiplex, a_lost_family_and_a_reused_slot_leave_the_others_alone) {
  install_allocations(3);
  install(permission_of(0, "10.0.2.2", 0));
  install(permission_of(1, "10.0.2.3", 1));
  install(permission_of(1, "fd00:2::2", 2));
  shm::AllocationFact only_v6 = allocation_of(0);
  only_v6.relay_v4 = {};
  install(only_v6);
  EXPECT_EQ(receiver_of("10.0.2.2:5000"), -1);
  EXPECT_EQ(receiver_of("10.0.2.3:5000"), 1);
  install(allocation_of(2, 2));  // the slot's next owner, same client
  install(allocation_of(1, 2));
  EXPECT_EQ(receiver_of("10.0.2.3:5000"), -1);
  EXPECT_EQ(receiver_of("[fd00:2::2]:5000"), -1);
  EXPECT_EQ(drops(DropReason::k_relay_no_allocation), 0u);
  EXPECT_EQ(worker_->lcore.tables->size(), 3u + 2u);
  remove(shm::Command::kRemoveAllocation, 1, 1);  // late
  remove(shm::Command::kRemoveAllocation, 0);
  for (const std::uint32_t index : {1u, 2u}) remove(shm::Command::kRemoveAllocation, index, 2);
  EXPECT_EQ(worker_->lcore.tables->size(), 0u);
}

TEST_F(Multiplex, clearing_forgets_the_sharers) {
  for (int round = 0; round < 2; ++round) {
    install_allocations(2);
    install(permission_of(0, "10.0.2.2", 0));
    install(permission_of(1, "10.0.2.2", 1));
    EXPECT_EQ(receiver_of("10.0.2.2:5000"), -1);
    worker_->lcore.tables->clear();
    EXPECT_EQ(worker_->lcore.tables->size(), 0u);
  }
  install_allocations(2);
  install(permission_of(1, "10.0.2.2", 1));
  EXPECT_EQ(receiver_of("10.0.2.2:5000"), 1);
  EXPECT_FALSE(sends(0, "10.0.2.2:5000"));
}

TEST_F(Multiplex, facts_that_contradict_are_refused) {
  install_allocations(2);
  install(permission_of(0, "10.0.2.2", 0));
  install(channel_of(0, "10.0.2.2:5000", 0x4001, 0));
  std::uint64_t refused = 0;
  const auto bad = [&](const auto& fact) {
    install(fact);
    EXPECT_EQ(counter(Counter::k_facts_refused), ++refused);
  };
  bad(permission_of(0, "10.0.2.2", 1));            // has it under another slot
  bad(channel_of(0, "10.0.2.2:5001", 0x4001, 1));  // the number is bound
  shm::AllocationFact twin = allocation_of(2);
  twin.client = client_;
  bad(twin);  // the client has one
  shm::PermissionFact foreign = permission_of(1, "10.0.2.5", 5);
  foreign.relay.port = 50002;
  bad(foreign);  // not the allocation's relayed address
  shm::AllocationFact crossed = allocation_of(3);
  std::swap(crossed.relay_v4, crossed.relay_v6);
  bad(crossed);
  EXPECT_EQ(receiver_of("10.0.2.2:5000"), 0);
  EXPECT_EQ(worker_->lcore.tables->size(), 2u + 2u + 1u + 2u);
}

TEST_F(Multiplex, a_slot_that_changes_hands_changes_lists) {
  install_allocations(2);
  install(permission_of(0, "10.0.2.2", 0));
  install(permission_of(1, "10.0.2.2", 0));  // same slot and generation, another owner
  EXPECT_EQ(receiver_of("10.0.2.2:5000"), 1);
  remove(shm::Command::kRemoveAllocation, 0);
  EXPECT_EQ(receiver_of("10.0.2.2:5000"), 1);
  remove(shm::Command::kRemoveAllocation, 1);
  EXPECT_EQ(worker_->lcore.tables->size(), 0u);
}

// Against records that are looked at one by one. Time stands at whole tens of seconds, deadlines between.
class MultiplexRandom : public Multiplex {
protected:
  static constexpr std::uint32_t kAllocations = 5;
  static constexpr std::uint32_t kSlots = 9;
  static constexpr const char* kAddresses[] = {"10.0.2.2", "10.0.2.3", "10.0.2.4"};

  struct Held {
    std::uint32_t owner = 0;
    std::uint32_t generation = 0;
    std::string peer;  // address; with port for channels
    std::uint16_t number = 0;
    std::uint64_t until = 0;
    bool live(std::uint64_t now) const { return now < until; }
  };
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random() % bound); }
  std::string some_address() { return kAddresses[below(3)]; }
  std::string some_peer() { return some_address() + (below(2) == 0 ? ":5000" : ":5001"); }
  std::uint64_t some_deadline() { return now + 5 + 10 * below(20); }
  std::uint64_t ns(std::uint64_t at) const { return kStartNs + at * kSecond; }

  void act_on_allocation(std::uint32_t i) {
    if (owners.count(i) != 0 && below(3) == 0) {
      remove(shm::Command::kRemoveAllocation, i, owners[i].generation);
      forget(i);
      return;
    }
    const bool refresh = owners.count(i) != 0 && below(2) == 0;
    if (!refresh) forget(i);
    owners[i] = {i, refresh ? owners[i].generation : ++generation, "", 0, some_deadline()};
    shm::AllocationFact fact = allocation_of(i, owners[i].generation);
    fact.deadline_ns = ns(owners[i].until);
    install(fact);
  }
  void forget(std::uint32_t owner) {
    owners.erase(owner);
    std::erase_if(permissions, [&](const auto& each) { return each.second.owner == owner; });
    std::erase_if(channels, [&](const auto& each) { return each.second.owner == owner; });
  }
  void act_on_permission(std::uint32_t slot, std::uint32_t owner) {
    if (permissions.count(slot) != 0 && below(3) == 0) {
      remove(shm::Command::kRemovePermission, slot, permissions[slot].generation);
      permissions.erase(slot);
      return;
    }
    const Held fresh{owner, ++generation, some_address(), 0, some_deadline()};
    shm::PermissionFact fact = permission_of(owner, fresh.peer.c_str(), slot);
    fact.permission.generation = fresh.generation;
    fact.allocation.generation = owners.count(owner) != 0 ? owners[owner].generation : 1'000'000;
    fact.deadline_ns = ns(fresh.until);
    install(fact);
    bool fits = owners.count(owner) != 0;
    for (const auto& [at, each] : permissions) {
      fits = fits && (at == slot || each.owner != owner || each.peer != fresh.peer);
    }
    note(fits);
    if (fits) permissions[slot] = fresh;
  }
  void act_on_channel(std::uint32_t slot, std::uint32_t owner) {
    if (channels.count(slot) != 0 && below(3) == 0) {
      remove(shm::Command::kRemoveChannel, slot, channels[slot].generation);
      channels.erase(slot);
      return;
    }
    const auto number = static_cast<std::uint16_t>(0x4000 + below(3));
    const Held fresh{owner, ++generation, some_peer(), number, some_deadline()};
    shm::ChannelFact fact = channel_of(owner, fresh.peer.c_str(), number, slot);
    fact.channel.generation = fresh.generation;
    fact.allocation.generation = owners.count(owner) != 0 ? owners[owner].generation : 1'000'000;
    fact.deadline_ns = fact.permission_deadline_ns = ns(fresh.until);
    install(fact);
    bool fits = owners.count(owner) != 0;
    for (const auto& [at, each] : channels) {
      const bool same_number = each.owner == owner && each.number == number;
      fits = fits && (at == slot || (!same_number && each.peer != fresh.peer));
    }
    note(fits);
    if (fits) channels[slot] = fresh;
  }
  void note(bool fits) {
    refused += fits ? 0 : 1;
    ASSERT_EQ(counter(Counter::k_facts_refused), refused);
    while (events_.pop(*event_) == shm::PopResult::kMessage) {
    }
  }
  bool lives(const Held& each) { return each.live(now) && owners[each.owner].live(now); }
  int expected(const std::string& from) {
    for (const auto& [slot, each] : channels) {
      if (each.peer == from && lives(each)) return static_cast<int>(each.owner);
    }
    int only = -1;
    for (const auto& [slot, each] : permissions) {
      if (each.peer != from.substr(0, from.find(':')) || !lives(each)) continue;
      if (only >= 0) return -1;
      only = static_cast<int>(each.owner);
    }
    return only;
  }
  bool expected_send(std::uint32_t owner, const std::string& to) {
    for (const auto& [slot, each] : permissions) {
      if (each.owner == owner && each.peer == to.substr(0, to.find(':')) && lives(each)) return true;
    }
    return false;
  }

  std::mt19937 random{42};
  std::uint64_t now = 0;
  std::uint32_t generation = 0;
  std::uint64_t refused = 0;
  std::map<std::uint32_t, Held> owners;
  std::map<std::uint32_t, Held> permissions;
  std::map<std::uint32_t, Held> channels;
};

TEST_F(MultiplexRandom, as_a_look_at_every_record_says) {
  int relayed = 0;
  for (int round = 0; round < 20000; ++round) {
    const std::uint32_t what = below(16);
    if (what < 2) act_on_allocation(below(kAllocations));
    if (what >= 2 && what < 9) act_on_permission(below(kSlots), below(kAllocations));
    if (what >= 9 && what < 15) act_on_channel(below(kSlots), below(kAllocations));
    if (what == 15) set_time(ns(now += 10));
    const std::string peer = some_peer();
    const int receiver = receiver_of(peer.c_str());
    ASSERT_EQ(receiver, expected(peer)) << "round " << round;
    relayed += receiver >= 0 ? 1 : 0;
    const std::uint32_t sender = below(kAllocations);
    ASSERT_EQ(sends(sender, peer.c_str()), expected_send(sender, peer)) << "round " << round;
  }
  EXPECT_GT(relayed, 2000);
  EXPECT_GT(drops(DropReason::k_relay_ambiguous), 500u);
  for (std::uint32_t i = 0; i < kAllocations; ++i) {
    if (owners.count(i) != 0) remove(shm::Command::kRemoveAllocation, i, owners[i].generation);
  }
  EXPECT_EQ(worker_->lcore.tables->size(), 0u);
}

}  // namespace
}  // namespace turnpike::test
