// SPDX-License-Identifier: BSD-3-Clause
// The table, and the figures that are read from histograms.
#include "bench/load/result.hpp"

#include <cstdio>

namespace turnpike::load {
namespace {

void print_rows(const std::string& prefix, const Json& object) {
  for (const auto& [name, value] : object.items()) {
    if (value.is_object() && !value.empty()) {
      print_rows(prefix + name + ".", value);
    } else {
      std::printf("%-28s %s\n", (prefix + name).c_str(), value.dump().c_str());
    }
  }
}

Json latency_json(const LatencySnapshot& latencies) {
  constexpr std::array<std::pair<const char*, std::uint32_t>, 5> kQuantiles{
      {{"p50", 500}, {"p90", 900}, {"p99", 990}, {"p99.9", 999}, {"max", 1000}}};
  Json result;
  result["count"] = latencies.count();
  if (latencies.count() == 0) return result;
  for (const auto& [name, per_mille] : kQuantiles) {
    result[name] = static_cast<double>(latencies.quantile(per_mille)) / 1e3;
  }
  return result;
}

}  // namespace

void print_result(bool as_json, const Json& result) {
  if (as_json) {
    std::printf("%s\n", result.dump(2).c_str());
  } else {
    print_rows("", result);
  }
}

Json latencies_json(const LatencySnapshots& latencies) {
  return {{"to_peer", latency_json(latencies[kToPeer])}, {"to_client", latency_json(latencies[kToClient])}};
}

Json codes_json(const std::map<int, std::uint64_t>& failures) {
  Json json = Json::object();
  for (const auto& [code, count] : failures) {
    json[code == 0 ? "no answer" : std::to_string(code)] = count;
  }
  return json;
}

}  // namespace turnpike::load
