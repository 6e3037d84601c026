// SPDX-License-Identifier: BSD-3-Clause
// The UDP checksum of a relayed datagram: carried over by RFC 1624 arithmetic as the packet path does, and
// summed anew as it has to where there is nothing to carry. Rivals: DPDK's sum, and one byte after the other.
#include <rte_ip.h>

#include <random>
#include <vector>

#include "bench/micro/measure.hpp"
#include "common/wire/checksum.hpp"

namespace turnpike::bench {
namespace {

constexpr std::size_t kChannelHeader = 4;

// A received datagram: pseudo-header and ports of both ways, ChannelData header, payload.
struct Datagram {
  wire::ChecksumSum old_part;  // what leaves: addresses, ports, lengths, ChannelData header
  wire::ChecksumSum new_part;  // what comes: the flow's sum and the new length
  wire::Be16 checksum;         // as received
  std::vector<std::uint8_t> payload;
};

std::vector<Datagram> datagrams(std::size_t size) {
  auto random = random_order();
  std::vector<Datagram> all(kBatch);
  for (Datagram& datagram : all) {
    datagram.payload.resize(size);
    for (std::uint8_t& byte : datagram.payload) byte = static_cast<std::uint8_t>(random());
    datagram.old_part.add(wire::Be32(static_cast<std::uint32_t>(random())))
        .add(wire::Be16(static_cast<std::uint16_t>(size + kChannelHeader)));
    datagram.new_part.add(wire::Be32(static_cast<std::uint32_t>(random())))
        .add(wire::Be16(static_cast<std::uint16_t>(size)));
    datagram.checksum = wire::ChecksumSum(datagram.old_part).add(Bytes(datagram.payload)).udp_checksum();
  }
  return all;
}

wire::Be16 carried(const Datagram& datagram) {
  return wire::ChecksumUpdate(datagram.checksum)
      .remove(datagram.old_part)
      .add(datagram.new_part)
      .finish_udp();
}

wire::Be16 full(const Datagram& datagram) {
  return wire::ChecksumSum(datagram.new_part).add(Bytes(datagram.payload)).udp_checksum();
}

wire::Be16 full_by_dpdk(const Datagram& datagram) {
  const std::uint32_t sum = std::uint32_t{rte_raw_cksum(datagram.payload.data(), datagram.payload.size())} +
                            datagram.new_part.fold();
  const auto folded = static_cast<std::uint16_t>((sum & 0xFFFF) + (sum >> 16));
  return wire::Be16(wire::swap_bytes(static_cast<std::uint16_t>(folded == 0xFFFF ? 0xFFFF : ~folded)));
}

wire::Be16 full_bytewise(const Datagram& datagram) {
  std::uint32_t sum = wire::swap_bytes(datagram.new_part.fold());
  for (std::size_t i = 0; i < datagram.payload.size(); ++i) {
    sum += (i & 1) == 0 ? std::uint32_t{datagram.payload[i]} << 8 : datagram.payload[i];
  }
  while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
  return wire::Be16(static_cast<std::uint16_t>(sum == 0xFFFF ? 0xFFFF : ~sum));
}

template <typename Checksum>
void checksum(benchmark::State& state, Checksum&& compute) {
  const auto all = datagrams(static_cast<std::size_t>(state.range(0)));
  for (const Datagram& datagram : all) {
    if (!(compute(datagram) == full(datagram))) return state.SkipWithError("a checksum is wrong");
  }
  for (auto _ : state) {
    for (const Datagram& datagram : all) benchmark::DoNotOptimize(compute(datagram));
  }
  count_items(state, kBatch);
}

void checksum_sizes(benchmark::internal::Benchmark* bench) { bench->ArgName("payload")->Arg(120)->Arg(1200); }

BENCHMARK_CAPTURE(checksum, carried, carried)->Name("checksum-carried-over/turnpike")->Apply(checksum_sizes);
BENCHMARK_CAPTURE(checksum, anew, full)->Name("checksum-carried-over/turnpike-full")->Apply(checksum_sizes);
BENCHMARK_CAPTURE(checksum, carried_dpdk, full_by_dpdk)
    ->Name("checksum-carried-over/rte_raw_cksum")
    ->Apply(checksum_sizes);
BENCHMARK_CAPTURE(checksum, carried_bytes, full_bytewise)
    ->Name("checksum-carried-over/bytewise")
    ->Apply(checksum_sizes);
BENCHMARK_CAPTURE(checksum, full, full)->Name("checksum-full/turnpike")->Apply(checksum_sizes);
BENCHMARK_CAPTURE(checksum, full_dpdk, full_by_dpdk)
    ->Name("checksum-full/rte_raw_cksum")
    ->Apply(checksum_sizes);
BENCHMARK_CAPTURE(checksum, full_bytes, full_bytewise)->Name("checksum-full/bytewise")->Apply(checksum_sizes);

}  // namespace
}  // namespace turnpike::bench
