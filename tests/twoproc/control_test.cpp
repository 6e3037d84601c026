// SPDX-License-Identifier: BSD-3-Clause
// The real turnpike-control against a played dataplane: start, requests, facts before answers, refusals.
#include <gtest/gtest.h>
#include <signal.h>

#include "common/wire/mac_address.hpp"
#include "tests/twoproc/control_fixture.hpp"

namespace turnpike::test {
namespace {

using shm::Command;

TEST(ControlStart, reset_then_addresses_then_ready) {
  FakeDataplane dataplane(2);
  dataplane.publish();
  Process control(control_command(
      dataplane, {"--listening-ip", "2001:db8::1", "--external-ip", "198.51.100.7/10.0.2.1"}));
  ASSERT_TRUE(dataplane.serve_control());
  for (WorkerIndex ring = 0; ring < 3; ++ring) {
    auto commands = dataplane.take_burst(ring);
    const bool of_worker = ring < 2;  // the last ring is the main lcore's
    ASSERT_EQ(commands.size(), of_worker ? 5u : 4u) << "ring " << ring;
    if (of_worker) {
      EXPECT_EQ(commands.back().kind, Command::kSetChallenge);
      const auto challenge = commands.back().as<shm::Challenge>();
      EXPECT_EQ(std::string_view(challenge.realm.data(), challenge.realm_size), "example.org");
      EXPECT_EQ(challenge.offers_algorithms, 1);
      EXPECT_NE(challenge.nonce_keys[0], challenge.nonce_keys[1]);
      commands.pop_back();
    }
    EXPECT_EQ(commands[0].kind, Command::kReset);
    std::vector<shm::LocalAddress> facts;
    for (std::size_t i = 1; i < commands.size(); ++i) {
      EXPECT_EQ(commands[i].kind, Command::kSetLocalAddress);
      EXPECT_EQ(commands[i].seq, 0u);
      facts.push_back(commands[i].as<shm::LocalAddress>());
      EXPECT_EQ(facts.back().index, i - 1);
    }
    EXPECT_EQ(wire::to_string(facts[0].address), "10.0.1.1");
    EXPECT_EQ(facts[0].listener_port, 3478);
    EXPECT_EQ(facts[0].relay_min, 0);
    EXPECT_EQ(wire::to_string(facts[1].address), "2001:db8::1");
    EXPECT_EQ(wire::to_string(facts[2].address), "10.0.2.1");
    EXPECT_EQ(facts[2].listener_port, 0);
    EXPECT_EQ(facts[2].relay_min, 49152);
    EXPECT_EQ(facts[2].relay_max, 65535);
    EXPECT_EQ(wire::to_string(facts[2].advertised), "198.51.100.7");
  }
  EXPECT_EQ(control.output_line(), "ready: turn:10.0.1.1:3478");
  EXPECT_EQ(access(dataplane.socket_path("control.sock").c_str(), F_OK), 0);
  control.signal(SIGTERM);
  EXPECT_EQ(control.exit_code(), 0);
  EXPECT_NE(access(dataplane.socket_path("control.sock").c_str(), F_OK), 0)
      << "the admin socket stays behind";
}

TEST(ControlStart, ready_only_after_the_rings_were_read) {
  FakeDataplane dataplane;
  dataplane.publish();
  Process control(control_command(dataplane));
  ASSERT_TRUE(dataplane.serve_control());
  EXPECT_FALSE(control.output_line(milliseconds(300)));
  dataplane.take_burst(0);
  EXPECT_FALSE(control.output_line(milliseconds(300))) << "the main lcore has not read its ring";
  dataplane.take_burst(1);
  EXPECT_TRUE(control.output_line());
}

TEST_F(Control, facts_before_the_answer_that_announces_them) {
  const Reply challenge =
      exchange(client.plain(Method::kAllocate, MessageClass::kRequest, add_udp_transport));
  EXPECT_EQ(challenge.error, 401);
  client.learn(challenge);
  send(client.request(Method::kAllocate, add_udp_transport));

  const auto hop = dataplane.take(0);
  ASSERT_TRUE(hop);
  ASSERT_EQ(hop->kind, Command::kSetNextHop);
  const auto next_hop = hop->as<shm::NextHop>();
  EXPECT_EQ(next_hop.source_mac, kPortMac);
  EXPECT_EQ(next_hop.destination_mac, kClientMac) << "no route is known: back the way the request came";
  EXPECT_EQ(next_hop.resolved, 1);

  const auto fact = dataplane.take(0);
  ASSERT_TRUE(fact);
  ASSERT_EQ(fact->kind, Command::kInstallAllocation);
  EXPECT_EQ(fact->seq, kFirstFact);
  const auto allocation = fact->as<shm::AllocationFact>();
  EXPECT_EQ(allocation.client, client.tuple.client);
  EXPECT_EQ(allocation.client_next_hop, next_hop.index);
  EXPECT_EQ(wire::to_string(allocation.relay_v4.address), "10.0.2.1");

  const auto answer = dataplane.take(0);
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->kind, Command::kSendDatagram);
  const auto datagram = answer->as<shm::SendDatagram>();
  EXPECT_EQ(datagram.first_fact, kFirstFact);
  EXPECT_EQ(datagram.last_fact, kFirstFact);
  EXPECT_EQ(datagram.path.remote_mac, kClientMac);
  EXPECT_EQ(datagram.to, client.tuple.client);
  const Reply reply = read_reply(answer->payload());
  ASSERT_TRUE(reply.ok());
  EXPECT_TRUE(client.trusts(reply));
  ASSERT_EQ(reply.relayed.size(), 1u);
  EXPECT_EQ(reply.relayed[0], allocation.relay_v4);
}

TEST_F(Control, permission_and_channel_get_the_static_next_hop) {
  allocate();
  send(client.request(Method::kChannelBind, [](MessageWriter& writer) {
    writer.add_channel_number(0x4000);
    writer.add_xor_address(Attribute::kXorPeerAddress, endpoint("203.0.114.9:7000"));
  }));
  const auto hop = dataplane.take_until(0, Command::kSetNextHop);
  ASSERT_TRUE(hop);
  EXPECT_EQ(wire::to_string(hop->as<shm::NextHop>().destination_mac), "02:00:00:00:00:01");
  EXPECT_EQ(hop->as<shm::NextHop>().vlan, 7);
  std::uint64_t last = 0;
  bool channel_seen = false;
  for (;;) {
    const auto command = dataplane.take(0);
    ASSERT_TRUE(command);
    if (command->kind == Command::kSendDatagram) {
      EXPECT_EQ(command->as<shm::SendDatagram>().last_fact, last);
      EXPECT_TRUE(read_reply(command->payload()).ok());
      break;
    }
    EXPECT_EQ(command->seq, last == 0 ? command->seq : last + 1);
    last = command->seq;
    if (command->kind != Command::kInstallChannel) continue;
    channel_seen = true;
    const auto channel = command->as<shm::ChannelFact>();
    EXPECT_EQ(channel.number, 0x4000);
    EXPECT_EQ(channel.next_hop, hop->as<shm::NextHop>().index);
    EXPECT_EQ(channel.peer, endpoint("203.0.114.9:7000"));
  }
  EXPECT_TRUE(channel_seen);
}

TEST_F(Control, refused_fact_becomes_508) {
  const Reply challenge =
      exchange(client.plain(Method::kAllocate, MessageClass::kRequest, add_udp_transport));
  client.learn(challenge);
  send(client.request(Method::kAllocate, add_udp_transport));
  const auto fact = dataplane.take_until(0, Command::kInstallAllocation);
  ASSERT_TRUE(fact);
  ASSERT_TRUE(dataplane.take_until(0, Command::kSendDatagram));  // withheld by a real worker
  ASSERT_TRUE(dataplane.refuse(0, fact->seq));
  const auto answer = dataplane.take_until(0, Command::kSendDatagram);
  ASSERT_TRUE(answer);
  EXPECT_EQ(read_reply(answer->payload()).error, 508);
  EXPECT_EQ(answer->as<shm::SendDatagram>().path.remote_mac, kClientMac);
}

TEST_F(Control, refusal_counts_although_the_number_is_applied_already) {
  client.learn(exchange(client.plain(Method::kAllocate, MessageClass::kRequest, add_udp_transport)));
  send(client.request(Method::kAllocate, add_udp_transport));
  const auto fact = dataplane.take_until(0, Command::kInstallAllocation);
  ASSERT_TRUE(fact);
  ASSERT_TRUE(dataplane.take_until(0, Command::kSendDatagram));
  // As a worker does it: the refusal first, then the number; control may see both at once.
  ASSERT_TRUE(dataplane.refuse(0, fact->seq));
  dataplane.apply(0, fact->seq);
  const auto answer = dataplane.take_until(0, Command::kSendDatagram);
  ASSERT_TRUE(answer);
  EXPECT_EQ(read_reply(answer->payload()).error, 508);
}

TEST_F(Control, port_change_repeats_next_hops) {
  allocate();
  dataplane.region().port(0).mac = 0x0B'00'00'00'00'02;
  ASSERT_TRUE(dataplane.push_event(1, shm::Event::kPortChanged, 0, {}));
  const auto hop = dataplane.take_until(0, Command::kSetNextHop);
  ASSERT_TRUE(hop);
  EXPECT_EQ(wire::to_string(hop->as<shm::NextHop>().source_mac), "02:00:00:00:00:0b");
}

TEST_F(Control, a_full_ring_delays_and_keeps_the_order) {
  allocate();
  // Nothing is taken while more facts are made than the ring has cells: the rest waits in control.
  constexpr int kRequests = 1500;
  for (int i = 0; i < kRequests; ++i) {
    const auto message = client.request(Method::kRefresh);
    while (!dataplane.push_request(0, client.tuple, message)) usleep(1000);
  }
  usleep(200'000);
  std::uint64_t last = kFirstFact;
  int answers = 0;
  for (const TakenCommand& command : dataplane.take_all(0, seconds(2))) {
    if (command.kind == Command::kSendDatagram) {
      EXPECT_EQ(command.as<shm::SendDatagram>().last_fact, last);
      ++answers;
    } else if (command.seq != 0) {
      EXPECT_EQ(command.seq, last + 1);
      last = command.seq;
      dataplane.apply(0, last);
    }
  }
  EXPECT_EQ(answers, kRequests);
  EXPECT_EQ(last, kFirstFact + kRequests);
}

TEST_F(Control, a_worker_that_takes_nothing_gets_nothing_more_to_do) {
  allocate();
  int pushed = 0;
  int tries = 0;
  while (pushed < 20000 && tries < 500) {
    if (dataplane.push_request(0, client.tuple, client.request(Method::kRefresh))) {
      ++pushed;
      tries = 0;
    } else {
      ++tries;
      usleep(1000);
    }
  }
  EXPECT_LT(pushed, 20000) << "control goes on reading requests that it cannot answer";
  int answers = 0;
  for (const TakenCommand& command : dataplane.take_all(0, seconds(2))) {
    answers += command.kind == Command::kSendDatagram ? 1 : 0;
    if (command.seq != 0) dataplane.apply(0, command.seq);
  }
  EXPECT_EQ(answers, pushed);
}

TEST_F(Control, a_sleeping_control_is_woken) {
  const auto request = client.plain(Method::kAllocate, MessageClass::kRequest, add_udp_transport);
  const auto start_time = std::chrono::steady_clock::now();
  for (int i = 0; i < 10; ++i) {
    usleep(30'000);  // asleep by now
    EXPECT_EQ(exchange(request).error, 401);
  }
  // Its own timer alone would bring it back once a second.
  EXPECT_LT(std::chrono::steady_clock::now() - start_time, seconds(3));
}

TEST_F(Control, the_next_dataplane_is_told_everything) {
  allocate();
  dataplane.hang_up();
  ASSERT_TRUE(dataplane.serve_control());
  ASSERT_TRUE(dataplane.take_until(0, Command::kSetLocalAddress));
  const auto fact = dataplane.take_until(0, Command::kInstallAllocation);
  ASSERT_TRUE(fact);
  EXPECT_GT(fact->seq, kFirstFact);
  EXPECT_EQ(fact->as<shm::AllocationFact>().client, client.tuple.client);
  const auto mark = dataplane.take_until(0, Command::kMark);
  ASSERT_TRUE(mark);
  EXPECT_EQ(mark->seq, fact->seq + 1);
  dataplane.apply(0, mark->seq);
  EXPECT_TRUE(exchange(client.request(Method::kRefresh)).ok());
}

// Each worker has a thread of its own, and each thread a wake-up.
TEST(ControlThreads, each_serves_its_worker_and_all_end_together) {
  FakeDataplane dataplane(2);
  dataplane.publish();
  Process control(control_command(dataplane, {"--control-threads", "2"}));
  ASSERT_TRUE(dataplane.serve_control()) << control.errors();
  ASSERT_TRUE(wait_ready(dataplane, control)) << control.errors();
  TestCrypto crypto;
  const auto start_time = std::chrono::steady_clock::now();
  for (int round = 0; round < 10; ++round) {
    for (WorkerIndex worker : {0, 1}) {
      usleep(20'000);  // asleep by now
      TurnClient client(crypto, five_tuple("192.0.2.50:" + std::to_string(5000 + worker), "10.0.1.1:3478"),
                        "alice", "secret");
      ASSERT_TRUE(dataplane.push_request(
          worker, client.tuple, client.plain(Method::kAllocate, MessageClass::kRequest, add_udp_transport)));
      const auto answer = dataplane.take_until(worker, shm::Command::kSendDatagram);
      ASSERT_TRUE(answer) << control.errors();
      EXPECT_EQ(read_reply(answer->payload()).error, 401);
    }
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start_time, seconds(4))
      << "a timer alone would be once a second";
  control.signal(SIGTERM);
  EXPECT_EQ(control.exit_code(), 0);
}

TEST_F(Control, killed_and_started_again_it_goes_on) {
  allocate();
  control->signal(SIGKILL);
  EXPECT_EQ(control->exit_code(), 128 + SIGKILL);
  dataplane.apply(0, kFirstFact);  // late news of the former control's facts
  dataplane.take_all(0);
  control = std::make_unique<Process>(control_command(dataplane));
  ASSERT_TRUE(dataplane.serve_control());
  std::vector<Command> said;
  for (const TakenCommand& command : dataplane.take_burst(0)) {
    said.push_back(command.kind);
    if (command.kind != Command::kInstallAllocation) continue;
    EXPECT_EQ(command.seq, shm::first_fact_of(2) + 1);
  }
  EXPECT_EQ(std::count(said.begin(), said.end(), Command::kReset), 0);
  EXPECT_EQ(std::count(said.begin(), said.end(), Command::kInstallAllocation), 1);
  ASSERT_TRUE(wait_ready(dataplane, *control)) << control->errors();
  EXPECT_TRUE(exchange(client.request(Method::kRefresh)).ok()) << "the former nonce is good";
}

}  // namespace
}  // namespace turnpike::test
