// SPDX-License-Identifier: BSD-3-Clause
// EAL's arguments, its log, its start.
#include "dataplane/eal.hpp"

#include <fcntl.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>
#include <utility>

#include "dataplane/log.hpp"

namespace turnpike::dataplane {
namespace {

std::string mib(std::uint64_t bytes) { return std::to_string((bytes + (1u << 20) - 1) >> 20); }

// DPDK's log: whole lines, prefixed like ours. Errors during start-up are kept, because the error that we
// print says the same in terms of an option.
struct LogSink {
  std::mutex mutex;  // EAL's interrupt thread logs as well
  std::string partial;
  std::string complaint;
  bool shown = false;
};

LogSink& sink() {
  static LogSink instance;
  return instance;
}

void take_line(LogSink& log, const std::string& line) {
  if (line.empty()) return;
  if (log.shown) {
    log_line("dpdk: " + line);
  } else if (log.complaint.empty() && rte_log_cur_msg_loglevel() <= static_cast<int>(RTE_LOG_ERR)) {
    log.complaint = line;  // the first one: what follows is mostly its consequence
  }
}

ssize_t write_log(void*, const char* text, size_t size) {
  LogSink& log = sink();
  const std::lock_guard lock(log.mutex);
  log.partial.append(text, size);
  for (std::size_t end; (end = log.partial.find('\n')) != std::string::npos;) {
    take_line(log, log.partial.substr(0, end));
    log.partial.erase(0, end + 1);
  }
  return static_cast<ssize_t>(size);
}

void redirect_log() {
  FILE* stream = fopencookie(nullptr, "w", cookie_io_functions_t{nullptr, write_log, nullptr, nullptr});
  if (stream == nullptr) return;
  setvbuf(stream, nullptr, _IOLBF, 1024);
  rte_openlog_stream(stream);
}

// EAL prints its usage on standard output and repeats its verdict on standard error, where one line of ours
// has to stand out.
class QuietOutput {
public:
  explicit QuietOutput(bool quiet) {
    if (!quiet) return;
    const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (Saved& saved : saved_) {
      saved.copy = fcntl(saved.fd, F_DUPFD_CLOEXEC, 3);
      if (null >= 0 && saved.copy >= 0) dup2(null, saved.fd);
    }
    if (null >= 0) close(null);
  }
  ~QuietOutput() {
    fflush(stdout);
    for (const Saved& saved : saved_) {
      if (saved.copy < 0) continue;
      dup2(saved.copy, saved.fd);
      close(saved.copy);
    }
  }
  QuietOutput(const QuietOutput&) = delete;
  QuietOutput& operator=(const QuietOutput&) = delete;

private:
  struct Saved {
    int fd;
    int copy = -1;
  };
  std::array<Saved, 2> saved_{{{STDOUT_FILENO}, {STDERR_FILENO}}};
};

// Hugepages when there are enough; ordinary memory when there are not and no NIC has to reach it.
Status plan_memory(const StartOptions& options, const Machine& machine, EalPlan& plan) {
  const std::uint64_t needed = options.memory_mib != 0 ? options.memory_mib << 20 : needed_bytes(options);
  const std::uint64_t available = machine.free_hugepage_bytes();
  const bool pci = options.has_port(shm::PortKind::kPci);
  if (options.no_huge && pci) {
    return Error{"no-huge: pci ports need hugepages, because the NIC writes into them; leave --no-huge out"};
  }
  if (!options.no_huge && available >= needed) {
    plan.arguments.emplace_back("--in-memory");
    if (options.memory_mib != 0) plan.arguments.insert(plan.arguments.end(), {"-m", mib(needed)});
    return Unit{};
  }
  if (pci) {
    return Error{"pci ports need " + mib(needed) + " MiB of free hugepages and there are " + mib(available) +
                 "; type: echo " + std::to_string((needed >> 21) + 1) + " > /proc/sys/vm/nr_hugepages"};
  }
  plan.arguments.insert(plan.arguments.end(), {"--no-huge", "--no-shconf", "-m", mib(needed)});
  if (!options.no_huge) {
    plan.note = "ordinary memory is used: " + mib(needed) +
                " MiB of hugepages would be faster (free now: " + mib(available) + "); echo " +
                std::to_string((needed >> 21) + 1) + " > /proc/sys/vm/nr_hugepages";
  }
  return Unit{};
}

}  // namespace

Result<EalPlan> plan_eal(const StartOptions& options, const Machine& machine) {
  EalPlan plan;
  plan.arguments = {"--lcores",      options.lcores.eal_lcores,
                    "--main-lcore",  "0",
                    "--log-level",   options.verbose ? "info" : "warning",
                    "--file-prefix", "turnpike-" + options.paths.instance,
                    "--no-telemetry"};
  if (auto planned = plan_memory(options, machine, plan); !planned) return Error{planned.error()};
  if (options.has_port(shm::PortKind::kPci)) {
    for (const PortSpec& port : options.ports) {
      if (port.kind != shm::PortKind::kPci) continue;
      plan.arguments.insert(
          plan.arguments.end(),
          {"-a", port.driver_args.empty() ? port.device : port.device + "," + port.driver_args});
    }
  } else {
    plan.arguments.emplace_back("--no-pci");
  }
  // AF_XDP registers the packet memory with the kernel as one range of virtual addresses.
  if (options.has_port(shm::PortKind::kXdp) || !options.has_port(shm::PortKind::kPci)) {
    plan.arguments.insert(plan.arguments.end(), {"--iova-mode", "va"});
  }
  plan.arguments.insert(plan.arguments.end(), options.eal_arguments.begin(), options.eal_arguments.end());
  return plan;
}

Result<std::unique_ptr<Eal>> Eal::start(const EalPlan& plan, bool verbose) {
  redirect_log();
  if (verbose) show_log();
  std::vector<std::string> texts{"turnpike-dataplane"};
  texts.insert(texts.end(), plan.arguments.begin(), plan.arguments.end());
  std::vector<char*> arguments;
  arguments.reserve(texts.size());
  for (std::string& text : texts) arguments.push_back(text.data());
  std::optional<QuietOutput> quiet(!verbose);
  if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) < 0) {
    const std::string complaint = last_complaint();
    return Error{"DPDK does not start: " + (complaint.empty() ? rte_strerror(rte_errno) : complaint) +
                 "; check --eal and --lcores, --doctor and --verbose say more"};
  }
  rmdir(rte_eal_get_runtime_dir());  // made for files that we do not let it make; later we might not be root
  return std::unique_ptr<Eal>(new Eal);
}

Eal::~Eal() { rte_eal_cleanup(); }

std::string Eal::last_complaint() {
  LogSink& log = sink();
  const std::lock_guard lock(log.mutex);
  return std::exchange(log.complaint, {});
}

void Eal::show_log() {
  const std::lock_guard lock(sink().mutex);
  sink().shown = true;
}

}  // namespace turnpike::dataplane
