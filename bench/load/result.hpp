// SPDX-License-Identifier: BSD-3-Clause
// What both back ends print in the end, and how.
#pragma once

#include <map>
#include <nlohmann/json.hpp>

#include "bench/load/latency.hpp"

namespace turnpike::load {

using Json = nlohmann::ordered_json;

// JSON or a table of names and values on standard output.
void print_result(bool as_json, const Json& result);
// Microseconds of both directions.
Json latencies_json(const LatencySnapshots& latencies);

// Failures by error code; 0 is no answer.
Json codes_json(const std::map<int, std::uint64_t>& failures);

}  // namespace turnpike::load
