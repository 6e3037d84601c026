// SPDX-License-Identifier: BSD-3-Clause
// The inbox: idempotent facts, refusals, and a region that lies.
#include <random>

#include "dataplane/inbox.hpp"
#include "tests/stages/stage_fixture.hpp"

namespace turnpike::test {
namespace {

class Inbox : public StageTest {};

TEST_F(Inbox, applied_seq_is_published_after_the_fact_took_effect) {
  install_allocation();
  EXPECT_EQ(region_->worker(0).applied_seq.load(), 1u);
  install_permission("10.0.2.2");
  EXPECT_EQ(region_->worker(0).applied_seq.load(), 2u);
}

TEST_F(Inbox, a_fact_twice_is_the_same_fact) {
  for (int i = 0; i < 3; ++i) {
    install_allocation();
    install_permission("10.0.2.2");
    install_channel("10.0.2.2:5000", 0x4001);
  }
  EXPECT_EQ(worker_->lcore.tables->size(), 3u + 1u + 2u);
  for (int i = 0; i < 2; ++i) command(shm::Command::kRemoveChannel, shm::RemoveFact{{0, 1}, {0, 1}}, ++seq_);
  EXPECT_EQ(worker_->lcore.tables->size(), 4u);
  for (int i = 0; i < 2; ++i)
    command(shm::Command::kRemovePermission, shm::RemoveFact{{0, 1}, {0, 1}}, ++seq_);
  for (int i = 0; i < 2; ++i)
    command(shm::Command::kRemoveAllocation, shm::RemoveFact{{0, 1}, {0, 1}}, ++seq_);
  EXPECT_EQ(worker_->lcore.tables->size(), 0u);
}

TEST_F(Inbox, a_reused_slot_forgets_its_former_owner) {
  install_allocation();
  install_channel("10.0.2.2:5000", 0x4001);
  region_->allocation(0, 0).to_peer_packets.store(77);
  shm::AllocationFact next = allocation();
  next.allocation.generation = 2;
  next.client = endpoint("10.0.1.77:1000");
  command(shm::Command::kInstallAllocation, next, ++seq_);
  EXPECT_EQ(region_->allocation(0, 0).to_peer_packets.load(), 0u);
  receive(build(from_client(channel_data(0x4001, bytes_of("x")))));
  EXPECT_TRUE(silent());
  command(shm::Command::kRemoveAllocation, shm::RemoveFact{{0, 1}, {0, 1}},
          ++seq_);  // late, of the old generation
  EXPECT_EQ(worker_->lcore.tables->size(), 3u);
}

TEST_F(Inbox, C110_losing_a_family_removes_its_permissions_and_channels) {
  install_allocation();
  install_permission("10.0.2.2");
  install_channel("10.0.2.2:5000", 0x4001, 0);
  install_channel("[fd00:2::2]:5000", 0x4002, 1);
  shm::AllocationFact only_v4 = allocation();
  only_v4.relay_v6 = {};
  command(shm::Command::kInstallAllocation, only_v4, ++seq_);
  receive(build(from_client(channel_data(0x4002, bytes_of("x")))));
  EXPECT_TRUE(silent());
  receive(build(from_client(channel_data(0x4001, bytes_of("x")))));
  EXPECT_EQ(only(1).payload, bytes_of("x"));
}

TEST_F(Inbox, a_full_table_refuses_and_says_so) {
  // Slots are few here; keys for all of them fit, so only indices beyond the capacity are refused.
  for (std::uint32_t i = 0; i < 18; ++i) {
    shm::AllocationFact fact = allocation();
    fact.allocation = {i, 1};
    fact.client.port = static_cast<std::uint16_t>(1000 + i);
    fact.relay_v4.port = fact.relay_v6.port = static_cast<std::uint16_t>(50000 + 2 * i);
    command(shm::Command::kInstallAllocation, fact, ++seq_);
  }
  EXPECT_EQ(counter(Counter::k_facts_applied), 16u);
  EXPECT_EQ(counter(Counter::k_facts_refused), 2u);
  for (std::uint64_t seq : {17u, 18u}) {
    ASSERT_EQ(events_.pop(*event_), shm::PopResult::kMessage);
    EXPECT_EQ(event_->header.seq, seq);
  }
}

TEST_F(Inbox, reset_forgets_everything) {
  install_allocation();
  install_channel("10.0.2.2:5000", 0x4001);
  ASSERT_TRUE(commands_.push(static_cast<std::uint16_t>(shm::Command::kReset), 0, {}));
  run_inbox();
  EXPECT_EQ(worker_->lcore.tables->size(), 0u);
  EXPECT_EQ(region_->worker(0).applied_seq.load(), 0u);  // the next control counts from 1
  receive(build(from_client(channel_data(0x4001, bytes_of("x")))));
  EXPECT_TRUE(silent());
}

TEST_F(Inbox, facts_that_cannot_be_are_counted_and_change_nothing) {
  install_allocation();
  const std::size_t size = worker_->lcore.tables->size();
  std::uint64_t refused = 0;
  const auto bad = [&](auto fact, shm::Command kind) {
    command(kind, fact, ++seq_);
    EXPECT_EQ(counter(Counter::k_facts_refused), ++refused);
    EXPECT_EQ(worker_->lcore.tables->size(), size);
  };
  shm::AllocationFact a = allocation();
  a.allocation = {1, 0};
  bad(a, shm::Command::kInstallAllocation);  // generation 0
  a.allocation = {0xFFFFFFFF, 1};
  bad(a, shm::Command::kInstallAllocation);
  a = allocation();
  a.allocation = {1, 1};
  a.server.port = 1;
  bad(a, shm::Command::kInstallAllocation);  // not a listener
  a = allocation();
  a.allocation = {1, 1};
  a.relay_v4 = endpoint("10.0.2.1:80");
  bad(a, shm::Command::kInstallAllocation);  // not a relay port
  a = allocation();
  a.allocation = {1, 1};
  a.client = endpoint("[fd00::1]:1");
  bad(a, shm::Command::kInstallAllocation);  // family of client and server differ
  shm::PermissionFact p = permission("10.0.2.2");
  p.allocation.generation = 9;
  bad(p, shm::Command::kInstallPermission);
  p = permission("10.0.2.2", 4000);
  bad(p, shm::Command::kInstallPermission);
  p = permission("fd00::5");
  p.relay = relay_v4_;
  bad(p, shm::Command::kInstallPermission);
  shm::ChannelFact c = channel("10.0.2.2:5000", 0x3FFF);
  bad(c, shm::Command::kInstallChannel);
  c = channel("10.0.2.2:5000", 0x4000, 4000);
  bad(c, shm::Command::kInstallChannel);
}

TEST_F(Inbox, hostile_commands_are_survived) {
  std::mt19937_64 random(20261121);
  install_allocation();
  install_channel("10.0.2.2:5000", 0x4001);
  for (int round = 0; round < 20000; ++round) {
    ByteVector body(random() % 140);
    for (auto& byte : body) byte = static_cast<std::uint8_t>(random() % 4 == 0 ? random() : random() % 5);
    const auto kind = static_cast<std::uint16_t>(random() % 14);
    if (kind == static_cast<std::uint16_t>(shm::Command::kReset)) continue;
    (void)commands_.push(kind, random() % 3, Bytes(body));
    run_inbox();
    while (events_.pop(*event_) == shm::PopResult::kMessage) {
    }
  }
  EXPECT_GT(counter(Counter::k_commands_invalid), 0u);
}

TEST_F(Inbox, hostile_indices_and_cells_are_survived) {
  std::mt19937_64 random(42);
  const shm::RingView ring = region_->command_ring(0);
  for (int round = 0; round < 3000; ++round) {
    for (int i = 0; i < 64; ++i)
      ring.cells[random() % (ring.cell_count * shm::kCellSize)] = static_cast<std::uint8_t>(random());
    ring.indices->tail.store(round % 2 == 0 ? random() : ring.indices->head.load() + random() % 1030);
    run_inbox();
  }
  EXPECT_GT(counter(Counter::k_commands_invalid), 0u);
  // A control that attaches now continues where the consumer stands.
  ring.indices->tail.store(ring.indices->head.load());
  run_inbox();
  commands_ = shm::Producer(ring);
  ASSERT_TRUE(commands_.push(static_cast<std::uint16_t>(shm::Command::kReset), 0, {}));
  run_inbox();
  EXPECT_EQ(worker_->lcore.tables->size(), 0u);
}

}  // namespace
}  // namespace turnpike::test
