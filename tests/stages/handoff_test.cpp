// SPDX-License-Identifier: BSD-3-Clause
// Two workers behind one queue: packets go to their owner, frames to the owner of the port's transmit queue.
#include "common/base/steering.hpp"
#include "dataplane/inbox.hpp"
#include "dataplane/stages/stages.hpp"
#include "tests/stages/stage_fixture.hpp"

namespace turnpike::test {
namespace {

class TwoWorkers : public StageTest {
protected:
  void SetUp() override {
    StageTest::SetUp();
    worker_.reset();  // its tables' names are needed again
    shm::Capacity capacity = region_->capacity();
    capacity.workers = 2;
    auto region = shm::Region::create(capacity);
    ASSERT_TRUE(region) << region.error();
    *region_ = std::move(*region);
    dataplane::WorkerSetConfig config;
    config.region = region_.get();
    config.ports = port_list_;
    config.mbufs = pool_;
    config.clock = clock_.get();
    auto set = dataplane::WorkerSet::create(config);
    ASSERT_TRUE(set) << set.error();
    set_ = std::move(*set);
    for (WorkerIndex i = 0; i < 2; ++i) rings_[i] = shm::Producer(region_->command_ring(i));
    for (std::uint16_t i = 0; i < 2; ++i) {
      shm::LocalAddress local;
      local.index = i;
      local.address = address(i == 0 ? "10.0.1.1" : "10.0.2.1");
      local.listener_port = i == 0 ? kListen : 0;
      local.relay_min = i == 0 ? 0 : 49152;
      local.relay_max = i == 0 ? 0 : 65535;
      shm::NextHop hop;
      hop.index = i + 1;
      hop.port = i;
      hop.resolved = 1;
      for (WorkerIndex worker = 0; worker < 2; ++worker) {
        push(worker, shm::Command::kSetLocalAddress, local);
        push(worker, shm::Command::kSetNextHop, hop);
      }
    }
    turn();
  }
  void TearDown() override {
    set_.reset();
    EXPECT_EQ(mbufs_in_use(), 0u);
  }

  template <typename Body>
  void push(WorkerIndex worker, shm::Command kind, const Body& body, std::uint64_t seq = 0) {
    ASSERT_TRUE(rings_[worker].push(static_cast<std::uint16_t>(kind), seq,
                                    Bytes(reinterpret_cast<const std::uint8_t*>(&body), sizeof body)));
  }
  // A few passes of both loops, as two lcores would make them.
  void turn() {
    for (int pass = 0; pass < 4; ++pass) {
      for (WorkerIndex i = 0; i < 2; ++i) set_->worker(i).pass();
    }
  }
  void arrive(const ByteVector& frame, std::uint16_t port) {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
    std::memcpy(rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(frame.size())), frame.data(),
                frame.size());
    captured_[port]->waiting.push_back(mbuf);
    captured_[0]->sent.clear();
    captured_[1]->sent.clear();
    turn();
  }
  WorkerIndex owner(const wire::Endpoint& client) {
    dataplane::LocalAddresses::Entry local;
    local.address = server_.address;
    dataplane::Packet packet;
    packet.local = &local;
    packet.key.remote = client.address.bytes;
    packet.key.remote_port = client.port;
    packet.key.local_port = server_.port;
    return dataplane::owner_of_client(packet, 2);
  }
  std::uint64_t total(Counter counter) const {
    std::uint64_t sum = 0;
    for (WorkerIndex i = 0; i < 2; ++i)
      sum += region_->worker(i).counts.counters[static_cast<std::size_t>(counter)];
    return sum;
  }
  std::uint64_t deadline() const { return clock_->now_ns() + 600 * kSecond; }

