// SPDX-License-Identifier: BSD-3-Clause
// /proc/PID/status.
#include "bench/load/sockets/server_memory.hpp"

#include <fstream>
#include <string>

namespace turnpike::load {

Result<std::uint64_t> resident_kib(const std::vector<int>& pids) {
  constexpr std::string_view kName = "VmRSS:";
  std::uint64_t sum = 0;
  for (const int pid : pids) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    std::string line;
    while (std::getline(status, line) && !line.starts_with(kName)) {
    }
    if (!line.starts_with(kName)) return Error{"server-pid: " + std::to_string(pid) + " is no process here"};
    sum += std::stoull(line.substr(kName.size()));
  }
  return sum;
}

}  // namespace turnpike::load
