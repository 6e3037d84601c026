// SPDX-License-Identifier: BSD-3-Clause
// Clients that control serves: their media to peers by command, peers' data as events, nothing by packets.
#include "common/stun/attributes.hpp"
#include "common/stun/message_view.hpp"
#include "tests/stages/stage_fixture.hpp"

namespace turnpike::test {
namespace {

using shm::Command;

class ControlMedia : public StageTest {
protected:
  void SetUp() override {
    StageTest::SetUp();
    command(Command::kInstallAllocation, served(), ++seq_);
  }
  shm::AllocationFact served() {
    shm::AllocationFact fact = allocation();
    fact.server.port = 5349;  // a TCP port: no listener of the dataplane
    fact.client_next_hop = shm::kServedByControl;
    return fact;
  }
  void send(const char* peer, std::uint16_t channel, const ByteVector& payload, bool dont_fragment = false,
            shm::Slot slot = {0, 1}) {
    shm::SendToPeer head;
    head.allocation = slot;
    head.peer = endpoint(peer);
    head.channel = channel;
    head.dont_fragment = dont_fragment ? 1 : 0;
    ASSERT_TRUE(commands_.push(static_cast<std::uint16_t>(Command::kSendToPeer), 0,
                               Bytes(reinterpret_cast<const std::uint8_t*>(&head), sizeof head), payload));
    run_inbox();
  }
  // The next event, which must be a message for the client of `slot`.
  ByteVector to_client(shm::Slot slot = {0, 1}) {
    if (events_.pop(*event_) != shm::PopResult::kMessage) return {};
    EXPECT_EQ(event_->header.kind, static_cast<std::uint16_t>(shm::Event::kToClient));
    shm::ToClient head;
    std::memcpy(&head, event_->body().data(), sizeof head);
    EXPECT_EQ(head.allocation.index, slot.index);
    EXPECT_EQ(head.allocation.generation, slot.generation);
    const Bytes message = event_->body().subspan(sizeof head);
    return {message.begin(), message.end()};
  }
};

TEST_F(ControlMedia, C150_C173_channel_both_ways) {
  install_channel("10.0.2.2:5000", 0x4001);
  send("10.0.2.2:5000", 0x4001, bytes_of("hello"));
  const UdpFrame out = only(1);
  EXPECT_EQ(out.source, relay_v4_);
  EXPECT_EQ(out.destination, endpoint("10.0.2.2:5000"));
  EXPECT_EQ(out.payload, bytes_of("hello"));
  EXPECT_EQ(out.ttl, 64);
  EXPECT_EQ(out.traffic_class, 0);
  EXPECT_FALSE(out.dont_fragment);
  EXPECT_EQ(counter(Counter::k_control_to_peer), 1u);
  EXPECT_EQ(region_->allocation(0, 0).to_peer_bytes.load(), 5u);

  receive(build(from_peer(bytes_of("back"))), 1);
  EXPECT_TRUE(silent());
  EXPECT_EQ(to_client(), channel_data(0x4001, bytes_of("back")));
  EXPECT_EQ(region_->allocation(0, 0).to_client_bytes.load(), 4u);
  EXPECT_EQ(mbufs_in_use(), 0u);
}

TEST_F(ControlMedia, indications_both_ways) {
  install_permission("10.0.2.2");
  send("10.0.2.2:6001", 0, bytes_of("hi"));
  EXPECT_EQ(only(1).destination, endpoint("10.0.2.2:6001"));
  receive(build(from_peer(bytes_of("answer"), "10.0.2.2:6002")), 1);
  const ByteVector message = to_client();
  const auto view = stun::MessageView::parse(Bytes(message));
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(
      stun::decode_xor_address(view->find(stun::Attribute::kXorPeerAddress).value(), view->transaction_id()),
      endpoint("10.0.2.2:6002"));
  const Bytes data = view->find(stun::Attribute::kData).value();
  EXPECT_EQ(ByteVector(data.begin(), data.end()), bytes_of("answer"));
}

TEST_F(ControlMedia, nothing_leaves_without_channel_or_permission) {
  install_channel("10.0.2.2:5000", 0x4001);
  send("10.0.2.2:5000", 0x4002, bytes_of("x"));  // another number
  send("10.0.2.2:5001", 0x4001, bytes_of("x"));  // another peer
  EXPECT_EQ(drops(DropReason::k_channel_unbound), 2u);
  send("10.0.2.3:5000", 0, bytes_of("x"));
  EXPECT_EQ(drops(DropReason::k_send_no_permission), 1u);
  send("10.0.2.2:5000", 0x4001, bytes_of("x"), false, {0, 2});
  send("10.0.2.2:5000", 0x4001, bytes_of("x"), false, {9999, 1});
  EXPECT_EQ(drops(DropReason::k_send_no_allocation), 2u);
  send("10.0.2.2:0", 0x4001, bytes_of("x"));
  EXPECT_EQ(drops(DropReason::k_peer_port_zero), 1u);
  install_permission("10.0.2.2");
  advance(301);
  send("10.0.2.2:5000", 0, bytes_of("x"));
  EXPECT_EQ(drops(DropReason::k_send_permission_expired), 1u);
  EXPECT_TRUE(silent());
}

TEST_F(ControlMedia, another_clients_channel_is_not_taken) {
  install_channel("10.0.2.2:5000", 0x4001);
  shm::AllocationFact other = served();
  other.allocation = {1, 1};
  other.client.port = 999;
  other.relay_v4.port = other.relay_v6.port = 50002;
  command(Command::kInstallAllocation, other, ++seq_);
  send("10.0.2.2:5000", 0x4001, bytes_of("x"), false, {1, 1});
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_channel_unbound), 1u);
}

