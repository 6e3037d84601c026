// SPDX-License-Identifier: BSD-3-Clause
// What turnpikectl shows, as JSON.
#pragma once

#include "common/base/time.hpp"
#include "control/admin/shard_report.hpp"
#include "control/runtime/drain.hpp"
#include "control/runtime/statistics.hpp"

namespace turnpike::control {

struct ReportSources {
  const ControlOptions& options;
  const Attachment& attachment;
  Shards shards;
  const Statistics& statistics;
  Drain& drain;
  Time started{};
};

Json report_status(const ReportSources& sources, Time now);
// At most `limit` sessions, 0 for all; "total" counts all of them.
Json report_sessions(const ReportSources& sources, Time now, std::size_t limit);
Json report_drops(const ReportSources& sources);
// Occupancy of the socket calls.
Json report_io(const ReportSources& sources);
// Where the workers' time goes: counters to be looked at twice.
Json report_perf(const ReportSources& sources, Time now);

// Answers one request line, {"verb": ...}. Anything else gets {"ok": false, "error": ...}.
// `reload` gives the names of options that need a restart.
using ReloadVerb = std::function<Result<std::vector<std::string_view>>()>;
std::string answer_request(const ReportSources& sources, Time now, std::string_view line,
                           const ReloadVerb& reload);

}  // namespace turnpike::control
