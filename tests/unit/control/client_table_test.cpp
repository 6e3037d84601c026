// SPDX-License-Identifier: BSD-3-Clause
// Answers wait for their facts, media finds its client, a full queue drops media alone.
#include "control/listeners/client_table.hpp"

#include <gtest/gtest.h>

#include "tests/unit/control/fake_network.hpp"

namespace turnpike::control {
namespace {

using test::ip;

class FakeClient final : public Client {
public:
  explicit FakeClient(std::uint16_t port) : Client(turn::Transport::kTcp) {
    tuple_.client = wire::ClientEndpoint({ip("192.0.2.7"), 0, port});
    tuple_.server = wire::ServerEndpoint({ip("10.0.1.1"), 0, 3478});
  }
  void flush() override { ++flushed; }
  bool has_room(std::size_t) override { return room; }
  void queue(Bytes message) override { sizes.push_back(message.size()); }

  bool room = true;
  int flushed = 0;
  std::vector<std::size_t> sizes;
};

class ClientTableTest : public ::testing::Test {
protected:
  ClientTableTest() { EXPECT_TRUE(table.add(client)); }
  void reply(std::uint64_t first, std::uint64_t last, std::size_t size) {
    const std::vector<std::uint8_t> message(size);
    table.reply({client.tuple(), 1, first, last, {}}, message);
  }

  ClientTable table{2};
  FakeClient client{4000};
  const turn::SlotId slot{1, 3, 7};
  const std::vector<std::uint8_t> media = std::vector<std::uint8_t>(9);
};

TEST_F(ClientTableTest, a_5_tuple_belongs_to_one) {
  FakeClient twin(4000);
  EXPECT_FALSE(table.add(twin));
  table.remove(twin);
  EXPECT_EQ(table.find(client.tuple()), &client);
}

TEST_F(ClientTableTest, an_answer_waits_for_its_facts) {
  reply(1, 2, 20);
  reply(0, 0, 24);  // announces nothing
  EXPECT_EQ(client.sizes, std::vector<std::size_t>{24});
  table.on_applied(1, 1);
  table.on_applied(0, 9);
  EXPECT_EQ(client.sizes.size(), 1u);
  table.on_applied(1, 2);
  EXPECT_EQ(client.sizes, (std::vector<std::size_t>{24, 20}));
  reply(2, 2, 28);  // applied already
  EXPECT_EQ(client.sizes.back(), 28u);
  table.flush();
  table.flush();
  EXPECT_EQ(client.flushed, 1);
}

TEST_F(ClientTableTest, a_refused_fact_takes_its_answer_along) {
  reply(1, 2, 20);
  reply(3, 3, 24);
  table.on_refused(1, 2);
  table.on_applied(1, 3);
  EXPECT_EQ(client.sizes, std::vector<std::size_t>{24});
}

TEST_F(ClientTableTest, media_goes_to_the_client_of_the_allocation) {
  EXPECT_FALSE(table.deliver(slot, media));
  table.bind(slot, client.tuple());
  EXPECT_TRUE(client.has_allocation());
  EXPECT_TRUE(table.deliver(slot, media));
  EXPECT_FALSE(table.deliver({1, 3, 8}, media)) << "another generation";
  EXPECT_FALSE(table.deliver({0, 3, 7}, media)) << "another worker";
  table.unbind(slot);
  EXPECT_FALSE(client.has_allocation());
  EXPECT_FALSE(table.deliver(slot, media));
}

TEST_F(ClientTableTest, a_full_queue_drops_media_alone) {
  table.bind(slot, client.tuple());
  client.room = false;
  EXPECT_TRUE(table.deliver(slot, media));
  EXPECT_EQ(client.dropped_media(), 1u);
  reply(0, 0, 20);
  EXPECT_EQ(client.sizes, std::vector<std::size_t>{20});
}

TEST_F(ClientTableTest, what_is_meant_for_a_client_that_is_gone_is_passed_over) {
  table.bind(slot, client.tuple());
  reply(1, 1, 20);
  table.deliver(slot, media);
  table.remove(client);
  table.on_applied(1, 1);
  table.flush();
  EXPECT_FALSE(table.deliver(slot, media));
  EXPECT_EQ(client.flushed, 0);
  EXPECT_EQ(table.size(), 0u);
}

}  // namespace
}  // namespace turnpike::control
