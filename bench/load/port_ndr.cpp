// SPDX-License-Identifier: BSD-3-Clause
// What the samples around a trial say.
#include "bench/load/port_ndr.hpp"

#include <algorithm>

namespace turnpike::load {
namespace {

NdrTrial judge(const Options& options, std::uint64_t rate, const Sample& before, const Sample& after) {
  const std::uint64_t sent = total(after.sent) - total(before.sent);
  const std::uint64_t received = total(after.received) - total(before.received);
  const std::uint64_t offered = rate * options.seconds;
  // A burst may be on either side of the end.
  const std::uint64_t unsent = offered - std::min<std::uint64_t>(offered, sent + options.burst);
  const auto idle = static_cast<double>(after.idle - before.idle);
  const bool busy = idle < kBusy * static_cast<double>(after.cycles - before.cycles);
  return {{.offered = offered,
           .late = busy ? unsent : 0,
           .blocked = busy ? 0 : unsent,
           .lost = sent - std::min(sent, received)},
          sent};
}

}  // namespace

Result<Json> find_port_ndr(const Options& options, Traffic& traffic, const std::atomic<bool>& stop) {
  const auto trial = [&](std::uint64_t rate) -> Result<NdrTrial> {
    const Sample before = traffic.all();
    if (!traffic.run(rate, stop, [](const Sample&, const Sample&) {}))
      return Error{"the other side went away"};
    return judge(options, rate, before, traffic.all());
  };
  return find_ndr(options, trial, stop);
}

}  // namespace turnpike::load
