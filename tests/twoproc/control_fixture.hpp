// SPDX-License-Identifier: BSD-3-Clause
// A running turnpike-control with one client that talks to it through a played dataplane.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "tests/support/turn_client.hpp"
#include "tests/twoproc/fake_dataplane.hpp"
#include "tests/twoproc/process.hpp"

namespace turnpike::test {

inline std::vector<std::string> control_command(const FakeDataplane& dataplane,
                                                const std::vector<std::string>& more = {}) {
  std::vector<std::string> command{TURNPIKE_CONTROL,
                                   "--instance",
                                   "t",
                                   "--runtime-dir",
                                   dataplane.runtime_dir(),
                                   "--listening-ip",
                                   "10.0.1.1",
                                   "--relay-ip",
                                   "10.0.2.1",
                                   "--user",
                                   "alice:secret",
                                   "--realm",
                                   "example.org",
                                   "--next-hop",
                                   "203.0.114.0/24,port=0,mac=02:00:00:00:00:01,vlan=7"};
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

inline constexpr std::uint64_t kFirstFact = shm::first_fact_of(1) + 1;  // of a region's first control

// Takes commands as a dataplane does until control says that it serves.
inline std::optional<std::string> wait_ready(FakeDataplane& dataplane, Process& control) {
  for (int tries = 0; tries < 1000 && !control.exit_code(milliseconds(0)); ++tries) {
    for (WorkerIndex ring = 0; ring <= dataplane.region().capacity().workers; ++ring) {
      dataplane.take_all(ring, milliseconds(1));
    }
    if (auto line = control.output_line(milliseconds(20))) return line;
  }
  return std::nullopt;
}

class Control : public ::testing::Test {
protected:
  void SetUp() override {
    dataplane.publish();
    start();
  }

  void start() {
    control = std::make_unique<Process>(control_command(dataplane));
    ASSERT_TRUE(dataplane.serve_control()) << control->errors();
    ASSERT_TRUE(wait_ready(dataplane, *control)) << control->errors();
  }

  void send(Bytes message) { ASSERT_TRUE(dataplane.push_request(0, client.tuple, message)); }

  Reply exchange(Bytes message) {
    send(message);
    const auto answer = dataplane.take_until(0, shm::Command::kSendDatagram);
    if (!answer) throw std::runtime_error("no answer from control: " + control->errors());
    return read_reply(answer->payload());
  }

  // Allocates and applies the facts.
  Reply allocate() {
    client.learn(exchange(client.plain(Method::kAllocate, MessageClass::kRequest, add_udp_transport)));
    const Reply reply = exchange(client.request(Method::kAllocate, add_udp_transport));
    EXPECT_TRUE(reply.ok()) << reply.error;
    dataplane.apply(0, kFirstFact);
    return reply;
  }

  FakeDataplane dataplane;
  TestCrypto crypto;
  TurnClient client{crypto, five_tuple("192.0.2.50:5000", "10.0.1.1:3478"), "alice", "secret"};
  std::unique_ptr<Process> control;
};

}  // namespace turnpike::test
