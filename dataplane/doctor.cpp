// SPDX-License-Identifier: BSD-3-Clause
// The checks of --doctor that concern the whole machine, and their printing. Those of ports:
// doctor_ports.cpp.
#include "dataplane/doctor.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "dataplane/lcore_plan.hpp"

namespace turnpike::dataplane {
namespace {

std::string list(const std::vector<unsigned>& numbers) {
  std::string text;
  for (const unsigned number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

Finding check_limit(const char* name, int resource, rlim_t needed, Verdict verdict, const char* remedy) {
  rlimit limit{};
  getrlimit(static_cast<__rlimit_resource_t>(resource), &limit);
  const std::string value = limit.rlim_cur == RLIM_INFINITY ? "unlimited" : std::to_string(limit.rlim_cur);
  if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= needed)
    return {Verdict::kOk, name + (": " + value), ""};
  return {verdict, name + (": " + value + ", needed " + std::to_string(needed)), remedy};
}

}  // namespace

std::vector<Finding> check_memory(const StartOptions& options, const Machine& machine) {
  std::vector<Finding> findings;
  for (const HugepagePool& pool : machine.hugepages()) {
    findings.push_back({Verdict::kOk,
                        "hugepages of " + std::to_string(pool.page_kib >> 10) + " MiB on node " +
                            std::to_string(pool.node) + ": " + std::to_string(pool.free) + " of " +
                            std::to_string(pool.total) + " free",
                        ""});
  }
  const std::uint64_t needed = options.memory_mib != 0 ? options.memory_mib << 20 : needed_bytes(options);
  const std::uint64_t available = machine.free_hugepage_bytes();
  const std::string text = "free hugepages: " + std::to_string(available >> 20) + " MiB" + ", needed " +
                           std::to_string(needed >> 20) + " MiB";
  const std::string remedy = "echo " + std::to_string((needed >> 21) + 1) + " > /proc/sys/vm/nr_hugepages";
  if (available >= needed) {
    findings.push_back({Verdict::kOk, text, ""});
  } else if (options.has_port(shm::PortKind::kPci)) {
    findings.push_back({Verdict::kFail, text + " (pci ports cannot do without)", remedy});
  } else {
    findings.push_back({Verdict::kWarn, text + ": ordinary memory will be used, which is slower", remedy});
  }
  return findings;
}

std::vector<Finding> check_cpus(const StartOptions& options, const Machine& machine) {
  const std::vector<unsigned> cpus = affinity_cpus();
  std::vector<Finding> findings;
  findings.push_back(
      {Verdict::kOk, "CPUs of this process: " + list(cpus) + "; lcores: " + options.lcores.eal_lcores, ""});
  if (!options.lcores.note.empty()) {
    findings.push_back(
        {Verdict::kWarn, options.lcores.note, "lower --workers or give the process more CPUs"});
  }
  const std::vector<unsigned> isolated = machine.isolated_cpus();
  if (isolated.empty()) {
    findings.push_back({Verdict::kWarn, "no CPU is isolated: other work can interrupt the workers",
                        "boot with isolcpus=CPUS nohz_full=CPUS rcu_nocbs=CPUS for the workers' CPUs"});
  } else {
    findings.push_back({Verdict::kOk, "isolated CPUs: " + list(isolated), ""});
  }
  return findings;
}

std::vector<Finding> check_relay_range(const StartOptions& options, const Machine& machine) {
  const std::string range = std::to_string(options.relay_min) + "-" + std::to_string(options.relay_max);
  const auto local = machine.local_port_range();
  if (!local) return {{Verdict::kWarn, "net.ipv4.ip_local_port_range cannot be read", ""}};
  const unsigned first = std::max<unsigned>(options.relay_min, local->first);
  const unsigned last = std::min<unsigned>(options.relay_max, local->second);
  if (first > last)
    return {{Verdict::kOk, "relay range " + range + ": outside the kernel's own port range", ""}};
  if (covers(machine.reserved_ports(), first, last)) {
    return {{Verdict::kOk, "relay range " + range + ": reserved from the kernel", ""}};
  }
  return {{Verdict::kWarn,
           "relay range " + range + ": the kernel gives ports " + std::to_string(first) + "-" +
               std::to_string(last) + " to its own sockets, whose answers we would take",
           "sysctl -w net.ipv4.ip_local_reserved_ports=" + range}};
}

std::vector<Finding> check_limits(const StartOptions& options) {
  std::vector<Finding> findings;
  findings.push_back(
      check_limit("open files (ulimit -n)", RLIMIT_NOFILE, 1024, Verdict::kWarn, "ulimit -n 4096"));
  // Root (CAP_IPC_LOCK) is not limited.
  if (geteuid() != 0) {
    const bool registers = options.has_port(shm::PortKind::kXdp) || options.has_port(shm::PortKind::kPci);
    findings.push_back(check_limit("locked memory in bytes (ulimit -l)", RLIMIT_MEMLOCK,
                                   needed_bytes(options), registers ? Verdict::kFail : Verdict::kWarn,
                                   "ulimit -l unlimited"));
  }
  return findings;
}

std::string to_line(const Finding& finding) {
  static constexpr const char* kNames[] = {"OK  ", "WARN", "FAIL"};
  std::string line = std::string(kNames[static_cast<std::size_t>(finding.verdict)]) + " " + finding.text;
  if (!finding.remedy.empty()) line += "\n     -> " + finding.remedy;
  return line;
}

int run_doctor(const config::Options& options) {
  std::vector<Finding> findings;
  const auto add = [&](std::vector<Finding> more) {
    findings.insert(findings.end(), std::make_move_iterator(more.begin()),
                    std::make_move_iterator(more.end()));
  };
  const auto start = start_options(options);
  if (!start) {
    add({{Verdict::kFail, start.error(), ""}});
  } else {
    const Machine machine;
    add(check_memory(*start, machine));
    add(check_cpus(*start, machine));
    add(check_ports(*start, machine));
    add(check_relay_range(*start, machine));
    add(check_limits(*start));
  }
  bool failed = false;
  for (const Finding& finding : findings) {
    std::puts(to_line(finding).c_str());
    failed = failed || finding.verdict == Verdict::kFail;
  }
  return failed ? 1 : 0;
}

}  // namespace turnpike::dataplane
