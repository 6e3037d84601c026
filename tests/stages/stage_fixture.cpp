// SPDX-License-Identifier: BSD-3-Clause
// The stage fixture: EAL without hugepages or devices, a real region, a worker, captured ports.
#include "tests/stages/stage_fixture.hpp"

#include <rte_eal.h>
#include <rte_mempool.h>

#include "dataplane/inbox.hpp"
#include "dataplane/rewrite.hpp"
#include "dataplane/stages/stages.hpp"

namespace turnpike::test {
namespace {

rte_mempool* start_eal() {
  static rte_mempool* pool = [] {
    const char* arguments[] = {"stages",         "--no-huge", "-m",  "256",         "--no-pci", "--no-shconf",
                               "--no-telemetry", "--lcores",  "0@0", "--log-level", "*:error"};
    if (rte_eal_init(std::size(arguments), const_cast<char**>(arguments)) < 0) std::abort();
    return rte_pktmbuf_pool_create("test", 2047, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  }();
  return pool;
}

}  // namespace

wire::Endpoint endpoint(const char* text) { return wire::parse_endpoint(text).value(); }

std::uint16_t CapturePort::rx(std::uint16_t, std::span<rte_mbuf*> burst) noexcept {
  const auto count = static_cast<std::uint16_t>(std::min(burst.size(), waiting.size()));
  std::copy_n(waiting.begin(), count, burst.begin());
  waiting.erase(waiting.begin(), waiting.begin() + count);
  return count;
}

std::uint16_t CapturePort::tx(std::uint16_t, std::span<rte_mbuf*> burst) noexcept {
  if (full) return 0;
  for (rte_mbuf* mbuf : burst) {
    const auto* data = rte_pktmbuf_mtod(mbuf, const std::uint8_t*);
    EXPECT_EQ(mbuf->nb_segs, 1);
    sent.emplace_back(data, data + mbuf->data_len);
    rte_pktmbuf_free(mbuf);
  }
  return static_cast<std::uint16_t>(burst.size());
}

void StageTest::SetUp() {
  pool_ = start_eal();
  ASSERT_NE(pool_, nullptr);
  shm::Capacity capacity;
  capacity.workers = 1;
  capacity.allocations = 16;
  capacity.permissions = 32;
  capacity.channels = 32;
  capacity.command_cells = capacity.event_cells = 1024;
  auto region = shm::Region::create(capacity);
  ASSERT_TRUE(region) << region.error();
  region_ = std::make_unique<shm::Region>(std::move(*region));
  clock_ = std::make_unique<dataplane::Clock>(rte_get_tsc_hz());
  for (std::uint16_t i = 0; i < 2; ++i) {
    auto port = std::make_unique<CapturePort>();
    port->index = i;
    captured_[i] = port.get();
    port_list_.push_back(std::move(port));
  }
  dataplane::WorkerSetConfig config;
  config.region = region_.get();
  config.ports = port_list_;
  config.mbufs = pool_;
  config.clock = clock_.get();
  worker_ = std::make_unique<Worker>(dataplane::PollMode::kAlways);
  const Status status = dataplane::prepare_worker(*worker_, 0, config, port_owners_);
  ASSERT_TRUE(status) << status.error();
  worker_->lcore.control_attached = true;
  commands_ = shm::Producer(region_->command_ring(0));
  events_ = shm::Consumer(region_->event_ring(0));
  set_time(kStartNs);
  announce();
}

void StageTest::announce() {
  const char* addresses[] = {"10.0.1.1", "fd00:1::1", "10.0.2.1", "fd00:2::1"};
  for (std::uint16_t i = 0; i < 4; ++i) {
    shm::LocalAddress local;
    local.index = i;
    local.address = address(addresses[i]);
    if (i < 2) local.listener_port = kListen;
    if (i >= 2) local.relay_min = 49152;
    if (i >= 2) local.relay_max = 65535;
    command(shm::Command::kSetLocalAddress, local);
  }
  for (std::uint16_t i = 1; i <= 2; ++i) {
    shm::NextHop hop;
    hop.index = i;
    hop.port = i - 1;
    hop.source_mac = {2, 0, 0, 0, 1, static_cast<std::uint8_t>(i)};
    hop.destination_mac = {2, 0, 0, 0, 2, static_cast<std::uint8_t>(i)};
    hop.resolved = 1;
    command(shm::Command::kSetNextHop, hop);
  }
}

void StageTest::TearDown() {
  worker_->lcore.free_all();
  worker_.reset();
  EXPECT_EQ(mbufs_in_use(), 0u) << "a packet was neither sent nor freed";
}

std::uint32_t StageTest::mbufs_in_use() const { return rte_mempool_in_use_count(pool_); }

void StageTest::set_time(std::uint64_t ns) {
  now_ns_ = ns;
  worker_->lcore.now_ns = ns;
  worker_->lcore.now = dataplane::tick_of(ns);
}

void StageTest::run_inbox() {
  auto& lcore = worker_->lcore;
  while (dataplane::drain_inbox(lcore) != 0) {
  }
  dataplane::flush(lcore);
  lcore.free_all();
  for (std::size_t i = 0; i < 2; ++i) ports_[i].sent = std::exchange(captured_[i]->sent, {});
}

void StageTest::receive_all(const std::vector<ByteVector>& frames, std::uint16_t port) {
  auto& lcore = worker_->lcore;
  std::vector<rte_mbuf*> mbufs;
  for (const ByteVector& frame : frames) {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
    ASSERT_NE(mbuf, nullptr);
    char* data = rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(frame.size()));
    ASSERT_NE(data, nullptr) << "frame of " << frame.size();
    if (!frame.empty()) std::memcpy(data, frame.data(), frame.size());
    mbuf->port = port;
    mbufs.push_back(mbuf);
  }
  for (std::size_t start = 0; start < mbufs.size(); start += dataplane::kBurst) {
    const std::size_t count = std::min<std::size_t>(dataplane::kBurst, mbufs.size() - start);
    dataplane::process(lcore, {mbufs.data() + start, count});
  }
  dataplane::flush(lcore);
  lcore.free_all();
  for (std::size_t i = 0; i < 2; ++i) ports_[i].sent = std::exchange(captured_[i]->sent, {});
}

UdpFrame StageTest::only(std::uint16_t port) {
  EXPECT_EQ(ports_[port].sent.size(), 1u);
  EXPECT_EQ(ports_[1 - port].sent.size(), 0u);
  if (ports_[port].sent.size() != 1) return {};
  const auto frame = parse_frame(ports_[port].sent.front());
  EXPECT_TRUE(frame.has_value()) << "not a well-formed UDP frame";
  if (!frame) return {};
  EXPECT_TRUE(frame->checksums_right);
  return *frame;
}

shm::AllocationFact StageTest::allocation(std::uint64_t seconds) {
  shm::AllocationFact fact;
  fact.allocation = {0, 1};
  fact.client = client_;
  fact.server = server_;
  fact.relay_v4 = relay_v4_;
  fact.relay_v6 = relay_v6_;
  fact.client_next_hop = 1;
  fact.deadline_ns = now_ns_ + seconds * kSecond;
  return fact;
}

shm::PermissionFact StageTest::permission(const char* peer, std::uint32_t index, std::uint64_t seconds) {
  shm::PermissionFact fact;
  fact.permission = {index, 1};
  fact.allocation = {0, 1};
  fact.peer = address(peer);
  fact.relay = fact.peer.is_v4() ? relay_v4_ : relay_v6_;
  fact.next_hop = 2;
  fact.deadline_ns = now_ns_ + seconds * kSecond;
  return fact;
}

shm::ChannelFact StageTest::channel(const char* peer, std::uint16_t number, std::uint32_t index) {
  shm::ChannelFact fact;
  fact.channel = {index, 1};
  fact.allocation = {0, 1};
  fact.peer = endpoint(peer);
  fact.relay = fact.peer.address.is_v4() ? relay_v4_ : relay_v6_;
  fact.number = number;
  fact.next_hop = 2;
  fact.deadline_ns = now_ns_ + 600 * kSecond;
  fact.permission_deadline_ns = now_ns_ + 300 * kSecond;
  return fact;
}

UdpFrame StageTest::from_client(ByteVector payload) const {
  UdpFrame frame;
  frame.source = client_;
  frame.destination = server_;
  frame.payload = std::move(payload);
  return frame;
}

UdpFrame StageTest::from_peer(ByteVector payload, const char* peer) const {
  UdpFrame frame;
  frame.source = endpoint(peer);
  frame.destination = frame.source.address.is_v4() ? relay_v4_ : relay_v6_;
  frame.payload = std::move(payload);
  return frame;
}

ByteVector StageTest::channel_data(std::uint16_t number, const ByteVector& data) {
  ByteVector out(4);
  stun::write_channel_data_header(out.data(), number, static_cast<std::uint16_t>(data.size()));
  append(out, data.data(), data.size());
  return out;
}

ByteVector StageTest::send_indication(const wire::Endpoint& peer, const ByteVector& data,
                                      bool dont_fragment) {
  ByteVector buffer(data.size() + 128);
  const ByteVector id = bytes_of("transaction!");
  stun::MessageWriter writer(buffer);
  writer.begin(stun::Method::kSend, stun::MessageClass::kIndication, stun::TransactionIdView(id.data(), 12));
  if (dont_fragment) writer.add_empty(stun::Attribute::kDontFragment);
  writer.add_xor_address(stun::Attribute::kXorPeerAddress, peer);
  writer.add(stun::Attribute::kData, data);
  const Bytes message = writer.finish();
  return {message.begin(), message.end()};
}

std::uint64_t StageTest::counter(Counter counter) const {
  return region_->worker(0).counts.counters[static_cast<std::size_t>(counter)].load();
}
std::uint64_t StageTest::drops(DropReason reason) const {
  return region_->worker(0).counts.drops[static_cast<std::size_t>(reason)].load();
}
std::uint64_t StageTest::all_drops() const {
  std::uint64_t sum = 0;
  for (const auto& drop : region_->worker(0).counts.drops) sum += drop.load();
  return sum;
}

}  // namespace turnpike::test
