// SPDX-License-Identifier: BSD-3-Clause
// Data through the server, both ways (RFC 8656 sections 11.2, 11.3, 12.6 and 12.7).
#include "common/stun/channel_data.hpp"
#include "tests/unit/turn/turn_fixture.hpp"

namespace turnpike::turn {
namespace {

class TurnMedia : public TurnTest {
protected:
  TurnClient ready(Transport transport = Transport::kUdp, std::string_view from = "203.0.113.5:5000") {
    auto c = client(from, "alice", "secret", transport);
    relayed = allocate(c).relayed.at(0);
    EXPECT_TRUE(permit(c, {"8.8.8.8:1"}).ok());
    return c;
  }
  std::string text(Payload payload) const {
    const Bytes bytes = effects.bytes(payload);
    return {bytes.begin(), bytes.end()};
  }
  struct Data {
    Endpoint peer;
    std::string payload;
  };
  Data read_data(const RelayToClient& message) const {
    const auto view = stun::MessageView::parse(effects.bytes(message.message));
    EXPECT_TRUE(view);
    EXPECT_EQ(view->type(), stun::encode_type(Method::kData, MessageClass::kIndication));
    EXPECT_FALSE(view->has_integrity() || view->has_fingerprint());
    const auto address =
        stun::decode_xor_address(*view->find(Attribute::kXorPeerAddress), view->transaction_id());
    const Bytes data = *view->find(Attribute::kData);
    return {*address, {data.begin(), data.end()}};
  }
  Datagram indication(TurnClient& c, const TurnClient::Attributes& attributes) {
    return c.plain(Method::kSend, MessageClass::kIndication, attributes);
  }
  Endpoint relayed;
};

void add_peer(MessageWriter& writer) {
  writer.add_xor_address(Attribute::kXorPeerAddress, endpoint("8.8.8.8:1"));
}
void add_data(MessageWriter& writer) { writer.add(Attribute::kData, as_bytes("data")); }

TEST_F(TurnMedia, C136_send_no_allocation_dropped) {
  auto c = client();
  EXPECT_FALSE(send(c, "8.8.8.8:1"));
  EXPECT_EQ(server().counters().dropped_no_allocation, 1u);
}

TEST_F(TurnMedia, C137_send_no_permission_dropped) {
  auto c = ready();
  EXPECT_FALSE(send(c, "8.8.4.4:1"));
  EXPECT_FALSE(send(c, "[2a00::1]:1"));
  EXPECT_EQ(server().counters().dropped_no_permission, 2u);
}

TEST_F(TurnMedia, C138_send_missing_peer_or_data_dropped) {
  auto c = ready();
  feed(c.tuple, indication(c, add_peer));
  EXPECT_TRUE(effects.list().empty());
  feed(c.tuple, indication(c, add_data));
  EXPECT_TRUE(effects.list().empty());
  feed(c.tuple, indication(c, [](MessageWriter& writer) {
         writer.add_u32(Attribute::kXorPeerAddress, 1);
         add_data(writer);
       }));
  EXPECT_TRUE(effects.list().empty());
  EXPECT_EQ(server().counters().dropped_send_incomplete, 3u);
}

TEST_F(TurnMedia, C139_send_relays_payload) {
  auto c = ready();
  const auto sent = send(c, "8.8.8.8:77", "hello");
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->relay, RelayEndpoint(relayed));
  EXPECT_EQ(sent->peer, peer("8.8.8.8:77"));
  EXPECT_EQ(text(sent->data), "hello");
  EXPECT_FALSE(sent->dont_fragment);
  const auto empty = send(c, "8.8.8.8:77", "");
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->data.size, 0u);
  EXPECT_FALSE(send(c, "8.8.8.8:0"));
  EXPECT_EQ(server().counters().dropped_peer_port, 1u);
}

TEST_F(TurnMedia, C140_send_dont_fragment_is_passed_on) {
  auto c = ready();
  feed(c.tuple, indication(c, [](MessageWriter& writer) {
         add_peer(writer);
         writer.add_empty(Attribute::kDontFragment);
         add_data(writer);
       }));
  EXPECT_TRUE(only<RelayToPeer>()->dont_fragment);
}

TEST_F(TurnMedia, C142_send_allowed_with_channel) {
  auto c = ready();
  bind(c, 0x4000, "8.8.8.8:1");
  EXPECT_TRUE(send(c, "8.8.8.8:1"));
}

