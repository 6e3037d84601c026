// SPDX-License-Identifier: BSD-3-Clause
// What turnpike-control refuses: another ABI, a second control, bad options, hostile shared memory.
#include <gtest/gtest.h>
#include <signal.h>

#include <random>

#include "tests/twoproc/control_fixture.hpp"

namespace turnpike::test {
namespace {

// One line that names the program, and nothing on standard output.
void expect_refusal(Process& control, const std::string& part) {
  EXPECT_EQ(control.exit_code(), 1);
  EXPECT_EQ(control.output(), "");
  EXPECT_TRUE(control.errors().starts_with("turnpike-control: ")) << control.errors();
  EXPECT_NE(control.errors().find(part), std::string::npos) << control.errors();
}

TEST(ControlRefuses, a_region_of_another_abi_version) {
  FakeDataplane dataplane;
  dataplane.region().header().abi_version = shm::kAbiVersion + 1;
  dataplane.publish();
  Process control(control_command(dataplane));
  ASSERT_TRUE(dataplane.serve_control());
  expect_refusal(control, "ABI version");
}

TEST(ControlRefuses, when_the_dataplane_speaks_another_abi_version) {
  FakeDataplane dataplane;
  dataplane.publish();
  Process control(control_command(dataplane));
  ASSERT_TRUE(dataplane.serve_control(shm::HandoverStatus::kOtherAbi));
  expect_refusal(control, "ABI");
}

TEST(ControlRefuses, to_be_the_second_control) {
  FakeDataplane dataplane;
  dataplane.publish();
  Process control(control_command(dataplane));
  ASSERT_TRUE(dataplane.serve_control(shm::HandoverStatus::kOtherControl));
  expect_refusal(control, std::to_string(getpid()));
}

TEST(ControlRefuses, a_region_that_is_not_finished) {
  FakeDataplane dataplane;
  Process control(control_command(dataplane));
  ASSERT_TRUE(dataplane.serve_control());
  expect_refusal(control, "not finished starting");
}

TEST(ControlRefuses, more_threads_than_workers) {
  FakeDataplane dataplane(2);
  dataplane.publish();
  Process control(control_command(dataplane, {"--control-threads", "3"}));
  ASSERT_TRUE(dataplane.serve_control());
  expect_refusal(control, "control-threads=3: the dataplane has 2 worker(s)");
}

TEST(ControlRefuses, a_region_whose_sizes_lie) {
  FakeDataplane dataplane;
  dataplane.region().header().capacity.allocations = 1u << 25;
  dataplane.publish();
  Process control(control_command(dataplane));
  ASSERT_TRUE(dataplane.serve_control());
  expect_refusal(control, "layout");
}

TEST(ControlRefuses, to_start_without_dataplane) {
  FakeDataplane dataplane;
  Process control({TURNPIKE_CONTROL, "--no-auth", "--instance", "absent", "--runtime-dir",
                   dataplane.runtime_dir(), "--dataplane-timeout", "0"});
  expect_refusal(control, "start turnpike-dataplane first");
}

TEST(ControlRefuses, addresses_and_next_hops_that_do_not_fit) {
  const struct {
    std::vector<std::string> options;
    const char* part;
  } cases[] = {
      {{"--relay-ip", "10.0.1.1", "--listening-port", "50000"}, "lies in the relay range"},
      {{"--external-ip", "198.51.100.7/10.9.9.9"}, "no such relay-ip"},
      {{"--relay-ip", "10.0.2.2", "--external-ip", "198.51.100.7"}, "several relay addresses"},
      {{"--next-hop", "0.0.0.0/0,port=1,mac=02:00:00:00:00:01"}, "next-hop: no port 1"},
  };
  for (const auto& [options, part] : cases) {
    FakeDataplane dataplane;
    dataplane.publish();
    Process control(control_command(dataplane, options));
    ASSERT_TRUE(dataplane.serve_control());
    expect_refusal(control, part);
  }
}

TEST(ControlRefuses, an_address_that_no_netdev_carries) {
  FakeDataplane dataplane;
  dataplane.region().port(0).kind = static_cast<std::uint32_t>(shm::PortKind::kPci);
  dataplane.region().port(0).ifindex = 1;  // the loopback device
  dataplane.publish();
  Process control(control_command(dataplane));
  ASSERT_TRUE(dataplane.serve_control());
  expect_refusal(control, "listening-ip=10.0.1.1: no port's netdev carries it (they carry");
}

TEST(ControlRefuses, a_dataplane_that_takes_no_commands) {
  FakeDataplane dataplane;
  dataplane.publish();
  Process control(control_command(dataplane, {"--dataplane-timeout", "1"}));
  ASSERT_TRUE(dataplane.serve_control());
  EXPECT_EQ(control.exit_code(seconds(20)), 1);
  EXPECT_NE(control.errors().find("takes no commands"), std::string::npos);
}

TEST(ControlStops, by_a_signal_while_it_waits_for_a_dataplane) {
  FakeDataplane dataplane;
  Process control(
      {TURNPIKE_CONTROL, "--no-auth", "--instance", "absent", "--runtime-dir", dataplane.runtime_dir()});
  for (int tries = 0; tries < 1000 && control.errors().find("waiting for") == std::string::npos; ++tries) {
    ASSERT_FALSE(control.exit_code(milliseconds(10))) << control.errors();
  }
  control.signal(SIGINT);
  EXPECT_EQ(control.exit_code(), 0);
}

class HostileDataplane : public Control {};

TEST_F(HostileDataplane, random_events_change_nothing) {
  allocate();
  std::mt19937_64 random(20260101);
  std::vector<std::uint8_t> body(2000);
  for (int i = 0; i < 20000; ++i) {
    for (std::uint8_t& byte : body) byte = static_cast<std::uint8_t>(random());
    shm::StunRequest request{client.tuple.client, client.tuple.server, {}};
    auto* raw = reinterpret_cast<std::uint8_t*>(&request);
    if (i % 2 == 0) raw[random() % sizeof request] ^= static_cast<std::uint8_t>(1u << random() % 8);
    const auto kind = static_cast<shm::Event>(random() % 6);
    const std::size_t first = kind == shm::Event::kStunRequest ? sizeof request : random() % sizeof request;
    const Bytes rest = Bytes(body).first(random() % body.size());
    const WorkerIndex ring = static_cast<WorkerIndex>(random() % 2);
    while (!dataplane.push_event(ring, kind, random(), Bytes(raw, first), rest)) {
      dataplane.take_all(0, milliseconds(1));
      ASSERT_FALSE(control->exit_code(milliseconds(0))) << control->errors();
    }
    if (i % 256 == 0) dataplane.take_all(0, milliseconds(0));
  }
  dataplane.take_all(0);
  EXPECT_TRUE(exchange(client.request(Method::kRefresh)).ok());
}

TEST_F(HostileDataplane, random_cells_and_indices_change_nothing) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    const shm::RingView events = dataplane.region().event_ring(round % 2);
    const shm::RingView commands = dataplane.region().command_ring(round % 2);
    const std::size_t size = std::size_t{events.cell_count} * shm::kCellSize;
    for (std::size_t at = 0; at < size; at += 8) {
      const std::uint64_t word = random();
      std::memcpy(events.cells + at, &word, sizeof word);
    }
    events.indices->tail.store(random() >> random() % 64);
    commands.indices->head.store(random() >> random() % 64);
    dataplane.region().worker(0).applied_seq.store(random());
    dataplane.region().header().port_count = static_cast<std::uint32_t>(random());
    dataplane.wake_control(round % 2);
    usleep(500);
  }
  EXPECT_FALSE(control->exit_code(milliseconds(100))) << control->errors();
  control->signal(SIGTERM);
  EXPECT_EQ(control->exit_code(), 0);
}

}  // namespace
}  // namespace turnpike::test
