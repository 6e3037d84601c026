// SPDX-License-Identifier: BSD-3-Clause
// A control that writes what it likes: raw messages, valid facts with bytes changed, bare cells and indices,
// between them packets through the stages, so that what the facts left in the tables is used. Properties: no
// sanitizer report, every buffer comes back, and a reset makes a worker as good as new.
#include <algorithm>
#include <vector>

#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/stages/stage_fixture.hpp"

namespace turnpike::test {
namespace {

struct Template {
  shm::Command kind;
  std::vector<std::uint8_t> body;
};

class HostileControl : public StageTest {
public:
  HostileControl() { SetUp(); }
  void TestBody() override {}

  void run(Bytes bytes) {
    make_templates();
    FuzzInput input(bytes);
    while (!input.empty()) step(input);
    resync();
    must_work();
  }

private:
  template <typename T>
  void add(shm::Command kind, const T& body, Bytes payload = {}) {
    const auto* first = reinterpret_cast<const std::uint8_t*>(&body);
    std::vector<std::uint8_t> whole(first, first + sizeof body);
    whole.insert(whole.end(), payload.begin(), payload.end());
    templates_.push_back({kind, std::move(whole)});
  }

  // Of the moment: deadlines are absolute.
  void make_templates() {
    templates_.clear();
    add(shm::Command::kInstallAllocation, allocation());
    add(shm::Command::kInstallPermission, permission("10.0.2.2"));
    add(shm::Command::kInstallPermission, permission("fd00:2::2", 1));
    add(shm::Command::kInstallChannel, channel("10.0.2.2:5000", 0x4001));
    add(shm::Command::kInstallChannel, channel("[fd00:2::2]:5000", 0x4002, 1));
    add(shm::Command::kRemoveAllocation, shm::RemoveFact{{0, 1}, {0, 1}});
    add(shm::Command::kRemovePermission, shm::RemoveFact{{0, 1}, {0, 1}});
    add(shm::Command::kRemoveChannel, shm::RemoveFact{{0, 1}, {0, 1}});
    shm::NextHop hop;
    hop.index = 2;
    hop.port = 1;
    hop.resolved = 1;
    add(shm::Command::kSetNextHop, hop);
    shm::LocalAddress local;
    local.index = 3;
    local.address = address("10.0.2.1");
    local.relay_min = 49152;
    local.relay_max = 65535;
    add(shm::Command::kSetLocalAddress, local);
    shm::Challenge challenge;
    challenge.realm = {'x'};
    challenge.realm_size = 1;
    add(shm::Command::kSetChallenge, challenge);
    shm::SendDatagram datagram;
    datagram.from = server_;
    datagram.to = client_;
    add(shm::Command::kSendDatagram, datagram, payload_);
    shm::SendToPeer to_peer;
    to_peer.allocation = {0, 1};
    to_peer.peer = endpoint("10.0.2.2:5000");
    add(shm::Command::kSendToPeer, to_peer, payload_);
  }

  void step(FuzzInput& input) {
    const std::uint8_t operation = input.byte();
    switch (operation % 8) {
      case 0: {  // any message
        const auto kind = input.byte();
        const std::uint64_t seq = input.byte();
        return send(kind, seq, input.bytes(input.byte() * 2u));
      }
      case 1:
      case 2: {  // a valid one, changed
        Template fact = templates_[(operation >> 3) % templates_.size()];
        input.patch(fact.body);
        return send(static_cast<std::uint16_t>(fact.kind), ++seq_, fact.body);
      }
      case 3:
        return bare_cells(input);
      case 4:
        return bare_indices(input);
      case 5:
        return receive(packet(operation >> 3), (operation >> 3) & 1);
      case 6: {
        ByteVector frame = packet(operation >> 3);
        input.patch(frame);
        return receive(frame, operation >> 7);
      }
      default:
        return advance(operation >> 3);
    }
  }

  void send(std::uint16_t kind, std::uint64_t seq, Bytes body) {
    if (!commands_.push(kind, seq, body)) resync();
    take();
  }

  void bare_cells(FuzzInput& input) {
    const shm::RingView ring = region_->command_ring(0);
    const std::uint64_t tail = ring.indices->tail.load();
    const std::size_t start = tail % ring.cell_count * shm::kCellSize;
    const std::uint8_t cells = input.byte();
    const Bytes bytes = input.bytes(input.byte());
    const std::size_t room = ring.cell_count * shm::kCellSize - start;
    std::copy_n(bytes.begin(), std::min(bytes.size(), room), ring.cells + start);
    ring.indices->tail.store(tail + cells);
    take();
    resync();
  }

  void bare_indices(FuzzInput& input) {
    shm::RingIndices& commands = *region_->command_ring(0).indices;
    shm::RingIndices& events = *region_->event_ring(0).indices;
    commands.tail.store(input.number<std::uint64_t>());
    commands.head.store(input.number<std::uint64_t>());
    events.head.store(input.number<std::uint64_t>());  // the worker's events have a hostile taker too
    take();
    receive(packet(0));
    events.head.store(events.tail.load());
    resync();
  }

  // Both ends agree again on where the ring is.
  void resync() {
    take();
    shm::RingIndices& commands = *region_->command_ring(0).indices;
    commands.head.store(commands.tail.load());
    commands_ = shm::Producer(region_->command_ring(0));
    events_ = shm::Consumer(region_->event_ring(0));
  }

  void take() {
    run_inbox();
    while (events_.pop(*event_) == shm::PopResult::kMessage) {
    }
  }

  ByteVector packet(unsigned which) {
    switch (which % 5) {
      case 0:
        return build(from_client(channel_data(0x4001, payload_)));
      case 1:
        return build(from_peer(payload_));
      case 2:
        return build(from_client(send_indication(endpoint("10.0.2.2:5000"), payload_)));
      case 3:
        return build(from_peer(payload_, "[fd00:2::2]:5000"));
      default:
        return build(
            from_client({0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
    }
  }

  // After everything: what a new control does first, and one packet. Buffers that never come back would leave
  // none for it in the end; pieces of datagrams wait for two seconds of the machine's own time.
  void must_work() {
    commands_.push(static_cast<std::uint16_t>(shm::Command::kReset), 0, {});
    take();
    advance(1000);
    run_inbox();
    FUZZ_CHECK(worker_->lcore.tables->size() == 0);
    announce();
    install_allocation();
    install_permission("10.0.2.2");
    install_channel("10.0.2.2:5000", 0x4001);
    receive(build(from_client(channel_data(0x4001, payload_))));
    FUZZ_CHECK(sent(1).size() == 1);
  }

  const ByteVector payload_ = bytes_of("some words of media");
  std::vector<Template> templates_;
};

}  // namespace
}  // namespace turnpike::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static auto* control = new turnpike::test::HostileControl();  // EAL starts once and ends with the process
  control->run({data, size});
  return 0;
}
