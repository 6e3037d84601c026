// SPDX-License-Identifier: BSD-3-Clause
// The worker's set-up, its sessions, and the frames that belong to them.
#include "bench/micro/relay.hpp"

#include <rte_mempool.h>

#include <algorithm>

#include "bench/micro/messages.hpp"
#include "common/stun/channel_data.hpp"
#include "dataplane/inbox.hpp"
#include "dataplane/rewrite.hpp"

namespace turnpike::bench {
namespace {

using test::ByteVector;
using wire::Endpoint;
using wire::Family;
using wire::IpAddress;

constexpr std::uint16_t kListen = 3478;
constexpr std::uint16_t kFirstRelayPort = 49152;
constexpr std::uint64_t kStartNs = 1'000'000'000'000;
constexpr std::uint64_t kDeadlineNs = kStartNs + 86'400'000'000'000;  // nothing expires while it is measured
constexpr std::uint64_t kCollectNs = 1'000'000;  // between two collections: a million packets a second or so
constexpr std::uint64_t kLimitBps = 4'000'000'000;  // three times what that is at 1200 bytes each
constexpr std::uint16_t kToPeer = 0x4000, kToClient = 0x4001, kToNarrow = 0x4002;
constexpr std::uint32_t kChannelsEach = 3;
enum Set : std::uint32_t { kV4, kV6, kWithLimit, kSets };
enum NextHopIndex : std::uint16_t { kClientHop = 1, kPeerHop, kNarrowHop };

IpAddress local_address(Family family, bool relay) {
  const char* text =
      family == Family::kIpv4 ? (relay ? "10.0.2.1" : "10.0.1.1") : (relay ? "fd00:2::1" : "fd00:1::1");
  return wire::parse_address(text).value();
}

// The session's own address in one of several networks.
IpAddress remote_address(Family family, std::uint8_t network, std::uint32_t session) {
  if (family == Family::kIpv4) return IpAddress::v4(10U << 24 | std::uint32_t{network} << 16 | (session + 1));
  IpAddress address = wire::parse_address("fd00::").value();
  address.bytes[3] = network;
  wire::store_be16(address.bytes.data() + 14, static_cast<std::uint16_t>(session + 1));
  return address;
}

struct Session {
  Session(Set set, std::uint32_t number)
      : allocation{set * static_cast<std::uint32_t>(kSessions) + number, 1} {
    const Family family = set == kV6 ? Family::kIpv6 : Family::kIpv4;
    client = {remote_address(family, static_cast<std::uint8_t>(10 + set), number), 0, 40000};
    peer = {remote_address(family, 20, number), 0, 5000};
    permitted = {remote_address(family, 30, number), 0, 6000};
    server = {local_address(family, false), 0, kListen};
    relay = relay_of(set, number);
    neighbour = relay_of(set, number ^ 1);
  }
  static Endpoint relay_of(Set set, std::uint32_t number) {
    const std::uint32_t offset = set == kWithLimit ? kSessions : 0;
    return {local_address(set == kV6 ? Family::kIpv6 : Family::kIpv4, true), 0,
            static_cast<std::uint16_t>(kFirstRelayPort + offset + number)};
  }