TEST_F(TurnMedia, C143_send_never_answered) {
  auto c = ready();
  for (const auto& bytes : {indication(c, add_peer), indication(c, add_data), indication(c, {}),
                            c.send_indication(endpoint("10.0.0.1:1"), as_bytes("x"))}) {
    feed(c.tuple, bytes);
    EXPECT_TRUE(effects.list().empty());
  }
}

TEST_F(TurnMedia, C020_unknown_required_indication_dropped) {
  auto c = ready();
  feed(c.tuple, indication(c, [](MessageWriter& writer) {
         writer.add_u32(static_cast<Attribute>(0x7001), 0);
         add_peer(writer);
         add_data(writer);
       }));
  EXPECT_TRUE(effects.list().empty());
  EXPECT_EQ(server().counters().dropped_unknown_attribute, 1u);
}

TEST_F(TurnMedia, C144_peer_no_permission_dropped) {
  ready();
  EXPECT_FALSE(receive(relayed, "8.8.4.4:1"));
  EXPECT_FALSE(receive(endpoint("198.51.100.10:1"), "8.8.8.8:1"));
  EXPECT_EQ(server().counters().dropped_peer_no_permission, 1u);
  EXPECT_EQ(server().counters().dropped_no_relay, 1u);
}

TEST_F(TurnMedia, C145_peer_data_indication) {
  auto c = ready();
  const auto received = receive(relayed, "8.8.8.8:99", "hello");
  ASSERT_TRUE(received);
  EXPECT_EQ(received->to, c.tuple);
  EXPECT_EQ(read_data(*received).peer, endpoint("8.8.8.8:99"));
  EXPECT_EQ(read_data(*received).payload, "hello");
}

TEST_F(TurnMedia, C145_transaction_ids_differ) {
  ready();
  const auto id = [&] {
    const auto received = receive(relayed, "8.8.8.8:99");
    const Bytes bytes = effects.bytes(received->message).subspan(8, 12);
    return Datagram(bytes.begin(), bytes.end());
  };
  EXPECT_NE(id(), id());
}

TEST_F(TurnMedia, C145_ipv6_peer) {
  auto c = client();
  relayed = allocate(c, [](MessageWriter& writer) {
              writer.add_address_family(Attribute::kRequestedAddressFamily, Family::kIpv6);
            }).relayed.at(0);
  permit(c, {"[2a00::1]:1"});
  const auto received = receive(relayed, "[2a00::1]:99", "hello");
  ASSERT_TRUE(received);
  EXPECT_EQ(read_data(*received).peer, endpoint("[2a00::1]:99"));
  EXPECT_EQ(read_data(*received).payload, "hello");
}

TEST_F(TurnMedia, C146_peer_channel_data_when_bound) {
  auto c = ready();
  bind(c, 0x4123, "8.8.8.8:1");
  const auto bound = receive(relayed, "8.8.8.8:1", "hello");
  ASSERT_TRUE(bound);
  const auto view = stun::parse_channel_data(effects.bytes(bound->message));
  ASSERT_TRUE(view);
  EXPECT_EQ(view->channel, 0x4123);
  EXPECT_EQ(std::string(view->data.begin(), view->data.end()), "hello");
  EXPECT_EQ(bound->message.size, 9u);  // no padding over UDP
  EXPECT_EQ(read_data(*receive(relayed, "8.8.8.8:2")).peer,
            endpoint("8.8.8.8:2"));  // another port: indication
}

TEST_F(TurnMedia, C147_permission_gone_channel_alive) {
  auto c = ready();
  bind(c, 0x4000, "8.8.8.8:1");
  advance(seconds(301));
  EXPECT_FALSE(receive(relayed, "8.8.8.8:1"));
  EXPECT_FALSE(send(c, "8.8.8.8:1"));
  EXPECT_TRUE(send_channel(c, 0x4000));
}

TEST_F(TurnMedia, C148_peer_expired_channel_uses_data) {
  auto c = ready();
  refresh(c, 3600);
  bind(c, 0x4000, "8.8.8.8:1");
  advance(seconds(599));
  c.nonce.clear();
  permit(c, {"8.8.8.8:1"});
  advance(std::chrono::milliseconds(1001));
  EXPECT_EQ(read_data(*receive(relayed, "8.8.8.8:1")).peer, endpoint("8.8.8.8:1"));
}

