// SPDX-License-Identifier: BSD-3-Clause
// The ledger as control writes it: another process makes the updates one machine instruction at a time, and
// after each of them what a next control would find is looked at.
#include "control/dataplane_link/ledger.hpp"

#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <map>

#include "control/dataplane_link/effect_writer.hpp"
#include "control/dataplane_link/ledger_head.hpp"
#include "tests/unit/control/fake_network.hpp"

namespace turnpike::control {
namespace {

using test::ip;
using test::mac;

constexpr WorkerIndex kWorker = 1;
constexpr std::size_t kUpdates = 9;

shm::Region make_region() {
  shm::Capacity capacity{2, 16, 32, 32, 1024, 1024};
  auto made = shm::Region::create(capacity);
  if (!made) throw std::runtime_error(made.error());
  return std::move(*made);
}

// The part of control that writes the ledger.
struct Control {
  Control() {
    network.add_link(10, mac(0xA0));
    hops.set_ports({{"xdp:eth0", shm::PortKind::kXdp, true, 10, mac(0xA0), 1500}});
    origin.from = {wire::ClientEndpoint({ip("192.0.2.7"), 0, 4000}),
                   wire::ServerEndpoint({ip("10.0.1.1"), 0, 3478}), turn::Transport::kUdp};
    origin.path.remote_mac = mac(0xC1);
    origin.path.local_mac = mac(0xA0);
  }

  static turn::SlotId slot(std::uint32_t index, std::uint32_t generation) { return {1, index, generation}; }
  turn::InstallAllocation allocation(std::uint64_t seq, const turn::SlotId& id, int deadline) const {
    turn::InstallAllocation fact;
    fact.seq = seq;
    fact.allocation = id;
    fact.five_tuple = origin.from;
    fact.five_tuple.client.port = static_cast<std::uint16_t>(4000 + id.index);
    fact.relay_v4 = wire::RelayEndpoint({ip("10.0.2.1"), 0, static_cast<std::uint16_t>(50000 + id.index)});
    fact.deadline = Time(deadline);
    fact.deadlines = {Time(deadline), Time{}};
    return fact;
  }
  turn::InstallPermission permission(std::uint64_t seq, std::uint32_t generation, int deadline) const {
    turn::InstallPermission fact;
    fact.seq = seq;
    fact.permission = slot(0, generation);
    fact.allocation = slot(0, 1);
    fact.relay = wire::RelayEndpoint({ip("10.0.2.1"), 0, 50000});
    fact.peer = ip("8.8.8.8");
    fact.deadline = Time(deadline);
    return fact;
  }
  turn::InstallChannel channel(std::uint64_t seq, int deadline) const {
    turn::InstallChannel fact;
    fact.seq = seq;
    fact.channel = slot(2, 1);
    fact.allocation = slot(0, 1);
    fact.relay = wire::RelayEndpoint({ip("10.0.2.1"), 0, 50000});
    fact.peer = wire::PeerEndpoint({ip("8.8.8.8"), 0, 9});
    fact.number = 0x4000;
    fact.deadline = Time(deadline);
    return fact;
  }

  // Each number is one update, whose fact has the next number.
  void update(std::size_t number) {
    turn::Effects effects;
    const std::vector<std::uint8_t> note(number == 4 ? 500 : 60, static_cast<std::uint8_t>(number));
    const auto noted = [&](turn::InstallAllocation fact) {
      fact.note = effects.append(note);
      return fact;
    };
    switch (number) {
      case 0:
        effects.push(noted(allocation(1, slot(0, 1), 600)));
        break;
      case 1:
        effects.push(permission(2, 1, 300));
        break;
      case 2:
        effects.push(channel(3, 600));
        break;
      case 3:
        effects.push(allocation(4, slot(0, 1), 900));  // a Refresh
        break;
      case 4:
        effects.push(noted(allocation(5, slot(1, 1), 600)));
        break;
      case 5:
        effects.push(turn::RemovePermission{6, slot(0, 1), slot(0, 1)});
        break;
      case 6:
        effects.push(permission(7, 2, 900));  // the slot again
        break;
      case 7:
        effects.push(turn::RemoveAllocation{8, slot(1, 1)});
        break;
      case 8:
        effects.push(noted(allocation(9, slot(1, 2), 1200)));
        break;
    }
    writer.write(effects, &origin);
  }

