// SPDX-License-Identifier: BSD-3-Clause
// Messages written into the caller's buffer, against a writer that grows a vector and patches the length at
// the end.
#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "bench/micro/measure.hpp"
#include "common/stun/data_indication.hpp"
#include "common/stun/message_writer.hpp"
#include "common/wire/endpoint.hpp"
#include "tests/support/packet_builder.hpp"

namespace turnpike::bench {
namespace {

using stun::Attribute;
using test::ByteVector;

constexpr std::array<std::uint8_t, stun::kTransactionIdSize> kTransaction{'t', 'r', 'a', 'n', 's', 'a',
                                                                          'c', 't', 'i', 'o', 'n', '!'};
constexpr std::string_view kSoftware = "turnpike";

class GrowingWriter {
public:
  GrowingWriter(stun::Method method, stun::MessageClass message_class) {
    add_u16(stun::encode_type(method, message_class));
    add_u16(0);
    add_u32(stun::kMagicCookie);
    bytes_.insert(bytes_.end(), kTransaction.begin(), kTransaction.end());
  }
  void add(Attribute attribute, Bytes value) {
    add_u16(static_cast<std::uint16_t>(attribute));
    add_u16(static_cast<std::uint16_t>(value.size()));
    bytes_.insert(bytes_.end(), value.begin(), value.end());
    while (bytes_.size() % 4 != 0) bytes_.push_back(0);
  }
  void add_xor_address(Attribute attribute, const wire::Endpoint& endpoint) {
    std::vector<std::uint8_t> value(stun::address_value_size(endpoint.address.family));
    stun::encode_address(value.data(), stun::xor_endpoint(endpoint, kTransaction));
    add(attribute, value);
  }
  void add_u32(Attribute attribute, std::uint32_t number) {
    std::array<std::uint8_t, 4> value;
    wire::store_be32(value.data(), number);
    add(attribute, value);
  }
  std::vector<std::uint8_t> finish() {
    wire::store_be16(bytes_.data() + 2, static_cast<std::uint16_t>(bytes_.size() - stun::kHeaderSize));
    return std::move(bytes_);
  }

private:
  void add_u16(std::uint16_t number) {
    bytes_.push_back(static_cast<std::uint8_t>(number >> 8));
    bytes_.push_back(static_cast<std::uint8_t>(number));
  }
  void add_u32(std::uint32_t number) {
    add_u16(static_cast<std::uint16_t>(number >> 16));
    add_u16(static_cast<std::uint16_t>(number));
  }

  std::vector<std::uint8_t> bytes_;
};

wire::Endpoint endpoint_of(const benchmark::State& state) {
  return wire::parse_endpoint(state.range(0) == 4 ? "10.0.1.2:40000" : "[fd00:1::2]:40000").value();
}

// ---- Allocate success response, as control writes it but for its integrity

Bytes write_allocated(MutableBytes buffer, const wire::Endpoint& endpoint) {
  stun::MessageWriter writer(buffer);
  writer.begin(stun::Method::kAllocate, stun::MessageClass::kSuccess, kTransaction);
  writer.add_xor_address(Attribute::kXorRelayedAddress, endpoint);
  writer.add_u32(Attribute::kLifetime, 600);
  writer.add_xor_address(Attribute::kXorMappedAddress, endpoint);
  writer.add_text(Attribute::kSoftware, kSoftware);
  return writer.finish();
}

std::vector<std::uint8_t> grow_allocated(const wire::Endpoint& endpoint) {
  GrowingWriter writer(stun::Method::kAllocate, stun::MessageClass::kSuccess);
  writer.add_xor_address(Attribute::kXorRelayedAddress, endpoint);
  writer.add_u32(Attribute::kLifetime, 600);
  writer.add_xor_address(Attribute::kXorMappedAddress, endpoint);
  writer.add(Attribute::kSoftware, as_bytes(kSoftware));
  return writer.finish();
}

bool same(Bytes a, Bytes b) { return !a.empty() && std::equal(a.begin(), a.end(), b.begin(), b.end()); }

void write_response(benchmark::State& state) {
  const wire::Endpoint endpoint = endpoint_of(state);
  std::array<std::uint8_t, 548> buffer;
  if (!same(write_allocated(buffer, endpoint), grow_allocated(endpoint)))
    return state.SkipWithError("the two writers disagree");
  for (auto _ : state) benchmark::DoNotOptimize(write_allocated(buffer, endpoint));
  count_items(state, 1);
}

void grow_response(benchmark::State& state) {
  const wire::Endpoint endpoint = endpoint_of(state);
  for (auto _ : state) benchmark::DoNotOptimize(grow_allocated(endpoint));
  count_items(state, 1);
}

// ---- Data indication: the packet path writes in front of a payload that stays where it is

void write_data(benchmark::State& state) {
  const wire::Endpoint peer = endpoint_of(state);
  const auto size = static_cast<std::size_t>(state.range(1));
  ByteVector buffer(stun::kDataIndicationPrefixV6 + size, 0x5A);
  std::size_t written = 0;
  for (auto _ : state) {
    written = stun::write_data_indication_prefix(buffer, kTransaction, peer, size);
    benchmark::DoNotOptimize(buffer.data());
    benchmark::ClobberMemory();
  }
  if (written == 0) return state.SkipWithError("the indication was not written");
  count_items(state, 1);
}

void grow_data(benchmark::State& state) {
  const wire::Endpoint peer = endpoint_of(state);
  const ByteVector payload(static_cast<std::size_t>(state.range(1)), 0x5A);
  for (auto _ : state) {
    GrowingWriter writer(stun::Method::kData, stun::MessageClass::kIndication);
    writer.add_xor_address(Attribute::kXorPeerAddress, peer);
    writer.add(Attribute::kData, payload);
    benchmark::DoNotOptimize(writer.finish());
  }
  count_items(state, 1);
}

void data_sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"family", "payload"})->ArgsProduct({{4, 6}, {120, 1200}});
}

BENCHMARK(write_response)->Name("write-allocate-response/turnpike")->ArgName("family")->Arg(4)->Arg(6);
BENCHMARK(grow_response)->Name("write-allocate-response/growing-vector")->ArgName("family")->Arg(4)->Arg(6);
BENCHMARK(write_data)->Name("write-data-indication/turnpike")->Apply(data_sizes);
BENCHMARK(grow_data)->Name("write-data-indication/growing-vector")->Apply(data_sizes);

}  // namespace
}  // namespace turnpike::bench
