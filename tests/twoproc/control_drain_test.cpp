// SPDX-License-Identifier: BSD-3-Clause
// The end of a drain as the dataplane sees it: what is left is removed before control goes.
#include <signal.h>

#include "tests/twoproc/control_fixture.hpp"

namespace turnpike::test {
namespace {

class ControlDrain : public Control {
protected:
  std::vector<std::string> options_ = {"--drain-deadline", "1"};

  void SetUp() override {
    dataplane.publish();
    control = std::make_unique<Process>(control_command(dataplane, options_));
    ASSERT_TRUE(dataplane.serve_control()) << control->errors();
    ASSERT_TRUE(wait_ready(dataplane, *control)) << control->errors();
  }
  Reply answer(const TurnClient& to, Bytes message) {
    EXPECT_TRUE(dataplane.push_request(0, to.tuple, message));
    const auto command = dataplane.take_until(0, shm::Command::kSendDatagram);
    if (!command) throw std::runtime_error("no answer from control: " + control->errors());
    return read_reply(command->payload());
  }
};

TEST_F(ControlDrain, at_the_deadline_the_workers_are_told_and_the_code_is_0) {
  allocate();
  control->signal(SIGUSR1);
  ASSERT_TRUE(dataplane.take_until(0, shm::Command::kRemoveAllocation)) << control->errors();
  EXPECT_EQ(control->exit_code(), 0);
  EXPECT_NE(control->errors().find("ended 1 allocation(s) that were left"), std::string::npos)
      << control->errors();
}

TEST_F(ControlDrain, a_new_client_gets_508_and_the_old_one_is_served) {
  allocate();
  Process drain({TURNPIKECTL, "--instance", "t", "--runtime-dir", dataplane.runtime_dir(), "drain",
                 "--deadline", "60"});
  ASSERT_EQ(drain.exit_code(), 0) << drain.errors();
  EXPECT_NE(drain.output().find("draining: 1 allocation(s) left"), std::string::npos) << drain.output();
  TurnClient late{crypto, five_tuple("192.0.2.51:5000", "10.0.1.1:3478"), "alice", "secret"};
  late.learn(answer(late, late.plain(Method::kAllocate, MessageClass::kRequest, add_udp_transport)));
  EXPECT_EQ(answer(late, late.request(Method::kAllocate, add_udp_transport)).error, 508);
  EXPECT_TRUE(exchange(client.request(Method::kRefresh)).ok());
}

}  // namespace
}  // namespace turnpike::test