  test::FakeNetwork network;
  shm::Region region = make_region();
  NextHops hops{network};
  CommandQueues queues{region, -1, -1};
  ClientTable clients{2};
  EffectWriter writer{region, queues, hops, clients, 0};
  RequestOrigin origin;
};

template <typename Record>
void add_bytes(std::string& text, const Record& record) {
  text.append(reinterpret_cast<const char*>(&record), sizeof record);
}

// All that a next control would see, as bytes.
std::string seen(const shm::Region& region) {
  const Ledger ledger(region.ledger(kWorker));
  std::string text;
  for (std::uint32_t i = 0; i < ledger.allocations(); ++i) {
    const shm::LedgerAllocation& record = ledger.allocation(i);
    if (record.phase == shm::RecordPhase::kUnused) continue;
    add_bytes(text, record);
    const Bytes note = ledger.is_live(record) ? ledger.note(i) : Bytes();
    text.append(note.begin(), note.end());
  }
  text += "|";
  for (std::uint32_t i = 0; i < ledger.permissions(); ++i) {
    if (ledger.permission(i).phase != shm::RecordPhase::kUnused) add_bytes(text, ledger.permission(i));
  }
  text += "|";
  for (std::uint32_t i = 0; i < ledger.channels(); ++i) {
    if (ledger.channel(i).phase != shm::RecordPhase::kUnused) add_bytes(text, ledger.channel(i));
  }
  return text;
}

Bytes ledger_of(const shm::Region& region) {
  const shm::Sections sections = shm::layout(region.capacity());
  return {reinterpret_cast<const std::uint8_t*>(&region.ledger()), sections.total - sections.ledger};
}

// What the next control reads, of a ledger that stands like this one.
std::string seen_after_death(const shm::Region& region, const shm::Region& scratch) {
  std::memcpy(static_cast<void*>(&scratch.ledger()), ledger_of(region).data(), ledger_of(region).size());
  EXPECT_TRUE(Ledger(scratch.ledger(kWorker)).recover());
  return seen(scratch);
}

// The updates in a process of its own, which stops before the first one.
pid_t start_writer(Control& control) {
  const pid_t writer = fork();
  if (writer != 0) return writer;
  ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  raise(SIGSTOP);
  for (std::size_t i = 0; i < kUpdates; ++i) control.update(i);
  _exit(0);
}

class Follower {
public:
  Follower(const Control& control, std::vector<std::string> states)
      : control_(control), states_(std::move(states)), facts_(control.region.command_ring(kWorker)) {}

  // After one instruction of the writer's.
  void look() {
    const Bytes now = ledger_of(control_.region);
    if (std::memcmp(now.data(), last_.data(), now.size()) == 0) return;
    std::memcpy(last_.data(), now.data(), now.size());
    ++looks;
    const std::string state = seen_after_death(control_.region, scratch_);
    if (state != states_[at_] && at_ < kUpdates && state == states_[at_ + 1]) ++at_;
    ASSERT_TRUE(state == states_[at_]) << "between updates " << at_ << " and " << at_ + 1;
  }
  // What the worker has been told of must be in the ledger.
  void take_facts() {
    while (facts_.pop(*message_) == shm::PopResult::kMessage) ASSERT_LE(message_->header.seq, at_);
  }