  std::unique_ptr<dataplane::WorkerSet> set_;
  std::array<shm::Producer, 2> rings_;
};

TEST_F(TwoWorkers, both_directions_reach_the_owner_and_leave_by_the_only_queue) {
  std::array<int, 2> owned{};
  for (std::uint16_t i = 0; i < 12; ++i) {
    wire::Endpoint client = client_;
    client.port = static_cast<std::uint16_t>(40000 + i);
    const WorkerIndex worker = owner(client);
    ++owned[worker];
    shm::AllocationFact a;
    a.allocation = {i, 1};
    a.client = client;
    a.server = server_;
    a.relay_v4 = {address("10.0.2.1"), 0,
                  static_cast<std::uint16_t>(worker_ports(worker, 2, 49152, 65535).first + 2 * i)};
    a.client_next_hop = 1;
    a.deadline_ns = deadline();
    shm::ChannelFact c;
    c.channel = {i, 1};
    c.allocation = a.allocation;
    c.relay = a.relay_v4;
    c.peer = endpoint("10.0.2.2:5000");
    c.number = 0x4001;
    c.next_hop = 2;
    c.deadline_ns = c.permission_deadline_ns = deadline();
    push(worker, shm::Command::kInstallAllocation, a, 1 + 2 * i);
    push(worker, shm::Command::kInstallChannel, c, 2 + 2 * i);
    turn();
    UdpFrame out = from_client(channel_data(0x4001, bytes_of("hello")));
    out.source = client;
    arrive(build(out), 0);
    ASSERT_EQ(captured_[1]->sent.size(), 1u);
    auto relayed = parse_frame(captured_[1]->sent[0]);
    EXPECT_EQ(relayed->source, a.relay_v4);
    EXPECT_TRUE(relayed->checksums_right);
    UdpFrame back = from_peer(bytes_of("back"));
    back.destination = a.relay_v4;
    arrive(build(back), 1);
    ASSERT_EQ(captured_[0]->sent.size(), 1u);
    relayed = parse_frame(captured_[0]->sent[0]);
    EXPECT_EQ(relayed->destination, client);
    EXPECT_EQ(relayed->payload, channel_data(0x4001, bytes_of("back")));
  }
  EXPECT_GT(owned[0], 0);
  EXPECT_GT(owned[1], 0);
  // Each packet of worker 1's sessions was handed over once: both ports have one queue, and worker 0 has it.
  EXPECT_EQ(total(Counter::k_handoff_tx), 2u * static_cast<unsigned>(owned[1]));
  EXPECT_EQ(total(Counter::k_handoff_rx), 2u * static_cast<unsigned>(owned[1]));
}

TEST_F(TwoWorkers, hairpins_cross_workers) {
  std::array<wire::Endpoint, 2> clients;
  std::array<wire::Endpoint, 2> relays;
  for (std::uint16_t port = 40000; clients[0].port == 0 || clients[1].port == 0; ++port) {
    wire::Endpoint client = client_;
    client.port = port;
    if (clients[owner(client)].port == 0) clients[owner(client)] = client;
  }
  for (WorkerIndex i = 0; i < 2; ++i) {
    relays[i] = {address("10.0.2.1"), 0, worker_ports(i, 2, 49152, 65535).first};
  }
  for (WorkerIndex i = 0; i < 2; ++i) {
    shm::AllocationFact a;
    a.allocation = {0, 1};
    a.client = clients[i];
    a.server = server_;
    a.relay_v4 = relays[i];
    a.client_next_hop = 1;
    a.deadline_ns = deadline();
    shm::ChannelFact c;
    c.channel = {0, 1};
    c.allocation = a.allocation;
    c.relay = relays[i];
    c.peer = relays[1 - i];
    c.number = static_cast<std::uint16_t>(0x4001 + i);
    c.deadline_ns = c.permission_deadline_ns = deadline();
    push(i, shm::Command::kInstallAllocation, a, 1);
    push(i, shm::Command::kInstallChannel, c, 2);
  }
  turn();
  for (WorkerIndex i = 0; i < 2; ++i) {
    UdpFrame out = from_client(channel_data(static_cast<std::uint16_t>(0x4001 + i), bytes_of("over")));
    out.source = clients[i];
    arrive(build(out), 0);
    ASSERT_EQ(captured_[0]->sent.size(), 1u);
    const auto relayed = parse_frame(captured_[0]->sent[0]);
    EXPECT_EQ(relayed->destination, clients[1 - i]);
    EXPECT_EQ(relayed->payload, channel_data(static_cast<std::uint16_t>(0x4001 + 1 - i), bytes_of("over")));
  }
}

// The limit is the owner's, wherever the packets arrived.
TEST_F(TwoWorkers, a_limited_session_is_limited_by_its_owner) {
  wire::Endpoint client = client_;
  while (owner(client) != 1) ++client.port;
  shm::AllocationFact a;
  a.allocation = {0, 1};
  a.client = client;
  a.server = server_;
  a.relay_v4 = {address("10.0.2.1"), 0, worker_ports(1, 2, 49152, 65535).first};
  a.client_next_hop = 1;
  a.deadline_ns = deadline();
  a.max_bps = 1;  // and a burst of 16384 bytes
  shm::ChannelFact c;
  c.channel = {0, 1};
  c.allocation = a.allocation;
  c.relay = a.relay_v4;
  c.peer = endpoint("10.0.2.2:5000");
  c.number = 0x4001;
  c.next_hop = 2;
  c.deadline_ns = c.permission_deadline_ns = deadline();
  push(1, shm::Command::kInstallAllocation, a, 1);
  push(1, shm::Command::kInstallChannel, c, 2);
  turn();
  UdpFrame out = from_client(channel_data(0x4001, ByteVector(996)));
  out.source = client;
  UdpFrame back = from_peer(ByteVector(1000));
  back.destination = a.relay_v4;
  std::array<std::size_t, 2> passed{};
  for (int i = 0; i < 20; ++i) {
    arrive(build(out), 0);
    passed[0] += captured_[1]->sent.size();
    arrive(build(back), 1);
    passed[1] += captured_[0]->sent.size();
  }
  EXPECT_EQ(passed, (std::array<std::size_t, 2>{16, 16}));
  EXPECT_EQ(region_->over_limit(1, 0).to_peer_packets, 4u);
  EXPECT_EQ(region_->over_limit(1, 0).to_client_packets, 4u);
  EXPECT_EQ(region_->over_limit(0, 0).to_peer_packets, 0u);
}

// RESERVATION-TOKEN: the port was picked from the block of the worker that reserved it.
TEST_F(TwoWorkers, a_reserved_port_is_served_by_the_worker_that_installed_it) {
  wire::Endpoint client = client_;
  while (owner(client) != 1) ++client.port;
  shm::AllocationFact a;
  a.allocation = {0, 1};
  a.client = client;
  a.server = server_;
  a.relay_v4 = {address("10.0.2.1"), 0, worker_ports(0, 2, 49152, 65535).first};
  a.client_next_hop = 1;
  a.deadline_ns = deadline();
  shm::PermissionFact p;
  p.permission = {0, 1};
  p.allocation = a.allocation;
  p.relay = a.relay_v4;
  p.peer = address("10.0.2.2");
  p.next_hop = 2;
  p.deadline_ns = deadline();
  push(1, shm::Command::kInstallAllocation, a, 1);
  push(1, shm::Command::kInstallPermission, p, 2);
  turn();
  UdpFrame in = from_peer(bytes_of("report"));
  in.destination = a.relay_v4;
  arrive(build(in), 1);
  ASSERT_EQ(captured_[0]->sent.size(), 1u);
  EXPECT_EQ(parse_frame(captured_[0]->sent[0])->destination, client);
  EXPECT_EQ(total(Counter::k_peer_to_data), 1u);
  // The next holder may be the block's own worker.
  push(1, shm::Command::kRemoveAllocation, shm::RemoveFact{a.allocation, a.allocation}, 3);
  while (owner(a.client) != 0) ++a.client.port;
  push(0, shm::Command::kInstallAllocation, a, 1);
  push(0, shm::Command::kInstallPermission, p, 2);
  turn();
  arrive(build(in), 1);
  ASSERT_EQ(captured_[0]->sent.size(), 1u);
  EXPECT_EQ(parse_frame(captured_[0]->sent[0])->destination, a.client);
}

}  // namespace
}  // namespace turnpike::test
