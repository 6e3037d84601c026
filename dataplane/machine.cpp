// SPDX-License-Identifier: BSD-3-Clause
// Reading sysfs and procfs.
#include "dataplane/machine.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

namespace turnpike::dataplane {
namespace {

namespace fs = std::filesystem;

template <typename T>
std::optional<T> number_of(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

// "node3" with prefix "node" is 3.
std::optional<unsigned> number_after(const std::string& name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return {};
  return number_of<unsigned>(std::string_view(name).substr(prefix.size()));
}

std::vector<fs::path> entries(const fs::path& directory) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string line_of(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

void add_pools(const fs::path& directory, int node, std::vector<HugepagePool>& pools) {
  for (const fs::path& pool : entries(directory)) {
    std::string size = pool.filename().string();
    if (!size.starts_with("hugepages-") || !size.ends_with("kB")) continue;
    size = size.substr(10, size.size() - 12);
    pools.push_back({node, number_of<std::uint64_t>(size).value_or(0),
                     number_of<std::uint64_t>(line_of(pool / "nr_hugepages")).value_or(0),
                     number_of<std::uint64_t>(line_of(pool / "free_hugepages")).value_or(0)});
  }
}

std::vector<unsigned> expand(const std::vector<std::pair<unsigned, unsigned>>& ranges) {
  std::vector<unsigned> numbers;
  for (const auto& [first, last] : ranges) {
    for (unsigned number = first; number <= last && numbers.size() < 4096; ++number)
      numbers.push_back(number);
  }
  return numbers;
}

}  // namespace

std::vector<HugepagePool> Machine::hugepages() const {
  std::vector<HugepagePool> pools;
  for (const fs::path& node : entries(path("/sys/devices/system/node"))) {
    const auto number = number_after(node.filename().string(), "node");
    if (number) add_pools(node / "hugepages", static_cast<int>(*number), pools);
  }
  // A kernel without NUMA has one pool of each size.
  if (pools.empty()) add_pools(path("/sys/kernel/mm/hugepages"), 0, pools);
  return pools;
}

std::uint64_t Machine::free_hugepage_bytes() const {
  std::uint64_t bytes = 0;
  for (const HugepagePool& pool : hugepages()) bytes += pool.free * pool.page_kib * 1024;
  return bytes;
}

std::optional<PciDevice> Machine::pci_device(const std::string& address) const {
  const fs::path directory = path("/sys/bus/pci/devices/" + address);
  std::error_code error;
  if (!fs::exists(directory, error)) return {};
  PciDevice device;
  const fs::path driver = fs::read_symlink(directory / "driver", error);
  if (!error) device.driver = driver.filename().string();
  const auto netdevs = entries(directory / "net");
  if (!netdevs.empty()) device.netdev = netdevs.front().filename().string();
  device.numa_node = number_of<int>(line_of(directory / "numa_node")).value_or(-1);
  device.iommu = fs::exists(directory / "iommu_group", error);
  return device;
}

bool Machine::has_iommu() const { return !entries(path("/sys/kernel/iommu_groups")).empty(); }

std::vector<unsigned> Machine::isolated_cpus() const {
  return expand(parse_ranges(first_line("/sys/devices/system/cpu/isolated")));
}

std::vector<unsigned> Machine::node_cpus(int node) const {
  return expand(
      parse_ranges(first_line("/sys/devices/system/node/node" + std::to_string(node) + "/cpulist")));
}

std::optional<std::pair<unsigned, unsigned>> Machine::local_port_range() const {
  std::istringstream line(first_line("/proc/sys/net/ipv4/ip_local_port_range"));
  std::pair<unsigned, unsigned> range;
  if (!(line >> range.first >> range.second)) return {};
  return range;
}

std::vector<std::pair<unsigned, unsigned>> Machine::reserved_ports() const {
  return parse_ranges(first_line("/proc/sys/net/ipv4/ip_local_reserved_ports"));
}

std::uint64_t Machine::socket_buffer_limit() const {
  const auto receive = number_of<std::uint64_t>(first_line("/proc/sys/net/core/rmem_max"));
  const auto send = number_of<std::uint64_t>(first_line("/proc/sys/net/core/wmem_max"));
  return std::min(receive.value_or(0), send.value_or(0));
}

std::string Machine::first_line(const std::string& file) const { return line_of(path(file)); }

std::vector<std::pair<unsigned, unsigned>> parse_ranges(const std::string& text) {
  std::vector<std::pair<unsigned, unsigned>> ranges;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const std::size_t dash = part.find('-');
    const auto first = number_of<unsigned>(std::string_view(part).substr(0, dash));
    const auto last =
        dash == std::string::npos ? first : number_of<unsigned>(std::string_view(part).substr(dash + 1));
    if (first && last && *first <= *last) ranges.emplace_back(*first, *last);
  }
  return ranges;
}

bool covers(std::vector<std::pair<unsigned, unsigned>> ranges, unsigned first, unsigned last) {
  std::sort(ranges.begin(), ranges.end());
  unsigned next = first;  // the first number not seen yet
  for (const auto& [low, high] : ranges) {
    if (low > next) break;
    if (high >= last) return true;
    next = std::max(next, high + 1);
  }
  return false;
}

}  // namespace turnpike::dataplane