  std::size_t looks = 0;
  std::size_t at() const { return at_; }

private:
  const Control& control_;
  const std::vector<std::string> states_;
  shm::Consumer facts_;
  shm::Region scratch_ = make_region();
  std::vector<std::uint8_t> last_ = std::vector<std::uint8_t>(ledger_of(scratch_).size());
  std::size_t at_ = 0;
  std::unique_ptr<shm::Message> message_ = std::make_unique<shm::Message>();
};

TEST(Ledger, killed_at_any_instruction_it_tells_all_or_nothing_of_an_update) {
  Control reference;
  std::vector<std::string> states{seen(reference.region)};
  for (std::size_t i = 0; i < kUpdates; ++i) {
    reference.update(i);
    states.push_back(seen(reference.region));
    ASSERT_NE(states[i], states[i + 1]);
  }

  Control control;
  Follower follower(control, states);
  const pid_t writer = start_writer(control);
  int status = 0;
  ASSERT_EQ(waitpid(writer, &status, 0), writer);
  ASSERT_TRUE(WIFSTOPPED(status));
  while (!::testing::Test::HasFatalFailure()) {
    ASSERT_EQ(ptrace(PTRACE_SINGLESTEP, writer, nullptr, nullptr), 0);
    ASSERT_EQ(waitpid(writer, &status, 0), writer);
    if (!WIFSTOPPED(status)) break;
    follower.look();
    follower.take_facts();
  }
  if (WIFSTOPPED(status)) {
    kill(writer, SIGKILL);
    waitpid(writer, &status, 0);
  }
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(follower.at(), kUpdates);
  EXPECT_GT(follower.looks, 10 * kUpdates);  // instructions that changed something
}

TEST(Ledger, addresses_keep_their_indices) {
  const shm::Region region = make_region();
  const auto address = [](const char* text, std::uint16_t index) {
    shm::LocalAddress fact;
    fact.index = index;
    fact.address = ip(text);
    fact.listener_port = 3478;
    return fact;
  };
  {
    LedgerHead first(region);
    EXPECT_FALSE(first.takes_over());
    const auto placed = first.place({address("10.0.0.1", 0), address("10.0.0.2", 1), address("10.0.0.3", 2)});
    ASSERT_TRUE(placed);
    EXPECT_EQ(placed->size(), 3u);
    first.set_ready();
  }
  LedgerHead second(region);
  EXPECT_TRUE(second.takes_over());
  EXPECT_EQ(second.facts_before(), std::uint64_t{2} << 40);
  const auto placed = second.place({address("10.0.0.3", 0), address("10.0.0.9", 1), address("10.0.0.1", 2)});
  ASSERT_TRUE(placed);
  std::map<std::uint16_t, wire::IpAddress> known;
  for (const shm::LocalAddress& fact : *placed) known[fact.index] = fact.address;
  EXPECT_EQ(known.at(2), ip("10.0.0.3"));
  EXPECT_EQ(known.at(0), ip("10.0.0.1"));
  EXPECT_EQ(known.at(1), wire::IpAddress());  // no longer served
  EXPECT_EQ(known.at(3), ip("10.0.0.9"));     // not where the one that is gone was
}

TEST(Ledger, one_that_is_not_complete_is_begun_anew) {
  const shm::Region region = make_region();
  LedgerHead(region).set_ready();
  region.ledger(kWorker).worker->touched_allocations = 5;
  EXPECT_TRUE(LedgerHead(region).takes_over());
  region.ledger().ready = 0;
  EXPECT_FALSE(LedgerHead(region).takes_over());
  EXPECT_EQ(Ledger(region.ledger(kWorker)).allocations(), 0u);
}

TEST(Ledger, sizes_that_the_other_side_made_up_are_cut) {
  const shm::Region region = make_region();
  const shm::LedgerView view = region.ledger(kWorker);
  view.worker->touched_allocations = view.worker->touched_channels = 0xFFFFFFFF;
  const Ledger ledger(view);
  EXPECT_EQ(ledger.allocations(), 16u);
  EXPECT_EQ(ledger.channels(), 32u);
  view.allocations[0].note_size = 0xFFFF;
  EXPECT_TRUE(ledger.note(0).empty());
  view.channels[0].phase = shm::RecordPhase::kLive;
  view.channels[0].fact.allocation = {0xFFFFFF, 1};
  EXPECT_FALSE(ledger.is_live(ledger.channel(0)));
}

}  // namespace
}  // namespace turnpike::control
