// SPDX-License-Identifier: BSD-3-Clause
// One worker without a NIC: sessions installed through its real inbox, frames in, and a port that takes
// everything and sends nothing.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "bench/micro/measure.hpp"
#include "common/shm/region.hpp"
#include "dataplane/clock.hpp"
#include "dataplane/worker.hpp"
#include "tests/support/packet_builder.hpp"

namespace turnpike::bench {

static_assert(kBatch == dataplane::kBurst);

// What a packet is to the relay.
enum class Kind {
  kChannelToPeer,
  kPeerToChannel,
  kSendToPeer,
  kPeerToData,
  kHairpin,     // from one session's channel to another session's client
  kLimited,     // as kChannelToPeer, of a session with a bandwidth limit that it keeps
  kFragmented,  // as kChannelToPeer, to a link that takes kNarrowMtu bytes
  kBinding,     // answered by the worker
  kRequest,     // an Allocate request: goes to control
};

inline constexpr std::size_t kSessions = 1000;  // of each family, and as many with a limit
inline constexpr std::uint16_t kNarrowMtu = 700;
inline constexpr std::uint32_t kBuffers = 8191;  // for packets: all that is under way at once

struct Load {
  Kind kind = Kind::kChannelToPeer;
  wire::Family family = wire::Family::kIpv4;
  std::size_t payload = 120;  // bytes of relayed payload; of no meaning for requests
};

using Frames = std::vector<test::ByteVector>;
using Burst = std::array<rte_mbuf*, kBatch>;

class SinkPort final : public dataplane::Port {
public:
  SinkPort() { taken.reserve(kBuffers); }
  std::uint16_t rx(std::uint16_t, std::span<rte_mbuf*>) noexcept override { return 0; }
  std::uint16_t tx(std::uint16_t queue, std::span<rte_mbuf*> burst) noexcept override;

  std::vector<rte_mbuf*> taken;
};

class Relay {
public:
  static Relay& instance();  // made on first use, with all its sessions

  dataplane::Lcore& lcore() noexcept { return worker_->lcore; }
  dataplane::Port& port(std::uint16_t index) noexcept { return *ports_[index]; }

  // One frame of each session, shuffled.
  Frames frames(const Load& load) const;
  // The next frames in fresh buffers, as if just received.
  void receive(const Load& load, const Frames& frames, std::size_t& next, Burst& burst);
  // The worker's pass over them.
  void process(Burst& burst) noexcept;
  // Takes what went out of the ports and to control, and frees it; how much it was.
  std::size_t collect();

private:
  Relay();
  void open();
  void install_addresses();
  void install_sessions();
  template <typename Fact>
  void command(shm::Command kind, const Fact& fact);

  std::unique_ptr<shm::Region> region_;
  std::unique_ptr<dataplane::Clock> clock_;
  dataplane::PortOwners port_owners_;
  std::vector<std::unique_ptr<dataplane::Port>> ports_;
  std::unique_ptr<dataplane::Worker> worker_;
  shm::Producer commands_;
  shm::Consumer events_;
  std::unique_ptr<shm::Message> event_ = std::make_unique<shm::Message>();
  std::uint64_t seq_ = 0;
};

}  // namespace turnpike::bench
