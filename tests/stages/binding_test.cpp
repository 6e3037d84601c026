// SPDX-License-Identifier: BSD-3-Clause
// Binding on the lcore, what is punted, and the answers that control injects.
#include "common/stun/attributes.hpp"
#include "common/stun/message_view.hpp"
#include "tests/stages/stage_fixture.hpp"

namespace turnpike::test {
namespace {

ByteVector message(std::uint16_t type, const ByteVector& attributes = {}) {
  ByteVector out(20);
  wire::store_be16(out.data(), type);
  wire::store_be16(out.data() + 2, static_cast<std::uint16_t>(attributes.size()));
  wire::store_be32(out.data() + 4, 0x2112A442);
  for (std::size_t i = 8; i < 20; ++i) out[i] = static_cast<std::uint8_t>(i);
  out.insert(out.end(), attributes.begin(), attributes.end());
  return out;
}

class Requests : public StageTest {};

TEST_F(Requests, C066_binding_success) {
  for (const bool v4 : {true, false}) {
    UdpFrame frame = from_client(message(0x0001));
    if (!v4) {
      frame.source = endpoint("[fd00:1::2]:40000");
      frame.destination = endpoint("[fd00:1::1]:3478");
    }
    frame.vlans = {12};
    receive(build(frame));
    const UdpFrame out = only(0);
    EXPECT_EQ(out.source, frame.destination);  // C006: the way it came, back
    EXPECT_EQ(out.destination, frame.source);
    EXPECT_EQ(out.destination_mac, frame.source_mac);
    EXPECT_EQ(out.source_mac, frame.destination_mac);
    EXPECT_EQ(out.vlans, frame.vlans);
    const auto view = stun::MessageView::parse(Bytes(out.payload));
    ASSERT_TRUE(view.has_value());
    EXPECT_EQ(view->type(), 0x0101);
    const auto mapped = view->find(stun::Attribute::kXorMappedAddress);
    ASSERT_TRUE(mapped.has_value());
    EXPECT_EQ(stun::decode_xor_address(*mapped, view->transaction_id()), frame.source);
    EXPECT_EQ(out.payload.size(), v4 ? 32u : 44u)
        << "1.6 times the request over IPv4, nothing besides the address";
  }
  EXPECT_EQ(counter(Counter::k_binding_answered), 2u);
}

TEST_F(Requests, secure_stun_leaves_binding_to_control) {
  worker_->lcore.secure_stun = true;
  receive(build(from_client(message(0x0001))));
  EXPECT_EQ(counter(Counter::k_binding_answered), 0u);
  EXPECT_EQ(counter(Counter::k_stun_to_control), 1u);
  receive(build(from_client(message(0x0011))));
  EXPECT_EQ(counter(Counter::k_stun_to_control), 1u) << "an indication is still for nobody";
}

TEST_F(Requests, C006_response_reverses_addresses_with_service_tags) {
  UdpFrame frame = from_client(message(0x0001));
  frame.vlans = {100, 12};
  receive(build(frame));
  EXPECT_EQ(only(0).vlans, frame.vlans);
}

TEST_F(Requests, C031_fingerprint_echo) {
  ByteVector buffer(128);
  stun::MessageWriter writer(buffer);
  const ByteVector id = bytes_of("transaction!");
  writer.begin(stun::Method::kBinding, stun::MessageClass::kRequest, stun::TransactionIdView(id.data(), 12));
  writer.add_fingerprint();
  const Bytes request = writer.finish();
  receive(build(from_client({request.begin(), request.end()})));
  auto view = stun::MessageView::parse(Bytes(only(0).payload));
  const ByteVector answer = only(0).payload;
  view = stun::MessageView::parse(Bytes(answer));
  ASSERT_TRUE(view.has_value());
  EXPECT_TRUE(view->has_fingerprint());
}

TEST_F(Requests, C019_unknown_required_420_on_the_lcore) {
  receive(build(from_client(message(0x0001, {0x7F, 0xF1, 0, 0, 0x00, 0x03, 0, 4, 0, 0, 0, 6}))));
  const ByteVector answer = only(0).payload;
  const auto view = stun::MessageView::parse(Bytes(answer));
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->type(), 0x0111);
  const auto unknown = view->find(stun::Attribute::kUnknownAttributes);
  ASSERT_TRUE(unknown.has_value());
  EXPECT_EQ(ByteVector(unknown->begin(), unknown->end()), (ByteVector{0x7F, 0xF1, 0x00, 0x03}));  // C075 too
}

TEST_F(Requests, C068_binding_indication_no_response) {
  receive(build(from_client(message(0x0011))));
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_binding_indication), 1u);
}

TEST_F(Requests, C069_binding_on_allocated_5tuple) {
  command(shm::Command::kInstallAllocation, allocation(60), ++seq_);
  advance(59);
  receive(build(from_client(message(0x0001))));
  EXPECT_EQ(parse_frame(sent(0).at(0))->destination, client_);
  advance(2);
  install_permission("10.0.2.2");
  receive(build(from_client(send_indication(endpoint("10.0.2.2:5000"), bytes_of("x")))));
  EXPECT_EQ(drops(DropReason::k_allocation_expired), 1u);
}

TEST_F(Requests, C013_responses_to_server_dropped) {
  receive(build(from_client(message(0x0101))));
  receive(build(from_client(message(0x0113))));
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_stun_response), 2u);
}

