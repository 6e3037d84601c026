// SPDX-License-Identifier: BSD-3-Clause
// The checks of --doctor that concern the ports given.
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "dataplane/doctor.hpp"
#include "dataplane/port/netdev.hpp"
#include "dataplane/port/port_factory.hpp"

namespace turnpike::dataplane {
namespace {

using shm::PortKind;

// "port=x: what is wrong; what mends it" as a finding.
Finding failure(const std::string& error) {
  const std::size_t cut = error.find("; ");
  if (cut == std::string::npos) return {Verdict::kFail, error, ""};
  return {Verdict::kFail, error.substr(0, cut), error.substr(cut + 2)};
}

void check_pci(const PortSpec& spec, const Machine& machine, std::vector<Finding>& findings) {
  const auto device = machine.pci_device(spec.device);
  if (!device) return;
  findings.push_back({Verdict::kOk, "port=" + spec.text + ": driver " + device->driver, ""});
  if (device->driver == "vfio-pci" && !device->iommu) {
    findings.push_back({Verdict::kWarn,
                        "port=" + spec.text + ": no IOMMU group, so the NIC can write everywhere",
                        "boot with intel_iommu=on iommu=pt (AMD: iommu=pt)"});
  }
  const std::vector<unsigned> cpus = machine.node_cpus(device->numa_node);
  if (device->numa_node < 0 || cpus.empty()) return;
  const bool local = std::any_of(cpus.begin(), cpus.end(), [](unsigned cpu) {
    const std::vector<unsigned> own = affinity_cpus();
    return std::binary_search(own.begin(), own.end(), cpu);
  });
  if (local) return;
  findings.push_back({Verdict::kWarn,
                      "port=" + spec.text + ": the NIC is on node " + std::to_string(device->numa_node) +
                          ", none of whose CPUs this process may use",
                      "run it on that node's CPUs: numactl -N " + std::to_string(device->numa_node) + " -m " +
                          std::to_string(device->numa_node) + " turnpike-dataplane ..."});
}

void check_xdp(const PortSpec& spec, std::vector<Finding>& findings) {
  const std::string driver = netdev_driver(spec.device);
  const std::uint32_t queues = netdev_rx_queues(spec.device);
  findings.push_back({Verdict::kOk,
                      "port=" + spec.text + ": driver " + (driver.empty() ? "unknown" : driver) + ", " +
                          std::to_string(queues) + " receive queues, libbpf " + libbpf_version_string(),
                      ""});
  if (libbpf_probe_bpf_map_type(BPF_MAP_TYPE_XSKMAP, nullptr) != 1) {
    findings.push_back({Verdict::kFail,
                        "port=" + spec.text + ": AF_XDP is not to be had (kernel, or no privilege)",
                        "run as root on Linux 5.10 or later with CONFIG_XDP_SOCKETS"});
  }
}

// A descriptor for each allocation, unless relay ports are shared; start-up raises the soft limit to the hard
// one.
void check_sockets(const StartOptions& options, std::vector<Finding>& findings) {
  constexpr long kWantedBuffer = 16L << 20;
  long rmem = 0;
  std::ifstream("/proc/sys/net/core/rmem_max") >> rmem;
  const std::string size = "socket buffers: up to " + std::to_string(rmem >> 10) + " KiB";
  const bool enough = rmem >= kWantedBuffer || geteuid() == 0;
  findings.push_back(enough ? Finding{Verdict::kOk, size, ""}
                            : Finding{Verdict::kWarn, size, "sysctl -p scripts/turnpike-sysctl.conf"});
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const std::uint64_t wanted = std::uint64_t{options.capacity.allocations} * options.capacity.workers + 64;
  const std::string sockets = "sockets: " + std::to_string(limit.rlim_max) + " at most";
  findings.push_back(
      limit.rlim_max >= wanted
          ? Finding{Verdict::kOk, sockets, ""}
          : Finding{Verdict::kWarn, sockets + ", max-allocations wants " + std::to_string(wanted),
                    "raise LimitNOFILE (ulimit -Hn), lower max-allocations, or --multiplex-peer"});
}

void check_twin(const PortSpec& spec, std::vector<Finding>& findings) {
  if (spec.twin.empty()) return;
  if (access("/dev/net/tun", R_OK | W_OK) == 0) {
    findings.push_back(
        {Verdict::kOk, "port=" + spec.text + ": /dev/net/tun is there for the twin " + spec.twin, ""});
  } else {
    findings.push_back({Verdict::kFail, "port=" + spec.text + ": no /dev/net/tun for the twin " + spec.twin,
                        "modprobe tun, or twin=none"});
  }
}

}  // namespace

std::vector<Finding> check_ports(const StartOptions& options, const Machine& machine) {
  std::vector<Finding> findings;
  const bool iommu = machine.has_iommu();
  const bool pci = std::any_of(options.ports.begin(), options.ports.end(),
                               [](const PortSpec& spec) { return spec.kind == PortKind::kPci; });
  if (pci) {
    findings.push_back(
        iommu ? Finding{Verdict::kOk, "IOMMU: on", ""}
              : Finding{Verdict::kWarn, "IOMMU: off or absent",
                        "boot with intel_iommu=on iommu=pt (AMD: iommu=pt); in a guest without one: "
                        "modprobe vfio enable_unsafe_noiommu_mode=1"});
  }
  for (const PortSpec& spec : options.ports) {
    if (const auto checked = check_port(spec); !checked) {
      findings.push_back(failure(checked.error()));
      continue;
    }
    if (spec.kind == PortKind::kPci) check_pci(spec, machine, findings);
    if (spec.kind == PortKind::kXdp) check_xdp(spec, findings);
    if (spec.kind == PortKind::kMemif || spec.kind == PortKind::kVhost || spec.kind == PortKind::kVdev ||
        spec.kind == PortKind::kSocket) {
      findings.push_back({Verdict::kOk, "port=" + spec.text, ""});
    }
    check_twin(spec, findings);
  }
  if (options.kernel_sockets()) check_sockets(options, findings);
  return findings;
}

}  // namespace turnpike::dataplane
