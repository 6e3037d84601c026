// SPDX-License-Identifier: BSD-3-Clause
// Effects to commands: bodies, next hops, ways back, repetition after a route change.
#include "control/dataplane_link/effect_writer.hpp"

#include "tests/unit/control/fake_network.hpp"
#include "tests/unit/control/region_fixture.hpp"

namespace turnpike::control {
namespace {

using shm::Command;
using test::ip;
using test::mac;

class EffectWriterTest : public test::RegionTest {
protected:
  EffectWriterTest() {
    network.add_link(10, mac(0xA0));
    hops.set_ports({{"xdp:eth0", shm::PortKind::kXdp, true, 10, mac(0xA0), 1500}});
    hops.set_local_addresses({ip("10.0.1.1"), ip("10.0.2.1")});
    network.routes[ip("203.0.114.9")] = {10, ip("10.0.1.254"), false};
    origin.from = {wire::ClientEndpoint({ip("192.0.2.7"), 0, 4000}),
                   wire::ServerEndpoint({ip("10.0.1.1"), 0, 3478}), turn::Transport::kUdp};
    origin.path.remote_mac = mac(0xC1);
    origin.path.local_mac = mac(0xA0);
  }

  turn::InstallAllocation allocation(std::uint64_t seq) {
    return {seq, id, origin.from, wire::RelayEndpoint(relay), {}, Time(1000), 64'000};
  }
  turn::SendReply reply(turn::Effects& effects, std::uint64_t first, std::uint64_t last) {
    const std::uint8_t bytes[] = {1, 2, 3};
    return {origin.from, id.worker, first, last, effects.append(bytes)};
  }
  void write(const std::vector<turn::Effect>& list, const RequestOrigin* from) {
    turn::Effects effects;
    for (const turn::Effect& effect : list) effects.push(effect);
    writer.write(effects, from);
  }
  void rebind() {
    writer.begin_rebind();
    while (writer.rebind_some(3)) {
    }
  }
  static std::vector<Command> kinds(const std::vector<test::Command>& commands) {
    std::vector<Command> kinds;
    for (const auto& command : commands) kinds.push_back(command.kind);
    return kinds;
  }

  test::FakeNetwork network;
  NextHops hops{network};
  CommandQueues queues{*region, -1, -1};
  ClientTable clients{2};
  EffectWriter writer{*region, queues, hops, clients, 0};
  RequestOrigin origin;
  turn::SlotId id{1, 3, 7};
  wire::Endpoint relay{ip("10.0.2.1"), 0, 50000};
};

TEST_F(EffectWriterTest, facts_go_to_their_worker_next_hops_to_all) {
  turn::Effects effects;
  effects.push(allocation(1));
  effects.push(
      turn::InstallPermission{2, {1, 4, 9}, id, wire::RelayEndpoint(relay), ip("203.0.114.9"), Time(2000)});
  effects.push(turn::InstallChannel{3,
                                    {1, 5, 2},
                                    id,
                                    wire::RelayEndpoint(relay),
                                    wire::PeerEndpoint({ip("203.0.114.9"), 0, 7000}),
                                    0x4001,
                                    Time(3000),
                                    Time(4000)});
  effects.push(reply(effects, 1, 3));
  writer.write(effects, &origin);
  EXPECT_EQ(kinds(take(0)), (std::vector{Command::kSetNextHop, Command::kSetNextHop}));
  EXPECT_TRUE(take(kWorkers).empty()) << "the main lcore sends nothing";

  const auto commands = take(1);
  ASSERT_EQ(kinds(commands),
            (std::vector{Command::kSetNextHop, Command::kInstallAllocation, Command::kSetNextHop,
                         Command::kInstallPermission, Command::kInstallChannel, Command::kSendDatagram}));
  const auto known = commands[1].as<shm::AllocationFact>();
  EXPECT_EQ(commands[1].seq, 1u);
  EXPECT_EQ(known.allocation.index, 3u);
  EXPECT_EQ(known.allocation.generation, 7u);
  EXPECT_EQ(known.client, origin.from.client);
  EXPECT_EQ(known.server, origin.from.server);
  EXPECT_EQ(known.relay_v4, relay);
  EXPECT_EQ(known.relay_v6.address.family, wire::Family::kNone);
  EXPECT_EQ(known.deadline_ns, 1000u);
  EXPECT_EQ(known.max_bps, 64'000u);
  EXPECT_EQ(known.client_next_hop, commands[0].as<shm::NextHop>().index);
  const auto permission = commands[3].as<shm::PermissionFact>();
  EXPECT_EQ(permission.permission.index, 4u);
  EXPECT_EQ(permission.allocation.generation, 7u);
  EXPECT_EQ(permission.peer, ip("203.0.114.9"));
  EXPECT_EQ(permission.next_hop, commands[2].as<shm::NextHop>().index);
  EXPECT_EQ(permission.deadline_ns, 2000u);
  const auto channel = commands[4].as<shm::ChannelFact>();
  EXPECT_EQ(channel.number, 0x4001);
  EXPECT_EQ(channel.peer.port, 7000);
  EXPECT_EQ(channel.next_hop, permission.next_hop);
  EXPECT_EQ(channel.deadline_ns, 3000u);
  EXPECT_EQ(channel.permission_deadline_ns, 4000u);
  const auto datagram = commands[5].as<shm::SendDatagram>();
  EXPECT_EQ(datagram.first_fact, 1u);
  EXPECT_EQ(datagram.last_fact, 3u);
  EXPECT_EQ(datagram.from, origin.from.server);
  EXPECT_EQ(datagram.to, origin.from.client);
  EXPECT_EQ(datagram.path.remote_mac, mac(0xC1));
  EXPECT_EQ(commands[5].body.size(), sizeof datagram + 3);
  EXPECT_EQ(writer.last_seq(1), 3u);
  EXPECT_EQ(writer.last_seq(0), 0u);
}

TEST_F(EffectWriterTest, peers_at_our_own_relay_addresses_need_no_next_hop) {
  write({turn::InstallPermission{1, {1, 4, 9}, id, wire::RelayEndpoint(relay), ip("10.0.2.1"), Time(1)}},
        nullptr);
  const auto commands = take(1);
  ASSERT_EQ(commands.size(), 1u);
  EXPECT_EQ(commands[0].as<shm::PermissionFact>().next_hop, shm::kNoNextHop);
}

TEST_F(EffectWriterTest, later_answers_know_the_way_until_the_allocation_is_gone) {
  write({allocation(1)}, &origin);
  turn::Effects later;
  later.push(turn::RemoveAllocation{2, id});
  later.push(reply(later, 0, 0));  // a refusal undoes the allocation, then answers
  writer.write(later, nullptr);
  auto commands = take(1);
  ASSERT_EQ(commands.back().kind, Command::kSendDatagram);
  EXPECT_EQ(commands.back().as<shm::SendDatagram>().path.remote_mac, mac(0xC1));
  const auto removed = commands[commands.size() - 2];
  EXPECT_EQ(removed.kind, Command::kRemoveAllocation);
  EXPECT_EQ(removed.seq, 2u);
  EXPECT_EQ(removed.as<shm::RemoveFact>().removed.generation, 7u);
  turn::Effects after;
  after.push(reply(after, 0, 0));
  writer.write(after, nullptr);
  EXPECT_TRUE(take(1).empty());
  EXPECT_EQ(writer.counters().replies_without_path, 1u);
}

TEST_F(EffectWriterTest, a_client_that_moved_to_another_link_is_answered_there) {
  write({allocation(1)}, &origin);
  origin.path.remote_mac = mac(0xC2);
  write({}, &origin);
  turn::Effects later;
  later.push(reply(later, 0, 0));
  writer.write(later, nullptr);
  EXPECT_EQ(take(1).back().as<shm::SendDatagram>().path.remote_mac, mac(0xC2));
}

TEST_F(EffectWriterTest, a_route_change_repeats_what_leaves_another_way_now) {
  write({allocation(1),
         turn::InstallPermission{2, {1, 4, 9}, id, wire::RelayEndpoint(relay), ip("203.0.114.9"), Time(2000)},
         turn::InstallPermission{3, {1, 6, 1}, id, wire::RelayEndpoint(relay), ip("203.0.114.9"), Time(2000)},
         turn::RemovePermission{4, {1, 6, 1}, id}},
        &origin);
  const auto before = take(1);
  rebind();
  EXPECT_TRUE(take(1).empty()) << "nothing changed";
  network.routes[ip("203.0.114.9")].gateway = ip("10.0.1.253");
  rebind();
  const auto commands = take(1);
  ASSERT_EQ(kinds(commands), (std::vector{Command::kSetNextHop, Command::kInstallPermission}));
  EXPECT_EQ(commands[1].seq, 0u) << "a repetition is no new fact";
  const auto again = commands[1].as<shm::PermissionFact>();
  EXPECT_EQ(again.next_hop, commands[0].as<shm::NextHop>().index);
  EXPECT_EQ(again.permission.index, 4u);
  EXPECT_EQ(again.deadline_ns, 2000u);
  EXPECT_EQ(writer.last_seq(1), 4u);

  write({turn::RemoveAllocation{5, id}}, nullptr);
  take(1);
  network.routes[ip("203.0.114.9")].gateway = ip("10.0.1.252");
  rebind();
  EXPECT_TRUE(take(1).empty()) << "permissions go with their allocation";
}

TEST_F(EffectWriterTest, every_kind_of_fact_is_repeated) {
  network.routes[ip("192.0.2.7")] = {10, ip("10.0.1.254"), false};
  write({allocation(1),
         turn::InstallPermission{2, {1, 4, 9}, id, wire::RelayEndpoint(relay), ip("203.0.114.9"), Time(2000)},
         turn::InstallChannel{3,
                              {1, 5, 2},
                              id,
                              wire::RelayEndpoint(relay),
                              wire::PeerEndpoint({ip("203.0.114.9"), 0, 7000}),
                              0x4001,
                              Time(3000),
                              Time(4000)}},
        &origin);
  take(1);
  EXPECT_FALSE(writer.rebinding());
  network.routes[ip("203.0.114.9")].gateway = network.routes[ip("192.0.2.7")].gateway = ip("10.0.1.253");
  rebind();
  EXPECT_EQ(kinds(take(1)), (std::vector{Command::kSetNextHop, Command::kInstallAllocation,
                                         Command::kInstallPermission, Command::kInstallChannel}));
  EXPECT_FALSE(writer.rebinding());
}

TEST_F(EffectWriterTest, slots_outside_the_region_are_not_written) {
  write({turn::InstallPermission{1, {1, 32, 1}, id, wire::RelayEndpoint(relay), ip("203.0.114.9"), Time(1)},
         turn::InstallPermission{1, {2, 0, 1}, id, wire::RelayEndpoint(relay), ip("203.0.114.9"), Time(1)},
         turn::RemoveAllocation{1, {1, 0, 0}}},
        nullptr);
  EXPECT_TRUE(take(1).empty());
  EXPECT_EQ(writer.counters().outside_tables, 3u);
}

// Its fact needs no way to the client, its answers stay here, its media goes to the worker.
TEST_F(EffectWriterTest, a_client_that_control_serves) {
  turn::Effects effects;
  turn::InstallAllocation install = allocation(1);
  install.five_tuple.transport = turn::Transport::kTls;
  effects.push(install);
  const std::uint8_t bytes[] = {1, 2, 3};
  effects.push(turn::SendReply{install.five_tuple, 1, 1, 1, effects.append(bytes)});
  effects.push(turn::RelayToPeer{id, wire::RelayEndpoint(relay),
                                 wire::PeerEndpoint({ip("203.0.114.9"), 0, 7000}), 0x4001, true,
                                 effects.append(bytes)});
  writer.write(effects, nullptr);
  const auto commands = take(1);
  ASSERT_EQ(kinds(commands), (std::vector{Command::kInstallAllocation, Command::kSendToPeer}));
  EXPECT_EQ(commands[0].as<shm::AllocationFact>().client_next_hop, shm::kServedByControl);
  const auto media = commands[1].as<shm::SendToPeer>();
  EXPECT_EQ(media.allocation.index, id.index);
  EXPECT_EQ(media.peer.port, 7000);
  EXPECT_EQ(media.channel, 0x4001);
  EXPECT_EQ(media.dont_fragment, 1);
  rebind();
  EXPECT_TRUE(take(1).empty());
}

}  // namespace
}  // namespace turnpike::control
