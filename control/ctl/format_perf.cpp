// SPDX-License-Identifier: BSD-3-Clause
// Where the workers' time went between two answers of the verb perf.
#include <array>
#include <cstdio>

#include "control/ctl/format.hpp"

namespace turnpike::ctl {
namespace {

constexpr std::array<const char*, 7> kStages{"receive", "classify", "channel", "peer",
                                             "stun",    "other",    "transmit"};
constexpr std::array<const char*, 7> kBursts{"1", "2", "3_4", "5_8", "9_16", "17_32", "33_64"};

std::string number(double value, int decimals) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return text.data();
}

// One worker, before and after; a dataplane that was started anew in between counts from zero.
class Interval {
public:
  Interval(const Json& before, const Json& after) : before_(before), after_(after) {}

  double rise(const std::string& counter) const {
    const auto earlier = before_.at(counter).get<std::uint64_t>();
    const auto later = after_.at(counter).get<std::uint64_t>();
    return static_cast<double>(later >= earlier ? later - earlier : later);
  }
  std::string per(const std::string& counter, const std::string& of, int decimals) const {
    const double divisor = rise(of);
    return divisor == 0 ? "-" : number(rise(counter) / divisor, decimals);
  }

private:
  const Json& before_;
  const Json& after_;
};

}  // namespace

std::string format_perf(const Json& before, const Json& after) {
  const double ns =
      static_cast<double>(after.at("now_ns").get<std::int64_t>() - before.at("now_ns").get<std::int64_t>());
  std::vector<Table::Column> columns{
      {"WORKER"}, {"PACKETS/S", true}, {"IDLE", true}, {"CYCLES/PACKET", true}};
  for (const char* stage : kStages) columns.push_back({stage, true});
  Table stages(std::move(columns));
  columns = {{"WORKER"}};
  for (const std::string bucket : kBursts) columns.push_back({"BURSTS OF " + bucket, true});
  Table bursts(std::move(columns));
  Table marks({{"WORKER"},
               {"COMMAND RING HIGH", true},
               {"EVENT RING HIGH", true},
               {"HAND-OVER HIGH", true},
               {"LONGEST LOOP", true}});
  for (std::size_t i = 0; i < after.at("workers").size() && i < before.at("workers").size(); ++i) {
    const Json& worker = after.at("workers").at(i);
    const Interval interval(before.at("workers").at(i), worker);
    const std::string name = printable_text(worker.at("worker"));
    double cycles = 0;
    for (const std::string stage : kStages) cycles += interval.rise(stage + "_cycles");
    const double packets = interval.rise("packets");
    std::vector<std::string> row{name, number(interval.rise("rx_packets") * 1e9 / ns, 0),
                                 number(100 - std::min(interval.rise("busy_ns") * 100 / ns, 100.0), 1) + " %",
                                 packets == 0 ? "-" : number(cycles / packets, 0)};
    for (const std::string stage : kStages) row.push_back(interval.per(stage + "_cycles", "packets", 0));
    stages.add(std::move(row));
    row = {name};
    for (const std::string bucket : kBursts) row.push_back(number(interval.rise("burst_" + bucket), 0));
    bursts.add(std::move(row));
    marks.add({name,
               printable_text(worker.at("commands_high")) + "/" + printable_text(after.at("command_cells")),
               printable_text(worker.at("events_high")) + "/" + printable_text(after.at("event_cells")),
               printable_text(worker.at("handoff_high")), printable_text(worker.at("max_loop_us")) + " us"});
  }
  return "in " + number(ns / 1e9, 1) + " s, stages in TSC cycles a packet, one pass of 64 timed:\n" +
         stages.text() + "\n" + bursts.text() + "\nsince the start:\n" + marks.text();
}

}  // namespace turnpike::ctl
