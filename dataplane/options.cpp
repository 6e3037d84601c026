// SPDX-License-Identifier: BSD-3-Clause
// From the option table to StartOptions.
#include "dataplane/options.hpp"

#include <algorithm>

#include "common/config/client_filter.hpp"

namespace turnpike::dataplane {
namespace {

std::uint32_t per_worker(std::int64_t total, std::uint32_t workers) {
  return static_cast<std::uint32_t>((total + workers - 1) / workers);
}

}  // namespace

Result<StartOptions> start_options(const config::Options& options) {
  StartOptions start;
  auto paths = config::instance_paths(options);
  if (!paths) return Error{paths.error()};
  start.paths = std::move(*paths);
  auto ports = parse_port_specs(options.list("port"));
  if (!ports) return Error{ports.error()};
  start.ports = std::move(*ports);
  const auto workers = static_cast<std::uint32_t>(options.number("workers"));
  auto lcores = plan_lcores(workers, options.text("lcores"), affinity_cpus());
  if (!lcores) return Error{lcores.error()};
  start.lcores = std::move(*lcores);

  start.capacity.workers = workers;
  start.capacity.allocations = per_worker(options.number("max-allocations"), workers);
  start.capacity.permissions = per_worker(options.number("max-permissions"), workers);
  start.capacity.channels = per_worker(options.number("max-channels"), workers);
  start.capacity.command_cells = start.capacity.event_cells =
      static_cast<std::uint32_t>(options.number("ring-cells"));
  start.mbufs = static_cast<std::uint32_t>(options.number("mbufs"));
  // A worker holds few packets of kernel sockets at a time, in larger buffers.
  constexpr std::uint32_t kSocketMbufs = 4096;
  if (start.kernel_sockets() && !options.given("mbufs")) start.mbufs = kSocketMbufs;
  start.memory_mib = static_cast<std::uint64_t>(options.number("memory"));
  start.no_huge = options.flag("no-huge");
  start.always_polling = options.text("poll") == "always";
  start.verbose = options.flag("verbose");
  start.sockets.recvmmsg = options.number("udp-recvmmsg") != 0;
  start.sockets.sendmmsg = options.number("udp-sendmmsg") != 0;
  start.sockets.gso = options.number("udp-gso") != 0;
  start.secure_stun = options.flag("secure-stun");
  start.limits.per_source = static_cast<std::uint32_t>(options.number("unauthorized-ratelimit-rps"));
  start.limits.of_all = static_cast<std::uint32_t>(options.number("unauthorized-total-rps"));
  auto denied_clients = config::client_filter(options);
  if (!denied_clients) return Error{denied_clients.error()};
  start.denied_clients = std::move(*denied_clients);
  auto run_as = process::find_optional_user("run-as", options.text("run-as"));
  if (!run_as) return Error{run_as.error()};
  auto control_user = process::find_optional_user("control-user", options.text("control-user"));
  if (!control_user) return Error{control_user.error()};
  start.run_as = std::move(*run_as);
  start.control_user = std::move(*control_user);
  start.eal_arguments = options.list("eal");
  start.relay_min = static_cast<std::uint16_t>(options.number("min-port"));
  start.relay_max = static_cast<std::uint16_t>(options.number("max-port"));
  return start;
}

std::uint64_t needed_bytes(const StartOptions& options) {
  constexpr std::uint64_t kMbufOverhead = 512;  // headroom, header, pool overhead
  constexpr std::uint64_t kTableEntry = 128;    // of the exact-match hash
  constexpr std::uint64_t kBase = 64u << 20;    // EAL, drivers, rings
  constexpr std::uint64_t kWorker = 8u << 20;   // reassembly, hand-off rings
  const shm::Capacity& capacity = options.capacity;
  const std::uint64_t entries =
      3 * std::uint64_t{capacity.allocations} + capacity.permissions + 2 * std::uint64_t{capacity.channels};
  std::uint64_t room = 2048;
  for (const PortSpec& port : options.ports) room = std::max<std::uint64_t>(room, port.mtu);
  return kBase + options.mbufs * (room + kMbufOverhead) +
         capacity.workers * (kWorker + entries * kTableEntry);
}

}  // namespace turnpike::dataplane