// The same addresses and ports over UDP are another 5-tuple.
TEST_F(ControlMedia, packets_are_never_taken_for_the_clients) {
  install_channel("10.0.2.2:5000", 0x4001);
  receive(build(from_client(channel_data(0x4001, bytes_of("x")))));
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_channel_unbound), 1u);

  shm::AllocationFact udp = allocation();
  udp.allocation = {1, 1};
  udp.relay_v4.port = udp.relay_v6.port = 50002;
  command(Command::kInstallAllocation, udp, ++seq_);
  EXPECT_EQ(counter(Counter::k_facts_refused), 0u);
  command(Command::kRemoveAllocation, shm::RemoveFact{{0, 1}, {0, 1}}, ++seq_);
  EXPECT_EQ(worker_->lcore.tables->size(), 3u);
}

TEST_F(ControlMedia, to_another_client_of_this_relay) {
  shm::AllocationFact udp = allocation();
  udp.allocation = {1, 1};
  udp.relay_v4.port = udp.relay_v6.port = 50002;
  command(Command::kInstallAllocation, udp, ++seq_);
  shm::PermissionFact theirs = permission("10.0.2.1", 5);
  theirs.allocation = {1, 1};
  theirs.relay = udp.relay_v4;
  command(Command::kInstallPermission, theirs, ++seq_);
  install_permission("10.0.2.1");
  send("10.0.2.1:50002", 0, bytes_of("around"));
  EXPECT_EQ(only(0).destination, client_);
  EXPECT_EQ(counter(Counter::k_hairpin), 1u);

  receive(build(from_client(send_indication(relay_v4_, bytes_of("back")))));
  EXPECT_FALSE(to_client().empty());
}

TEST_F(ControlMedia, larger_than_the_link) {
  install_permission("10.0.2.2");
  const ByteVector large(1600, 7);
  send("10.0.2.2:5000", 0, large, true);
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_too_big), 1u);
  send("10.0.2.2:5000", 0, large);
  EXPECT_EQ(sent(1).size(), 2u) << "fragments";
  send("10.0.2.2:5000", 0, ByteVector(60000));
  EXPECT_EQ(drops(DropReason::k_too_big), 2u);
  EXPECT_EQ(mbufs_in_use(), 0u);
}

TEST_F(ControlMedia, control_learns_that_its_facts_are_applied) {
  EXPECT_TRUE(std::exchange(worker_->lcore.events_pushed, false));
  install_permission("10.0.2.2");
  EXPECT_TRUE(std::exchange(worker_->lcore.events_pushed, false));
  shm::AllocationFact udp = allocation();
  udp.allocation = {1, 1};
  udp.relay_v4.port = udp.relay_v6.port = 50002;
  command(Command::kInstallAllocation, udp, ++seq_);
  EXPECT_FALSE(worker_->lcore.events_pushed) << "the worker itself holds its answer back";
}

TEST_F(ControlMedia, a_short_command_is_invalid) {
  const ByteVector body(sizeof(shm::SendToPeer) - 1);
  ASSERT_TRUE(commands_.push(static_cast<std::uint16_t>(Command::kSendToPeer), 0, body));
  run_inbox();
  EXPECT_EQ(counter(Counter::k_commands_invalid), 1u);
}

TEST_F(ControlMedia, nobody_there_to_hear) {
  install_permission("10.0.2.2");
  worker_->lcore.control_attached = false;
  receive(build(from_peer(bytes_of("x"))), 1);
  EXPECT_EQ(drops(DropReason::k_no_control), 1u);
  EXPECT_EQ(mbufs_in_use(), 0u);
}

}  // namespace
}  // namespace turnpike::test