TEST_F(TurnMedia, C149_peer_empty_datagram) {
  auto c = ready();
  EXPECT_EQ(read_data(*receive(relayed, "8.8.8.8:1", "")).payload, "");
  bind(c, 0x4000, "8.8.8.8:1");
  EXPECT_EQ(receive(relayed, "8.8.8.8:1", "")->message.size, 4u);
}

TEST_F(TurnMedia, C150_C158_peer_to_stream_client_chan_stream_padding) {
  for (const Transport transport : {Transport::kTcp, Transport::kTls, Transport::kDtls}) {
    auto c = ready(transport);
    EXPECT_EQ(read_data(*receive(relayed, "8.8.8.8:1", "hello")).payload, "hello");
    bind(c, 0x4000, "8.8.8.8:1");
    const auto received = receive(relayed, "8.8.8.8:1", "hello");
    ASSERT_TRUE(received);
    const Bytes bytes = effects.bytes(received->message);
    EXPECT_EQ(bytes.size(), transport == Transport::kDtls ? 9u : 12u);
    EXPECT_EQ(wire::load_be16(bytes.data() + 2), 5);
    for (std::size_t i = 9; i < bytes.size(); ++i) EXPECT_EQ(bytes[i], 0);
    const auto sent = send_channel(c, 0x4000, "hello");
    ASSERT_TRUE(sent);
    EXPECT_EQ(text(sent->data), "hello");
  }
}

TEST_F(TurnMedia, C151_hairpin_same_server) {
  auto a = ready(Transport::kUdp, "203.0.113.5:5000");
  const Endpoint relay_a = relayed;
  auto b = ready(Transport::kUdp, "203.0.113.5:5001");
  const Endpoint relay_b = relayed;
  ASSERT_TRUE(permit(a, {wire::to_string(relay_b)}).ok());
  ASSERT_TRUE(permit(b, {wire::to_string(relay_a)}).ok());
  const auto sent = send(a, wire::to_string(relay_b));
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->peer, PeerEndpoint(relay_b));
  const auto received = receive(relay_b, wire::to_string(relay_a));
  ASSERT_TRUE(received);
  EXPECT_EQ(read_data(*received).peer, relay_a);
}

TEST_F(TurnMedia, C151_hairpin_behind_one_to_one_nat) {
  config.relay_addresses = {{address("10.0.0.7"), address("198.51.100.77")}};
  auto a = ready(Transport::kUdp, "203.0.113.5:5000");
  const Endpoint relay_a = relayed;
  auto b = ready(Transport::kUdp, "203.0.113.5:5001");
  const Endpoint relay_b = relayed;
  EXPECT_EQ(relay_a.address, address("198.51.100.77"));
  // Facts and packets carry the own form, whichever form the client named.
  ASSERT_TRUE(permit(a, {wire::to_string(relay_b)}).ok());
  EXPECT_EQ(only<InstallPermission>()->peer, address("10.0.0.7"));
  ASSERT_TRUE(bind(b, 0x4000, wire::to_string(relay_a)).ok());
  EXPECT_EQ(only<InstallChannel>()->peer.address, address("10.0.0.7"));
  const auto sent = send(a, wire::to_string(relay_b));
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->relay.address, address("10.0.0.7"));
  EXPECT_EQ(sent->peer.address, address("10.0.0.7"));
  // The client is shown the advertised form.
  const auto back = receive(sent->relay, wire::to_string(send_channel(b, 0x4000)->relay));
  ASSERT_TRUE(back);
  EXPECT_EQ(read_data(*back).peer, relay_b);
  // A NAT that sends such a packet back shows the advertised form on the wire.
  EXPECT_TRUE(receive(sent->relay, wire::to_string(relay_b)));
  // Both names are one peer.
  EXPECT_EQ(bind(b, 0x4001, "10.0.0.7:" + std::to_string(relay_a.port)).error, 400);
}

TEST_F(TurnMedia, C151_own_ports_outside_the_relay_range_are_no_peers) {
  config.service_endpoints.push_back(ServerEndpoint(endpoint("198.51.100.10:3478")));
  auto c = ready();
  ASSERT_TRUE(permit(c, {"198.51.100.10:1"}).ok());
  EXPECT_FALSE(send(c, "198.51.100.10:22"));
  EXPECT_FALSE(send(c, "198.51.100.10:3478"));
  EXPECT_TRUE(send(c, "198.51.100.10:50000"));
  EXPECT_EQ(server().counters().dropped_peer_port, 2u);
}

