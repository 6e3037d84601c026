// SPDX-License-Identifier: BSD-3-Clause
// What sysfs and procfs say about this machine; for start-up decisions and --doctor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace turnpike::dataplane {

struct HugepagePool {
  int node = 0;
  std::uint64_t page_kib = 0;
  std::uint64_t total = 0;  // pages
  std::uint64_t free = 0;
};

struct PciDevice {
  std::string driver;  // bound to it; empty: none
  std::string netdev;  // the kernel's name when a network driver holds it
  int numa_node = -1;
  bool iommu = false;  // it is in an IOMMU group
};

// `root` is "/" but for tests, which bring their own /sys and /proc.
class Machine {
public:
  explicit Machine(std::string root = "/") : root_(std::move(root)) {}

  std::vector<HugepagePool> hugepages() const;
  std::uint64_t free_hugepage_bytes() const;
  // Nothing: no device at this address.
  std::optional<PciDevice> pci_device(const std::string& address) const;
  bool has_iommu() const;
  // CPUs that the kernel's scheduler leaves alone (isolcpus), as sysfs lists them.
  std::vector<unsigned> isolated_cpus() const;
  std::vector<unsigned> node_cpus(int node) const;
  // net.ipv4.ip_local_port_range and ip_local_reserved_ports.
  std::optional<std::pair<unsigned, unsigned>> local_port_range() const;
  std::vector<std::pair<unsigned, unsigned>> reserved_ports() const;

  // What an ordinary process gets for a socket at most, to receive and to send (net.core.rmem_max and
  // wmem_max).
  std::uint64_t socket_buffer_limit() const;

  // First line of a file; empty when it cannot be read.
  std::string first_line(const std::string& path) const;

private:
  std::string path(const std::string& absolute) const { return root_ == "/" ? absolute : root_ + absolute; }

  std::string root_;
};

// "0-3,8" as sysfs and sysctl write lists. Malformed parts are left out.
std::vector<std::pair<unsigned, unsigned>> parse_ranges(const std::string& text);
// Is every number from `first` to `last` in one of `ranges`?
bool covers(std::vector<std::pair<unsigned, unsigned>> ranges, unsigned first, unsigned last);

}  // namespace turnpike::dataplane
