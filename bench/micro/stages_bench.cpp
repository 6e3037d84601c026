// SPDX-License-Identifier: BSD-3-Clause
// Whole bursts through the stages, from received frame to transmit queue. The rival does to the same frames
// what dpdk-testpmd's 5tswap does: addresses and ports change places, nothing is looked up or checked.
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include <utility>

#include "bench/micro/relay.hpp"

namespace turnpike::bench {
namespace {

using wire::Family;

Load load_of(const benchmark::State& state, Kind kind) {
  return {kind, state.range(0) == 4 ? Family::kIpv4 : Family::kIpv6,
          static_cast<std::size_t>(state.range(1))};
}

// So many bursts wait before one after the other is worked on, and only that is timed: frames come out of the
// L2 cache then, not out of L1.
constexpr std::size_t kWaiting = 32;

// `work(relay, burst)` on fresh frames; `out` is what one packet has to become.
template <typename Work>
void run_bursts(benchmark::State& state, const Load& load, std::size_t out, Work&& work) {
  Relay& relay = Relay::instance();
  const Frames frames = relay.frames(load);
  std::size_t next = 0;
  std::size_t collected = 0;
  std::array<Burst, kWaiting> bursts;
  for (auto _ : state) {
    for (Burst& burst : bursts) relay.receive(load, frames, next, burst);
    {
      const PartTimer timer(state);
      for (Burst& burst : bursts) work(relay, burst);
    }
    collected += relay.collect();
  }
  constexpr std::size_t kEach = kWaiting * kBatch;
  if (collected != out * kEach * state.iterations()) return state.SkipWithError("packets were lost");
  count_items(state, kEach);
}

void stages(benchmark::State& state, Kind kind, std::size_t out) {
  run_bursts(state, load_of(state, kind), out, [](Relay& relay, Burst& burst) { relay.process(burst); });
}

void swap_one(rte_mbuf* mbuf) {
  auto* ethernet = rte_pktmbuf_mtod(mbuf, rte_ether_hdr*);
  std::swap(ethernet->src_addr, ethernet->dst_addr);
  rte_udp_hdr* udp = nullptr;
  if (ethernet->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)) {
    auto* ip = reinterpret_cast<rte_ipv4_hdr*>(ethernet + 1);
    const rte_be32_t source = ip->src_addr;
    ip->src_addr = ip->dst_addr;
    ip->dst_addr = source;
    udp = reinterpret_cast<rte_udp_hdr*>(ip + 1);
  } else {
    auto* ip = reinterpret_cast<rte_ipv6_hdr*>(ethernet + 1);
    std::swap(ip->src_addr, ip->dst_addr);
    udp = reinterpret_cast<rte_udp_hdr*>(ip + 1);
  }
  const rte_be16_t source_port = udp->src_port;
  udp->src_port = udp->dst_port;
  udp->dst_port = source_port;
}

void swapped(benchmark::State& state, Kind kind) {
  run_bursts(state, load_of(state, kind), 1, [](Relay& relay, Burst& burst) {
    for (rte_mbuf* mbuf : burst) rte_prefetch0(rte_pktmbuf_mtod(mbuf, void*));
    for (rte_mbuf* mbuf : burst) swap_one(mbuf);
    relay.port(burst[0]->port).tx(0, burst);
  });
}

void media(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"family", "payload"})->ArgsProduct({{4, 6}, {120, 1200}})->UseManualTime();
}
void media_v4(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"family", "payload"})->ArgsProduct({{4}, {120, 1200}})->UseManualTime();
}
void large_v4(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"family", "payload"})->Args({4, 1200})->UseManualTime();
}
void requests(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"family", "payload"})->ArgsProduct({{4, 6}, {0}})->UseManualTime();
}

#define STAGES(scenario, kind, out, arguments)                                                    \
  BENCHMARK_CAPTURE(stages, kind, Kind::kind, out)->Name(scenario "/turnpike")->Apply(arguments); \
  BENCHMARK_CAPTURE(swapped, kind, Kind::kind)->Name(scenario "/5tswap")->Apply(arguments)

STAGES("stages-channel-to-peer", kChannelToPeer, 1, media);
STAGES("stages-peer-to-channel", kPeerToChannel, 1, media);
STAGES("stages-send-to-peer", kSendToPeer, 1, media);
STAGES("stages-peer-to-data", kPeerToData, 1, media);
STAGES("stages-hairpin", kHairpin, 1, media);
STAGES("stages-limited", kLimited, 1, media_v4);
STAGES("stages-fragmented", kFragmented, 2, large_v4);
STAGES("stages-binding", kBinding, 1, requests);
STAGES("stages-request-to-control", kRequest, 1, requests);

#undef STAGES

}  // namespace
}  // namespace turnpike::bench
