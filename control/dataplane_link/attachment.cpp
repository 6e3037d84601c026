// SPDX-License-Identifier: BSD-3-Clause
// Taking the region, and reading its port records.
#include "control/dataplane_link/attachment.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "common/shm/handover.hpp"
#include "control/log/log.hpp"

namespace turnpike::control {
namespace {

constexpr std::uint32_t kSmallestMtu = 576;
constexpr std::uint32_t kLargestMtu = 65535;

MacAddress mac_of(std::uint64_t number) {
  MacAddress mac;
  for (std::size_t i = 0; i < mac.size(); ++i) mac[i] = static_cast<std::uint8_t>(number >> 8 * i);
  return mac;
}

// Sleeps, and tells whether a stop signal came meanwhile.
bool stopped_while_waiting(const sigset_t& stop) {
  const timespec pause{0, 50'000'000};
  return sigtimedwait(&stop, nullptr, &pause) > 0;
}

}  // namespace

Result<Attachment> Attachment::take(const std::string& path) {
  auto handover = shm::connect_to_dataplane(path);
  if (!handover) return Error{handover.error()};
  UniqueFd connection(handover->connection);
  UniqueFd wake_main(handover->descriptors.wake_main);
  UniqueFd wake_workers(handover->descriptors.wake_workers);
  std::vector<UniqueFd> wake_control;
  for (const int fd : handover->descriptors.wake_control) wake_control.emplace_back(fd);
  auto region = shm::Region::attach(handover->descriptors.region);
  if (!region) return Error{region.error()};
  if (wake_control.size() != region->capacity().workers + 1) {
    return Error{"dataplane at " + path + ": it gave " + std::to_string(wake_control.size()) +
                 " wake-ups for " + std::to_string(region->capacity().workers) +
                 " worker(s) and its main lcore; start both programs from the same release"};
  }
  return Attachment(std::move(*region), std::move(connection), std::move(wake_main), std::move(wake_workers),
                    std::move(wake_control), handover->dataplane_pid);
}

Result<std::optional<Attachment>> Attachment::open(const std::string& path, seconds timeout,
                                                   const sigset_t& stop) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  bool told = false;
  for (;;) {
    auto attachment = take(path);
    if (attachment) return std::optional(std::move(*attachment));
    // Only a dataplane that is absent, or not yet at work, is waited for; a refusal stays one.
    const bool absent = attachment.error().starts_with("no dataplane");
    if (!absent || std::chrono::steady_clock::now() >= deadline) return Error{attachment.error()};
    if (!std::exchange(told, true)) spdlog::info("waiting for turnpike-dataplane at {}", path);
    if (stopped_while_waiting(stop)) return std::optional<Attachment>();
  }
}

std::string Attachment::dataplane_version() const {
  const auto& version = region_.header().version;
  return {version.data(), strnlen(version.data(), version.size())};
}

std::vector<PortInfo> Attachment::ports() const {
  const auto load = [](const auto& field) { return field.load(std::memory_order_relaxed); };
  std::vector<PortInfo> ports(port_count_);
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const shm::PortRecord& record = region_.port(static_cast<std::uint16_t>(i));
    PortInfo& port = ports[i];
    port.name.assign(record.name.data(), strnlen(record.name.data(), record.name.size()));
    port.kind = static_cast<shm::PortKind>(load(record.kind));
    port.link_up = load(record.link_up) != 0;
    port.ifindex = load(record.ifindex);
    port.mac = mac_of(load(record.mac));
    port.mtu = static_cast<std::uint16_t>(std::clamp(load(record.mtu), kSmallestMtu, kLargestMtu));
  }
  return ports;
}

const char* to_string(shm::PortKind kind) {
  switch (kind) {
    case shm::PortKind::kPci:
      return "pci";
    case shm::PortKind::kXdp:
      return "xdp";
    case shm::PortKind::kMemif:
      return "memif";
    case shm::PortKind::kVhost:
      return "vhost";
    case shm::PortKind::kVdev:
      return "vdev";
    case shm::PortKind::kSocket:
      return "socket";
    case shm::PortKind::kNone:
      break;
  }
  return "unknown";
}

}  // namespace turnpike::control
