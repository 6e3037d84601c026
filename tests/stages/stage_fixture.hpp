// SPDX-License-Identifier: BSD-3-Clause
// One worker with two captured ports, driven by facts through its real inbox: packet bytes in, bytes and
// counts out.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "common/shm/region.hpp"
#include "common/stun/channel_data.hpp"
#include "common/stun/message_writer.hpp"
#include "dataplane/clock.hpp"
#include "dataplane/worker.hpp"
#include "tests/support/packet_builder.hpp"
#include "tests/support/stun_edit.hpp"

namespace turnpike::test {

using dataplane::Worker;
using shm::Counter;
using shm::DropReason;

class CapturePort : public dataplane::Port {
public:
  std::uint16_t rx(std::uint16_t queue, std::span<rte_mbuf*> burst) noexcept override;
  std::uint16_t tx(std::uint16_t queue, std::span<rte_mbuf*> burst) noexcept override;

  std::vector<ByteVector> sent;
  std::vector<rte_mbuf*> waiting;  // for rx
  bool full = false;               // tx takes nothing
};

inline constexpr std::uint16_t kListen = 3478;
inline constexpr std::uint64_t kStartNs = 1'000'000'000'000;
inline constexpr std::uint64_t kSecond = 1'000'000'000;

wire::Endpoint endpoint(const char* text);  // "10.0.0.1:80", "[fd00::1]:80"

// Addresses: client side 10.0.1.1 and fd00:1::1 (listeners), peer side 10.0.2.1 and fd00:2::1 (relay).
// Next hops: 1 is the client's (port 0), 2 the peer's (port 1).
class StageTest : public ::testing::Test {
protected:
  void SetUp() override;
  void TearDown() override;

  // Frame in on `port`; what both ports sent is in sent(0), sent(1) until the next call.
  void receive(const ByteVector& frame, std::uint16_t port = 0) { receive_all({frame}, port); }
  void receive_all(const std::vector<ByteVector>& frames, std::uint16_t port = 0);
  const std::vector<ByteVector>& sent(std::uint16_t port) const { return ports_[port].sent; }
  // The only frame sent on `port`, taken apart; a failure when there is none or another one.
  UdpFrame only(std::uint16_t port);
  bool silent() const { return ports_[0].sent.empty() && ports_[1].sent.empty(); }

  template <typename Body>
  void command(shm::Command kind, const Body& body, std::uint64_t seq = 0) {
    ASSERT_TRUE(commands_.push(static_cast<std::uint16_t>(kind), seq,
                               Bytes(reinterpret_cast<const std::uint8_t*>(&body), sizeof body)));
    run_inbox();
  }
  void run_inbox();
  void announce();  // addresses and next hops, as after a reset
  void advance(std::uint64_t seconds) { set_time(now_ns_ + seconds * kSecond); }
  void set_time(std::uint64_t ns);

  // Allocation 0: client -> server, relays at port 50000 of both families; lives for `seconds`.
  shm::AllocationFact allocation(std::uint64_t seconds = 600);
  shm::PermissionFact permission(const char* peer, std::uint32_t index = 0, std::uint64_t seconds = 300);
  shm::ChannelFact channel(const char* peer, std::uint16_t number, std::uint32_t index = 0);
  void install_allocation() { command(shm::Command::kInstallAllocation, allocation(), ++seq_); }
  void install_permission(const char* peer) {
    command(shm::Command::kInstallPermission, permission(peer), ++seq_);
  }
  void install_channel(const char* peer, std::uint16_t number, std::uint32_t index = 0) {
    command(shm::Command::kInstallChannel, channel(peer, number, index), ++seq_);
  }

  UdpFrame from_client(ByteVector payload) const;
  UdpFrame from_peer(ByteVector payload, const char* peer = "10.0.2.2:5000") const;
  static ByteVector channel_data(std::uint16_t number, const ByteVector& data);
  static ByteVector send_indication(const wire::Endpoint& peer, const ByteVector& data,
                                    bool dont_fragment = false);

  std::uint64_t counter(Counter counter) const;
  std::uint64_t drops(DropReason reason) const;
  std::uint64_t all_drops() const;
  std::uint32_t mbufs_in_use() const;

  wire::Endpoint client_ = endpoint("10.0.1.2:40000");
  wire::Endpoint server_ = endpoint("10.0.1.1:3478");
  wire::Endpoint relay_v4_ = endpoint("10.0.2.1:50000");
  wire::Endpoint relay_v6_ = endpoint("[fd00:2::1]:50000");
  std::uint64_t seq_ = 0;

  std::unique_ptr<shm::Region> region_;
  std::unique_ptr<dataplane::Clock> clock_;
  dataplane::PortOwners port_owners_;
  std::unique_ptr<Worker> worker_;
  std::vector<std::unique_ptr<dataplane::Port>> port_list_;
  std::array<CapturePort*, 2> captured_{};
  shm::Producer commands_;
  shm::Consumer events_;
  std::unique_ptr<shm::Message> event_ = std::make_unique<shm::Message>();
  rte_mempool* pool_ = nullptr;

private:
  struct PortView {
    std::vector<ByteVector> sent;
  };
  std::array<PortView, 2> ports_;
  std::uint64_t now_ns_ = kStartNs;
};

}  // namespace turnpike::test
