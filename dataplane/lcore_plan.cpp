// SPDX-License-Identifier: BSD-3-Clause
// Choosing lcores, and reading the operator's choice.
#include "dataplane/lcore_plan.hpp"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <string_view>

namespace turnpike::dataplane {
namespace {

constexpr unsigned kMaxLcores = 128;  // RTE_MAX_LCORE of Debian's DPDK
constexpr unsigned kMaxCpus = CPU_SETSIZE;

std::optional<unsigned> parse_unsigned(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

// One "3", "1-4", and in parentheses a comma-separated list of them.
bool take_numbers(std::string_view text, std::vector<unsigned>& numbers) {
  if (text.size() >= 2 && text.front() == '(' && text.back() == ')') text = text.substr(1, text.size() - 2);
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    const std::size_t dash = item.find('-');
    const auto first = parse_unsigned(item.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_unsigned(item.substr(dash + 1));
    if (!first || !last || *first > *last || *last >= kMaxCpus) return false;
    for (unsigned number = *first; number <= *last; ++number) numbers.push_back(number);
    if (comma == std::string_view::npos) return true;
    text = text.substr(comma + 1);
  }
}

// Items are separated by commas outside parentheses.
std::vector<std::string_view> split_items(std::string_view text) {
  std::vector<std::string_view> items;
  std::size_t start = 0;
  int depth = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || (text[i] == ',' && depth == 0)) {
      items.push_back(text.substr(start, i - start));
      start = i + 1;
    } else {
      depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
    }
  }
  return items;
}

Result<LcorePlan> read_plan(std::uint32_t workers, const std::string& text,
                            const std::vector<unsigned>& cpus) {
  const auto bad = [&](const std::string& why) {
    return Error{"lcores=" + text + ": " + why +
                 "; for example --lcores '0@0,1@2,2@3': lcore 0 is the main one"};
  };
  std::set<unsigned> lcores;
  for (const std::string_view item : split_items(text)) {
    const std::size_t at = item.find('@');
    std::vector<unsigned> ids;
    if (!take_numbers(item.substr(0, at), ids)) return bad("\"" + std::string(item) + "\" is no LCORE@CPU");
    std::vector<unsigned> places = ids;
    if (at != std::string_view::npos) {
      places.clear();
      if (!take_numbers(item.substr(at + 1), places))
        return bad("\"" + std::string(item) + "\" is no LCORE@CPU");
    }
    for (const unsigned cpu : places) {
      if (!std::binary_search(cpus.begin(), cpus.end(), cpu)) {
        return bad("CPU " + std::to_string(cpu) + " does not exist or is outside this process's affinity");
      }
    }
    for (const unsigned id : ids) {
      if (id >= kMaxLcores) return bad("lcore ids end at " + std::to_string(kMaxLcores - 1));
      if (!lcores.insert(id).second) return bad("lcore " + std::to_string(id) + " is named twice");
    }
  }
  if (!lcores.contains(0)) return bad("there is no lcore 0");
  if (lcores.size() != workers + 1) {
    return bad("it names " + std::to_string(lcores.size() - 1) +
               " lcores besides the main one, but workers=" + std::to_string(workers));
  }
  return LcorePlan{text, {std::next(lcores.begin()), lcores.end()}, ""};
}

}  // namespace

Result<LcorePlan> plan_lcores(std::uint32_t workers, const std::string& lcores,
                              const std::vector<unsigned>& cpus) {
  if (cpus.empty())
    return Error{"lcores: this process may run on no CPU; check its affinity (taskset, cgroup)"};
  if (!lcores.empty()) return read_plan(workers, lcores, cpus);
  if (workers > cpus.size()) {
    return Error{
        "workers=" + std::to_string(workers) + ": only " + std::to_string(cpus.size()) +
        " CPUs may be used here; lower --workers, or let workers share CPUs with --lcores '0@0,1@0,2@0'"};
  }
  // Workers take the last CPUs: the first ones serve most interrupts.
  LcorePlan plan;
  const std::size_t first = cpus.size() - workers;
  plan.eal_lcores = "0@" + std::to_string(cpus.front());
  for (std::uint32_t worker = 0; worker < workers; ++worker) {
    const unsigned lcore = worker + 1;
    plan.eal_lcores += "," + std::to_string(lcore) + "@" + std::to_string(cpus[first + worker]);
    plan.workers.push_back(lcore);
  }
  if (first == 0) {
    plan.note =
        "CPU " + std::to_string(cpus.front()) +
        " is shared by a worker, housekeeping and the rest of the machine; leave one CPU more than workers";
  }
  return plan;
}

std::vector<unsigned> affinity_cpus() {
  std::vector<unsigned> cpus;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
  for (unsigned cpu = 0; cpu < kMaxCpus; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

}  // namespace turnpike::dataplane