TEST_F(Requests, C014_unknown_method_or_class_dropped) {
  for (std::uint16_t type : {0x000D, 0x0013, 0x0017, 0x001C, 0x0006, 0x0200}) {
    receive(build(from_client(message(type))));
    EXPECT_TRUE(silent());
  }
  EXPECT_EQ(drops(DropReason::k_stun_method), 6u);
}

TEST_F(Requests, C009_C010_C011_bad_headers_dropped) {
  ByteVector cookie = message(0x0001);
  cookie[5] ^= 1;
  ByteVector length = message(0x0001);
  length[3] = 4;
  ByteVector odd = message(0x0001);
  odd[3] = 2;
  ByteVector trailing = message(0x0001);
  trailing.push_back(0);
  const ByteVector prefix(cookie.begin(), cookie.begin() + 19);
  for (const ByteVector& bad : {cookie, length, odd, trailing, prefix}) receive(build(from_client(bad)));
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_stun_header), 5u);
  receive(build(from_client(message(0x0001, {0x80, 0x22, 0, 8, 1, 2, 3, 4}))));
  EXPECT_EQ(drops(DropReason::k_stun_attributes), 1u);  // C015
  receive(build(from_client(message(0x0001, {0x80, 0x28, 0, 4, 1, 2, 3, 4}))));
  EXPECT_EQ(drops(DropReason::k_stun_fingerprint), 1u);  // C028
}

TEST_F(Requests, requests_go_to_control_with_the_way_they_came) {
  UdpFrame frame = from_client(message(0x0003, {0x00, 0x19, 0, 4, 17, 0, 0, 0}));
  frame.vlans = {12};
  receive(build(frame), 0);
  EXPECT_TRUE(silent());
  ASSERT_EQ(events_.pop(*event_), shm::PopResult::kMessage);
  EXPECT_EQ(event_->header.kind, static_cast<std::uint16_t>(shm::Event::kStunRequest));
  shm::StunRequest request;
  std::memcpy(&request, event_->storage.data(), sizeof request);
  EXPECT_EQ(request.client, frame.source);
  EXPECT_EQ(request.server, frame.destination);
  EXPECT_EQ(request.path.port, 0);
  EXPECT_EQ(request.path.vlan, 12);
  EXPECT_EQ(request.path.remote_mac, frame.source_mac);
  const Bytes body = event_->body().subspan(sizeof request);
  EXPECT_EQ(ByteVector(body.begin(), body.end()), frame.payload);
  // What control answers goes back that way.
  shm::SendDatagram answer;
  answer.from = frame.destination;
  answer.to = frame.source;
  answer.path = request.path;
  const ByteVector payload = bytes_of("an answer");
  ASSERT_TRUE(commands_.push(static_cast<std::uint16_t>(shm::Command::kSendDatagram), 0,
                             Bytes(reinterpret_cast<const std::uint8_t*>(&answer), sizeof answer), payload));
  run_inbox();
  const UdpFrame out = only(0);
  EXPECT_EQ(out.payload, payload);
  EXPECT_EQ(out.vlans, frame.vlans);
  EXPECT_EQ(out.destination_mac, frame.source_mac);
}

TEST_F(Requests, without_control_requests_are_dropped_and_counted) {
  worker_->lcore.control_attached = false;
  receive(build(from_client(message(0x0003))));
  EXPECT_EQ(drops(DropReason::k_no_control), 1u);
}

TEST_F(Requests, full_event_ring_drops_and_counts) {
  install_allocation();
  for (int i = 0; i < 1200; ++i) receive(build(from_client(message(0x0004))));
  EXPECT_EQ(counter(Counter::k_stun_to_control), 1024u);
  EXPECT_EQ(drops(DropReason::k_event_ring_full), 1200u - 1024u);
}

TEST_F(Requests, half_of_the_event_ring_is_for_who_has_an_allocation) {
  for (int i = 0; i < 600; ++i) receive(build(from_client(message(0x0003))));
  EXPECT_EQ(counter(Counter::k_stun_to_control), 513u);
  EXPECT_EQ(drops(DropReason::k_event_ring_full), 600u - 513u);
  install_allocation();
  for (int i = 0; i < 100; ++i) receive(build(from_client(message(0x0004))));
  EXPECT_EQ(counter(Counter::k_stun_to_control), 613u);
}

TEST_F(Requests, a_response_whose_fact_was_refused_is_withheld) {
  shm::AllocationFact bad = allocation();
  bad.allocation.index = 9999;
  command(shm::Command::kInstallAllocation, bad, 7);
  EXPECT_EQ(counter(Counter::k_facts_refused), 1u);
  ASSERT_EQ(events_.pop(*event_), shm::PopResult::kMessage);
  EXPECT_EQ(event_->header.kind, static_cast<std::uint16_t>(shm::Event::kFactRefused));
  EXPECT_EQ(event_->header.seq, 7u);
  shm::SendDatagram answer;
  answer.from = server_;
  answer.to = client_;
  answer.first_fact = 6;
  answer.last_fact = 8;
  command(shm::Command::kSendDatagram, answer);
  EXPECT_TRUE(silent());
  EXPECT_EQ(counter(Counter::k_control_withheld), 1u);
  answer.first_fact = 8;
  command(shm::Command::kSendDatagram, answer);
  EXPECT_EQ(sent(0).size(), 1u);
}

}  // namespace
}  // namespace turnpike::test
