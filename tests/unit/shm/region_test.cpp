// SPDX-License-Identifier: BSD-3-Clause
// The region: layout, publication, and every reason to refuse one.
#include "common/shm/region.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace turnpike::test {
namespace {

shm::Capacity small() {
  shm::Capacity capacity;
  capacity.workers = 3;
  capacity.allocations = 10;
  capacity.permissions = 20;
  capacity.channels = 30;
  capacity.command_cells = 1024;
  capacity.event_cells = 2048;
  return capacity;
}

shm::Region create() {
  auto region = shm::Region::create(small());
  EXPECT_TRUE(region) << region.error();
  return std::move(*region);
}

std::string attach_error(const shm::Region& region) {
  const auto attached = shm::Region::attach(dup(region.fd()));
  return attached ? "" : attached.error();
}

TEST(Region, sections_follow_each_other_without_overlap) {
  const shm::Sections s = shm::layout(small());
  EXPECT_LE(sizeof(shm::RegionHeader), s.ports);
  EXPECT_LE(s.ports + sizeof(shm::PortRecord) * shm::kMaxPorts, s.workers);
  EXPECT_LE(s.workers + sizeof(shm::WorkerBlock) * 4, s.allocation_counters);
  EXPECT_LE(s.allocation_counters + sizeof(shm::AllocationCounters) * 30, s.over_limit);
  EXPECT_LE(s.over_limit + sizeof(shm::OverLimitCounters) * 30, s.rings);
  EXPECT_LE(s.rings, s.ledger);
  EXPECT_LE(s.ledger, s.total);
  const std::uint64_t records = sizeof(shm::LedgerAllocation) + sizeof(shm::LedgerLongNote);
  EXPECT_LE(s.ledger + sizeof(shm::LedgerHeader) + 30 * records, s.total);
  for (const std::uint64_t offset :
       {s.ports, s.workers, s.allocation_counters, s.over_limit, s.rings, s.ledger}) {
    EXPECT_EQ(offset % kIsolation, 0u);
  }
}

TEST(Region, both_sides_see_the_same_rings_and_counters) {
  shm::Region region = create();
  region.publish();
  auto attached = shm::Region::attach(dup(region.fd()));
  ASSERT_TRUE(attached) << attached.error();
  EXPECT_EQ(attached->capacity().event_cells, 2048u);
  auto message = std::make_unique<shm::Message>();
  for (WorkerIndex worker = 0; worker <= 3; ++worker) {
    shm::Producer commands(attached->command_ring(worker));
    shm::Producer events(region.event_ring(worker));
    ASSERT_TRUE(commands.push(1, 100u + worker, {}));
    ASSERT_TRUE(events.push(2, 200u + worker, {}));
  }
  for (WorkerIndex worker = 0; worker <= 3; ++worker) {
    shm::Consumer commands(region.command_ring(worker));
    shm::Consumer events(attached->event_ring(worker));
    ASSERT_EQ(commands.pop(*message), shm::PopResult::kMessage);
    EXPECT_EQ(message->header.seq, 100u + worker);
    ASSERT_EQ(events.pop(*message), shm::PopResult::kMessage);
    EXPECT_EQ(message->header.seq, 200u + worker);
  }
  region.allocation(2, 9).to_peer_bytes.store(77);
  EXPECT_EQ(attached->allocation(2, 9).to_peer_bytes.load(), 77u);
  EXPECT_EQ(attached->allocation(1, 9).to_peer_bytes.load(), 0u);
  region.over_limit(2, 9).to_client_packets.store(78);
  EXPECT_EQ(attached->over_limit(2, 9).to_client_packets.load(), 78u);
  EXPECT_EQ(attached->over_limit(2, 8).to_client_packets.load(), 0u);
}

TEST(Region, attach_names_its_outcomes) {
  shm::Region region = create();
  EXPECT_NE(attach_error(region).find("has not finished starting"), std::string::npos);
  region.publish();
  EXPECT_EQ(attach_error(region), "");
  region.header().abi_version = shm::kAbiVersion + 1;
  EXPECT_NE(attach_error(region).find("ABI version"), std::string::npos);
  region.header().abi_version = shm::kAbiVersion;
  region.header().sections.rings += kIsolation;
  EXPECT_NE(attach_error(region).find("layout"), std::string::npos);
  region.header().sections.rings -= kIsolation;
  region.header().capacity.workers = 1000;
  EXPECT_NE(attach_error(region).find("layout"), std::string::npos);
  region.header().capacity.workers = 2;  // plausible, but not what the sections say
  EXPECT_NE(attach_error(region).find("layout"), std::string::npos);
}

TEST(Region, what_is_no_region_is_refused) {
  const int unsealed = memfd_create("unsealed", MFD_ALLOW_SEALING);
  ASSERT_EQ(ftruncate(unsealed, 1 << 20), 0);
  EXPECT_FALSE(shm::Region::attach(unsealed));
  const int tiny = memfd_create("tiny", MFD_ALLOW_SEALING);
  ASSERT_EQ(fcntl(tiny, F_ADD_SEALS, F_SEAL_SHRINK), 0);
  EXPECT_FALSE(shm::Region::attach(tiny));
}

TEST(Region, impossible_sizes_are_refused) {
  for (const auto change :
       {+[](shm::Capacity& c) { c.workers = 0; }, +[](shm::Capacity& c) { c.workers = 65; },
        +[](shm::Capacity& c) { c.allocations = 0; }, +[](shm::Capacity& c) { c.command_cells = 1000; },
        +[](shm::Capacity& c) { c.event_cells = 512; }}) {
    shm::Capacity capacity = small();
    change(capacity);
    EXPECT_FALSE(shm::Region::create(capacity));
  }
}

TEST(Region, nobody_can_shrink_it_under_the_other) {
  const shm::Region region = create();
  EXPECT_NE(ftruncate(region.fd(), 4096), 0);
}

}  // namespace
}  // namespace turnpike::test
