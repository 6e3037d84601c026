// SPDX-License-Identifier: BSD-3-Clause
// Binding, and what the server drops before it looks at any method.
#include "tests/unit/turn/turn_fixture.hpp"

namespace turnpike::turn {
namespace {

class TurnBinding : public TurnTest {};

TEST_F(TurnBinding, C066_binding_success) {
  for (const char* from : {"203.0.113.5:5000", "[2001:db8:9::1]:5000"}) {
    for (const Transport transport : {Transport::kUdp, Transport::kTcp}) {
      auto c = client(from, "alice", "secret", transport);
      const auto bytes = c.plain(Method::kBinding, MessageClass::kRequest);
      const Reply reply = talk(c, bytes);
      EXPECT_TRUE(reply.ok());
      EXPECT_EQ(reply.mapped, endpoint(from));
      EXPECT_EQ(reply.software, "turnpike");
      EXPECT_EQ(talk(c, bytes).bytes, reply.bytes);
    }
  }
}

TEST_F(TurnBinding, C067_binding_no_auth) {
  auto c = client();
  EXPECT_TRUE(talk(c, c.plain(Method::kBinding, MessageClass::kRequest)).ok());
  c.realm = "example.org";
  c.nonce = "nonsense";
  EXPECT_TRUE(talk(c, c.request(Method::kBinding)).ok());
}

TEST_F(TurnBinding, C068_binding_indication_no_response) {
  auto c = client();
  feed(c.tuple, c.plain(Method::kBinding, MessageClass::kIndication));
  EXPECT_TRUE(effects.list().empty());
  EXPECT_EQ(server().counters().indications_binding, 1u);
}

TEST_F(TurnBinding, C069_binding_on_allocated_5tuple) {
  auto c = client();
  ASSERT_TRUE(allocate(c).ok());
  advance(seconds(599));
  EXPECT_TRUE(talk(c, c.plain(Method::kBinding, MessageClass::kRequest)).ok());
  EXPECT_EQ(server().allocation_count(), 1u);
  advance(seconds(2));
  EXPECT_EQ(server().allocation_count(), 0u);
}

TEST_F(TurnBinding, C224_software_configurable) {
  config.software.clear();
  auto c = client();
  EXPECT_FALSE(talk(c, c.plain(Method::kBinding, MessageClass::kRequest)).has(Attribute::kSoftware));
  EXPECT_FALSE(allocate(c).has(Attribute::kSoftware));
}

TEST_F(TurnBinding, C031_fingerprint_echo) {
  auto c = client();
  EXPECT_FALSE(talk(c, c.plain(Method::kBinding, MessageClass::kRequest)).fingerprint);
  EXPECT_FALSE(allocate(c).fingerprint);
  c.fingerprint = true;
  EXPECT_TRUE(talk(c, c.plain(Method::kBinding, MessageClass::kRequest)).fingerprint);
  EXPECT_TRUE(refresh(c).fingerprint);
  auto fresh = client("203.0.113.5:5001");
  fresh.fingerprint = true;
  EXPECT_TRUE(
      talk(fresh, fresh.plain(Method::kAllocate, MessageClass::kRequest)).fingerprint);  // also of a 401
}

TEST_F(TurnBinding, C019_unknown_required_420) {
  auto c = client();
  const auto reply = talk(c, c.plain(Method::kBinding, MessageClass::kRequest, [](MessageWriter& writer) {
    writer.add_u32(static_cast<Attribute>(0x7001), 1);
    writer.add_u32(static_cast<Attribute>(0x0002), 1);
    writer.add_u32(static_cast<Attribute>(0x7001), 2);
    writer.add_u32(static_cast<Attribute>(0x9001), 1);
  }));
  EXPECT_EQ(reply.error, 420);
  EXPECT_EQ(reply.unknown, (std::vector<std::uint16_t>{0x7001, 0x0002}));
  EXPECT_EQ(reply.integrity, stun::IntegrityKind::kNone);
}

TEST_F(TurnBinding, C019_unknown_required_420_after_authentication) {
  auto c = client();
  ASSERT_TRUE(allocate(c).ok());
  for (const Method method :
       {Method::kAllocate, Method::kRefresh, Method::kCreatePermission, Method::kChannelBind}) {
    const auto reply = ask(c, method, [](MessageWriter& writer) {
      writer.add_u32(static_cast<Attribute>(0x0010), 800);  // BANDWIDTH
    });
    EXPECT_EQ(reply.error, 420);
    EXPECT_EQ(reply.unknown, std::vector<std::uint16_t>{0x0010});
    EXPECT_TRUE(c.trusts(reply));
  }
}

TEST_F(TurnBinding, C075_nbd_unconfigured_420) {
  auto c = client();
  const auto with_flags = [&](std::uint32_t flags) {
    return talk(c, c.plain(Method::kBinding, MessageClass::kRequest,
                           [&](MessageWriter& writer) { writer.add_u32(Attribute::kChangeRequest, flags); }));
  };
  for (const std::uint32_t flags : {2u, 4u, 6u}) {
    EXPECT_EQ(with_flags(flags).error, 420);
    EXPECT_EQ(with_flags(flags).unknown, std::vector<std::uint16_t>{0x0003});
  }
  EXPECT_TRUE(with_flags(0).ok());  // asks for nothing
  EXPECT_FALSE(with_flags(0).has(Attribute::kOtherAddress));
}

TEST_F(TurnBinding, C077_nbd_response_port) {
  auto c = client();
  const auto reply = talk(c, c.plain(Method::kBinding, MessageClass::kRequest, [](MessageWriter& writer) {
    writer.add_u32(Attribute::kResponsePort, 4000u << 16);
  }));
  EXPECT_EQ(reply.error, 420);
}

TEST_F(TurnBinding, C021_known_unexpected_ignored) {
  auto c = client();
  const auto odd = [](MessageWriter& writer) {
    writer.add_u32(Attribute::kPriority, 1);
    writer.add_empty(Attribute::kUseCandidate);
    writer.add_channel_number(0x4000);
    writer.add_text(Attribute::kSoftware, "client");
  };
  EXPECT_TRUE(talk(c, c.plain(Method::kBinding, MessageClass::kRequest, odd)).ok());
  EXPECT_TRUE(allocate(c, odd).ok());
}

TEST_F(TurnBinding, C013_responses_to_server_dropped) {
  auto c = client();
  for (const MessageClass message_class : {MessageClass::kSuccess, MessageClass::kError}) {
    for (const Method method : {Method::kBinding, Method::kAllocate}) {
      feed(c.tuple, c.plain(method, message_class));
      EXPECT_TRUE(effects.list().empty());
    }
  }
  EXPECT_EQ(server().counters().dropped_response, 4u);
}

TEST_F(TurnBinding, C014_unknown_method_or_class_dropped) {
  auto c = client();
  for (const auto& [method, message_class] : {std::pair{static_cast<Method>(0x002), MessageClass::kRequest},
                                              {static_cast<Method>(0x080), MessageClass::kRequest},
                                              {Method::kSend, MessageClass::kRequest},
                                              {Method::kData, MessageClass::kIndication},
                                              {Method::kAllocate, MessageClass::kIndication},
                                              {Method::kConnect, MessageClass::kRequest},
                                              {Method::kConnectionAttempt, MessageClass::kIndication}}) {
    feed(c.tuple, c.plain(method, message_class));
    EXPECT_TRUE(effects.list().empty()) << static_cast<int>(method);
  }
  EXPECT_EQ(server().counters().dropped_method, 7u);
}

TEST_F(TurnBinding, C004_demux_reserved_dropped) {
  auto c = client();
  for (int first = 4; first < 256; ++first) {
    if (first >= 64 && first < 80) continue;
    const Datagram bytes{static_cast<std::uint8_t>(first), 0, 0, 0};
    feed(c.tuple, bytes);
    EXPECT_TRUE(effects.list().empty());
  }
  EXPECT_EQ(server().counters().dropped_first_byte, 252u - 16u);
  feed(c.tuple, {});
  EXPECT_TRUE(effects.list().empty());
}

TEST_F(TurnBinding, C010_C011_C015_C028_bad_messages_dropped_by_cause) {
  auto c = client();
  c.fingerprint = true;
  const auto good = c.plain(Method::kBinding, MessageClass::kRequest);
  const auto drop = [&](std::size_t at, std::uint8_t flip) {
    auto bad = good;
    bad[at] ^= flip;
    feed(c.tuple, bad);
    EXPECT_TRUE(effects.list().empty());
  };
  drop(4, 0x21);             // cookie
  drop(3, 4);                // length
  drop(23, 0x80);            // attribute length
  drop(good.size() - 1, 1);  // CRC
  feed(c.tuple, Bytes(good).first(12));
  const auto& counters = server().counters();
  EXPECT_EQ(counters.dropped_cookie, 1u);
  EXPECT_EQ(counters.dropped_length, 1u);
  EXPECT_EQ(counters.dropped_attributes, 1u);
  EXPECT_EQ(counters.dropped_fingerprint, 1u);
  EXPECT_EQ(counters.dropped_short, 1u);
}

TEST_F(TurnBinding, C070_response_under_mtu) {
  config.realm = std::string(127, 'r');
  config.software = std::string(127, 's');
  test::TestUsers long_users(config.realm);
  long_users.add(crypto, "alice", "secret");
  Server big(config, crypto, long_users);
  for (const char* from : {"203.0.113.5:5000", "[2001:db8:9::1]:5000"}) {
    auto c = client(from);
    c.fingerprint = true;
    const std::size_t limit = from[0] == '[' ? 1232 : 548;
    const auto largest = [&](const Datagram& bytes) {
      effects.clear();
      big.handle_client(c.tuple, 0, bytes, now, effects);
      const auto list = replies();
      EXPECT_EQ(list.size(), 1u);
      EXPECT_LE(list.at(0).bytes.size(), limit);
      return list.at(0);
    };
    c.learn(largest(c.plain(Method::kAllocate, MessageClass::kRequest)));
    c.use_algorithms = true;
    const auto many_unknown = [](MessageWriter& writer) {
      for (int i = 0; i < 300; ++i) writer.add_empty(static_cast<Attribute>(0x7000 + i));
    };
    EXPECT_EQ(largest(c.request(Method::kAllocate, many_unknown)).error, 420);
    EXPECT_TRUE(largest(c.request(Method::kAllocate, [](MessageWriter& writer) {
                  add_udp_transport(writer);
                  writer.add_address_family(Attribute::kAdditionalAddressFamily, Family::kIpv6);
                })).ok());
  }
  EXPECT_EQ(big.counters().responses_too_big, 0u);
}

}  // namespace
}  // namespace turnpike::turn
