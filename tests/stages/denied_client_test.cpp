// SPDX-License-Identifier: BSD-3-Clause
// Clients of denied-client-ip: no answer, whatever they send.
#include "tests/stages/stage_fixture.hpp"

namespace turnpike::test {
namespace {

class DeniedClient : public StageTest {
protected:
  void deny(std::string_view range) {
    const wire::AddressFilter::Rule rule{*wire::AddressRange::parse(range), true};
    worker_->lcore.denied_clients = wire::AddressFilter({&rule, 1});
  }
  static ByteVector request(stun::Method method) {
    ByteVector buffer(100);
    stun::MessageWriter writer(buffer);
    const ByteVector id = bytes_of("transaction!");
    writer.begin(method, stun::MessageClass::kRequest, stun::TransactionIdView(id.data(), 12));
    const Bytes message = writer.finish();
    return {message.begin(), message.end()};
  }
};

TEST_F(DeniedClient, requests_get_no_answer_and_control_does_not_see_them) {
  deny("10.0.1.0/24");
  for (const stun::Method method : {stun::Method::kBinding, stun::Method::kAllocate}) {
    receive(build(from_client(request(method))));
    EXPECT_TRUE(silent());
  }
  receive(build(from_client(bytes_of(std::string("\0\1 nonsense", 11)))));
  EXPECT_EQ(drops(DropReason::k_client_denied), 3u);
  EXPECT_EQ(counter(Counter::k_stun_to_control), 0u);
}

TEST_F(DeniedClient, others_are_served) {
  deny("10.0.1.3-10.0.1.9");
  receive(build(from_client(request(stun::Method::kBinding))));
  EXPECT_EQ(sent(0).size(), 1u);
  UdpFrame other = from_client(request(stun::Method::kBinding));
  other.source = endpoint("10.0.1.3:40000");
  receive(build(other));
  EXPECT_TRUE(silent());
}

TEST_F(DeniedClient, of_ipv6_too) {
  deny("fd00:1::/64");
  UdpFrame frame = from_client(request(stun::Method::kBinding));
  frame.source = endpoint("[fd00:1::7]:40000");
  frame.destination = endpoint("[fd00:1::1]:3478");
  receive(build(frame));
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_client_denied), 1u);
}

// Kernel sockets have no host path: DTLS would go to control.
TEST_F(DeniedClient, dtls_on_kernel_sockets_goes_nowhere) {
  worker_->lcore.kernel_sockets = true;
  worker_->lcore.locals.set_kernel_sockets(true);
  shm::LocalAddress local;
  local.address = server_.address;
  local.listener_port = kListen;
  local.dtls = 1;
  command(shm::Command::kSetLocalAddress, local);
  receive(build(from_client(ByteVector(60, 22))));
  EXPECT_EQ(counter(Counter::k_dtls_to_control), 1u);
  deny("10.0.1.2");
  receive(build(from_client(ByteVector(60, 22))));
  EXPECT_EQ(counter(Counter::k_dtls_to_control), 1u);
  EXPECT_EQ(drops(DropReason::k_client_denied), 1u);
}

TEST_F(DeniedClient, media_is_not_looked_at) {
  install_allocation();
  install_channel("10.0.2.2:7000", 0x4000);
  deny("10.0.1.0/24");
  receive(build(from_client(channel_data(0x4000, bytes_of("media")))));
  EXPECT_EQ(sent(1).size(), 1u);
  EXPECT_EQ(drops(DropReason::k_client_denied), 0u);
}

}  // namespace
}  // namespace turnpike::test
