// SPDX-License-Identifier: BSD-3-Clause
// Frame to endpoints and payload. The rival is DPDK's software parser, which finds the layers but proves no
// length, compares no address and looks at no checksum.
#include <rte_net.h>

#include "bench/micro/relay.hpp"
#include "dataplane/stages/stages.hpp"

namespace turnpike::bench {
namespace {

constexpr std::size_t kBursts = 8;

// Bursts that lie in their buffers for the time of a bench: classification changes no byte of them.
class Received {
public:
  explicit Received(const benchmark::State& state) : relay_(Relay::instance()) {
    const bool v4 = state.range(0) == 4;
    const Load load{Kind::kChannelToPeer, v4 ? wire::Family::kIpv4 : wire::Family::kIpv6};
    const Frames frames = relay_.frames(load);
    std::size_t next = 0;
    for (Burst& burst : bursts_) relay_.receive(load, frames, next, burst);
  }
  ~Received() {
    for (Burst& burst : bursts_) rte_pktmbuf_free_bulk(burst.data(), burst.size());
  }
  Received(const Received&) = delete;
  Received& operator=(const Received&) = delete;

  const Burst& next() { return bursts_[at_++ % kBursts]; }
  Relay& relay() { return relay_; }

private:
  Relay& relay_;
  std::array<Burst, kBursts> bursts_;
  std::size_t at_ = 0;
};

void classify(benchmark::State& state) {
  Received received(state);
  dataplane::Lcore& lcore = received.relay().lcore();
  std::size_t classified = 0;
  for (auto _ : state) {
    lcore.batch.clear();
    for (rte_mbuf* frame : received.next()) dataplane::classify_link(lcore, lcore.batch, frame, false);
    classified += lcore.batch.client_channel.count;
  }
  if (classified != kBatch * state.iterations()) return state.SkipWithError("a frame was not classified");
  count_items(state, kBatch);
}

void classify_ptype(benchmark::State& state) {
  Received received(state);
  rte_net_hdr_lens lengths;
  for (auto _ : state) {
    for (const rte_mbuf* frame : received.next()) {
      benchmark::DoNotOptimize(
          rte_net_get_ptype(frame, &lengths, RTE_PTYPE_L2_MASK | RTE_PTYPE_L3_MASK | RTE_PTYPE_L4_MASK));
      benchmark::DoNotOptimize(lengths);
    }
  }
  count_items(state, kBatch);
}

BENCHMARK(classify)->Name("classify/turnpike")->ArgName("family")->Arg(4)->Arg(6);
BENCHMARK(classify_ptype)->Name("classify/rte_net_get_ptype")->ArgName("family")->Arg(4)->Arg(6);

}  // namespace
}  // namespace turnpike::bench