TEST_F(TurnMedia, C152_payload_unmodified) {
  auto c = ready();
  bind(c, 0x4000, "8.8.8.8:1");
  for (std::size_t size = 0; size < 1500; size += size < 40 ? 1 : 97) {
    std::string payload(size, '\0');
    for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>(i * 31 + size);
    EXPECT_EQ(text(send(c, "8.8.8.8:5", payload)->data), payload);
    EXPECT_EQ(text(send_channel(c, 0x4000, payload)->data), payload);
    EXPECT_EQ(read_data(*receive(relayed, "8.8.8.8:5", payload)).payload, payload);
    const auto bound = receive(relayed, "8.8.8.8:1", payload);
    EXPECT_EQ(text(bound->message).substr(4), payload);
  }
  const std::string largest(65507, 'z');
  EXPECT_EQ(read_data(*receive(relayed, "8.8.8.8:5", largest)).payload, largest);
  EXPECT_EQ(text(receive(relayed, "8.8.8.8:1", largest)->message).substr(4), largest);
  EXPECT_FALSE(receive(relayed, "8.8.8.8:5", std::string(65535, 'z')));  // fits no indication
  EXPECT_FALSE(receive(relayed, "8.8.8.8:1", std::string(65536, 'z')));
}

TEST_F(TurnMedia, C153_chan_relays_payload) {
  auto c = ready();
  bind(c, 0x4000, "8.8.4.4:4");
  const auto sent = send_channel(c, 0x4000, "hello");
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->relay, RelayEndpoint(relayed));
  EXPECT_EQ(sent->peer, peer("8.8.4.4:4"));
  EXPECT_EQ(text(sent->data), "hello");
}

TEST_F(TurnMedia, C154_chan_unusable_dropped) {
  auto stranger = client("203.0.113.9:1");
  EXPECT_FALSE(send_channel(stranger, 0x4000));
  auto c = ready();
  EXPECT_FALSE(send_channel(c, 0x4000));
  bind(c, 0x4000, "8.8.8.8:1");
  EXPECT_FALSE(send_channel(c, 0x4001));
  EXPECT_FALSE(send_channel(c, 0x5000));
  EXPECT_FALSE(send_channel(c, 0x7FFF));
  EXPECT_TRUE(send_channel(c, 0x4000));
}

TEST_F(TurnMedia, C155_chan_short_datagram_dropped) {
  auto c = ready();
  bind(c, 0x4000, "8.8.8.8:1");
  const auto whole = c.channel_data(0x4000, as_bytes("hello"));
  for (std::size_t size = 1; size < whole.size(); ++size) {
    feed(c.tuple, Bytes(whole).first(size));
    EXPECT_TRUE(effects.list().empty());
  }
  EXPECT_EQ(server().counters().dropped_channel_short, whole.size() - 1);
}

TEST_F(TurnMedia, C156_chan_udp_surplus_ignored) {
  auto c = ready();
  bind(c, 0x4000, "8.8.8.8:1");
  auto bytes = c.channel_data(0x4000, as_bytes("hello"));
  bytes.insert(bytes.end(), {0xDE, 0xAD, 0xBE});
  feed(c.tuple, bytes);
  EXPECT_EQ(text(only<RelayToPeer>()->data), "hello");
}

TEST_F(TurnMedia, C157_chan_zero_length) {
  auto c = ready();
  bind(c, 0x4000, "8.8.8.8:1");
  const auto sent = send_channel(c, 0x4000, "");
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->data.size, 0u);
}

TEST_F(TurnMedia, C230_habit_pjnath_keepalive) {
  auto c = ready();
  feed(c.tuple, indication(c, [](MessageWriter& writer) { writer.add(Attribute::kData, {}); }));
  EXPECT_TRUE(effects.list().empty());
  EXPECT_EQ(server().counters().dropped_send_keepalive, 1u);
  EXPECT_EQ(server().counters().dropped_send_incomplete, 0u);
}

TEST_F(TurnMedia, C005_no_demux_on_relay_port) {
  auto c = ready();
  const auto look_alike = c.plain(Method::kBinding, MessageClass::kRequest);
  const std::string payload(look_alike.begin(), look_alike.end());
  EXPECT_EQ(read_data(*receive(relayed, "8.8.8.8:1", payload)).payload, payload);
}

}  // namespace
}  // namespace turnpike::turn