  shm::Slot allocation;
  Endpoint client, server, relay;
  Endpoint peer;       // bound to channels kToPeer and kToNarrow
  Endpoint permitted;  // has a permission only
  Endpoint neighbour;  // the relayed address of another session, bound to kToClient
};

shm::ChannelFact channel_fact(const Session& session, std::uint16_t number, const Endpoint& peer,
                              std::uint16_t hop) {
  shm::ChannelFact fact;
  fact.channel = {session.allocation.index * kChannelsEach + (number - kToPeer), 1};
  fact.allocation = session.allocation;
  fact.relay = session.relay;
  fact.peer = peer;
  fact.number = number;
  fact.next_hop = hop;
  fact.deadline_ns = fact.permission_deadline_ns = kDeadlineNs;
  return fact;
}

// Another port of the peer, so that its packets do not belong to two channels.
Endpoint beyond_narrow_link(Endpoint peer) {
  ++peer.port;
  return peer;
}

ByteVector filled(std::size_t size) {
  ByteVector bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + 3);
  return bytes;
}

ByteVector channel_data(std::uint16_t number, const ByteVector& data) {
  ByteVector out(stun::kChannelDataHeaderSize);
  stun::write_channel_data_header(out.data(), number, static_cast<std::uint16_t>(data.size()));
  test::append(out, data.data(), data.size());
  return out;
}

ByteVector payload_of(const Load& load, const Session& session) {
  switch (load.kind) {
    case Kind::kChannelToPeer:
    case Kind::kLimited:
      return channel_data(kToPeer, filled(load.payload));
    case Kind::kHairpin:
      return channel_data(kToClient, filled(load.payload));
    case Kind::kFragmented:
      return channel_data(kToNarrow, filled(load.payload));
    case Kind::kPeerToChannel:
    case Kind::kPeerToData:
      return filled(load.payload);
    case Kind::kSendToPeer:
      return send_indication(session.permitted, load.payload);
    case Kind::kBinding:
      return made_message(stun::Method::kBinding, stun::MessageClass::kRequest, [](stun::MessageWriter&) {});
    case Kind::kRequest:
      return made_message(stun::Method::kAllocate, stun::MessageClass::kRequest,
                          [](stun::MessageWriter& writer) { writer.add_requested_transport(17); });
  }
  return {};
}

bool from_peer(Kind kind) { return kind == Kind::kPeerToChannel || kind == Kind::kPeerToData; }

Set set_of(const Load& load) {
  if (load.kind == Kind::kLimited) return kWithLimit;
  return load.family == Family::kIpv6 ? kV6 : kV4;
}

}  // namespace

std::uint16_t SinkPort::tx(std::uint16_t, std::span<rte_mbuf*> burst) noexcept {
  taken.insert(taken.end(), burst.begin(), burst.end());
  return static_cast<std::uint16_t>(burst.size());
}

Relay& Relay::instance() {
  static auto* const relay = new Relay;  // until exit: DPDK's memory is gone before statics are destroyed
  return *relay;
}

Relay::Relay() {
  open();
  install_addresses();
  install_sessions();
}

void Relay::open() {
  shm::Capacity capacity;
  capacity.workers = 1;
  capacity.allocations = kSets * kSessions;
  capacity.permissions = kSets * kSessions;
  capacity.channels = kSets * kSessions * kChannelsEach;
  capacity.command_cells = capacity.event_cells = 2048;
  auto region = shm::Region::create(capacity);
  if (!region) give_up(region.error());
  region_ = std::make_unique<shm::Region>(std::move(*region));
  clock_ = std::make_unique<dataplane::Clock>(rte_get_tsc_hz());
  for (std::uint16_t i = 0; i < 2; ++i) {
    ports_.push_back(std::make_unique<SinkPort>());
    ports_.back()->index = i;
  }
  dataplane::WorkerSetConfig config;
  config.region = region_.get();
  config.ports = ports_;
  config.mbufs =
      rte_pktmbuf_pool_create("bench", kBuffers, 4 * kBatch, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  if (config.mbufs == nullptr) give_up("no memory for packet buffers");
  config.clock = clock_.get();
  worker_ = std::make_unique<dataplane::Worker>(dataplane::PollMode::kAlways);
  const Status status = dataplane::prepare_worker(*worker_, 0, config, port_owners_);
  if (!status) give_up(status.error());
  lcore().control_attached = true;
  lcore().now_ns = kStartNs;
  lcore().now = dataplane::tick_of(kStartNs);
  commands_ = shm::Producer(region_->command_ring(0));
  events_ = shm::Consumer(region_->event_ring(0));
}

template <typename Fact>
void Relay::command(shm::Command kind, const Fact& fact) {
  const Bytes body(reinterpret_cast<const std::uint8_t*>(&fact), sizeof fact);
  if (!commands_.push(static_cast<std::uint16_t>(kind), ++seq_, body)) give_up("the command ring is full");
  while (dataplane::drain_inbox(lcore()) != 0) {
  }
  if (lcore().refused_seq == seq_) give_up("a session was refused");
}

void Relay::install_addresses() {
  std::uint16_t index = 0;
  for (const bool relay : {false, true}) {
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
      shm::LocalAddress fact;
      fact.index = index++;
      fact.address = local_address(family, relay);
      if (!relay) fact.listener_port = kListen;
      if (relay) fact.relay_min = kFirstRelayPort;
      if (relay) fact.relay_max = 65535;
      command(shm::Command::kSetLocalAddress, fact);
    }
  }
  for (const std::uint16_t hop : {kClientHop, kPeerHop, kNarrowHop}) {
    shm::NextHop fact;
    fact.index = hop;
    fact.port = hop == kClientHop ? 0 : 1;
    fact.mtu = hop == kNarrowHop ? kNarrowMtu : 1500;
    fact.source_mac = {2, 0, 0, 0, 1, static_cast<std::uint8_t>(hop)};
    fact.destination_mac = {2, 0, 0, 0, 2, static_cast<std::uint8_t>(hop)};
    fact.resolved = 1;
    command(shm::Command::kSetNextHop, fact);
  }
}

