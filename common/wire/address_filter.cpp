// SPDX-License-Identifier: BSD-3-Clause
// From overlapping rules to intervals.
#include "common/wire/address_filter.hpp"

namespace turnpike::wire {

AddressFilter::AddressFilter(std::span<const Rule> rules)
    : denied_{intervals_of(Family::kIpv4, rules), intervals_of(Family::kIpv6, rules)} {}

// Verdicts change only where a range begins or has ended: each stretch between is judged once.
std::vector<AddressFilter::Interval> AddressFilter::intervals_of(Family family, std::span<const Rule> rules) {
  struct Judged {
    Number first, last;
    bool denied;
  };
  // An IPv4 address is the upper four bytes.
  const Number step = family == Family::kIpv4 ? Number{1} << 96 : Number{1};
  const Number largest = Number{0} - step;
  std::vector<Judged> smallest_first;
  std::vector<Number> starts;
  for (const Rule& rule : rules) {
    if (rule.range.first.family != family) continue;
    const Judged judged{number_of(rule.range.first.bytes), number_of(rule.range.last.bytes), rule.denied};
    smallest_first.push_back(judged);
    starts.push_back(judged.first);
    if (judged.last != largest) starts.push_back(judged.last + step);
  }
  std::sort(smallest_first.begin(), smallest_first.end(), [](const Judged& a, const Judged& b) {
    const Number a_width = a.last - a.first;
    const Number b_width = b.last - b.first;
    return a_width != b_width ? a_width < b_width : a.denied && !b.denied;
  });
  std::sort(starts.begin(), starts.end());
  starts.erase(std::unique(starts.begin(), starts.end()), starts.end());

  std::vector<Interval> denied;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const Number start = starts[i];
    const auto rule = std::find_if(smallest_first.begin(), smallest_first.end(), [start](const Judged& each) {
      return each.first <= start && start <= each.last;
    });
    if (rule == smallest_first.end() || !rule->denied) continue;
    const Number last = i + 1 < starts.size() ? starts[i + 1] - step : largest;
    if (!denied.empty() && denied.back().last + step == start) {
      denied.back().last = last;
    } else {
      denied.push_back({start, last});
    }
  }
  return denied;
}

}  // namespace turnpike::wire