void Relay::install_sessions() {
  for (const Set set : {kV4, kV6, kWithLimit}) {
    for (std::uint32_t number = 0; number < kSessions; ++number) {
      const Session session(set, number);
      shm::AllocationFact allocation;
      allocation.allocation = session.allocation;
      allocation.client = session.client;
      allocation.server = session.server;
      (set == kV6 ? allocation.relay_v6 : allocation.relay_v4) = session.relay;
      allocation.client_next_hop = kClientHop;
      allocation.deadline_ns = kDeadlineNs;
      if (set == kWithLimit) allocation.max_bps = kLimitBps;
      command(shm::Command::kInstallAllocation, allocation);
      shm::PermissionFact permission;
      permission.permission = session.allocation;  // one each, so the same slot numbers do
      permission.allocation = session.allocation;
      permission.relay = session.relay;
      permission.peer = session.permitted.address;
      permission.next_hop = kPeerHop;
      permission.deadline_ns = kDeadlineNs;
      command(shm::Command::kInstallPermission, permission);
      command(shm::Command::kInstallChannel, channel_fact(session, kToPeer, session.peer, kPeerHop));
      command(shm::Command::kInstallChannel, channel_fact(session, kToClient, session.neighbour, kPeerHop));
      command(shm::Command::kInstallChannel,
              channel_fact(session, kToNarrow, beyond_narrow_link(session.peer), kNarrowHop));
    }
  }
}

Frames Relay::frames(const Load& load) const {
  Frames all;
  for (std::uint32_t number = 0; number < kSessions; ++number) {
    const Session session(set_of(load), number);
    test::UdpFrame frame;
    frame.source = session.client;
    frame.destination = session.server;
    if (from_peer(load.kind)) {
      frame.source = load.kind == Kind::kPeerToChannel ? session.peer : session.permitted;
      frame.destination = session.relay;
    }
    frame.payload = payload_of(load, session);
    all.push_back(test::build(frame));
  }
  auto order = random_order();
  std::shuffle(all.begin(), all.end(), order);
  return all;
}

void Relay::receive(const Load& load, const Frames& frames, std::size_t& next, Burst& burst) {
  if (rte_pktmbuf_alloc_bulk(lcore().mbufs, burst.data(), burst.size()) != 0)
    give_up("out of packet buffers");
  for (rte_mbuf* mbuf : burst) {
    const ByteVector& frame = frames[next];
    next = next + 1 == frames.size() ? 0 : next + 1;
    std::memcpy(rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(frame.size())), frame.data(),
                frame.size());
    mbuf->port = from_peer(load.kind) ? 1 : 0;
  }
}

void Relay::process(Burst& burst) noexcept {
  dataplane::Lcore& worker = lcore();
  dataplane::process(worker, burst);
  dataplane::flush(worker);
  if (worker.free_count != 0) worker.free_all();
}

std::size_t Relay::collect() {
  std::size_t count = 0;
  for (const auto& port : ports_) {
    auto& taken = static_cast<SinkPort&>(*port).taken;
    count += taken.size();
    rte_pktmbuf_free_bulk(taken.data(), static_cast<unsigned>(taken.size()));
    taken.clear();
  }
  while (events_.pop(*event_) == shm::PopResult::kMessage) ++count;
  lcore().now_ns += kCollectNs;
  lcore().now = dataplane::tick_of(lcore().now_ns);
  return count;
}

}  // namespace turnpike::bench
