// SPDX-License-Identifier: BSD-3-Clause
// The shared region: layout arithmetic, memfd with a sealed size, validation at attach.
#include "common/shm/region.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

namespace turnpike::shm {
namespace {

constexpr std::uint64_t align_up(std::uint64_t size) {
  return (size + kIsolation - 1) & ~std::uint64_t{kIsolation - 1};
}

std::uint64_t ring_bytes(const Capacity& capacity) {
  return 2 * sizeof(RingIndices) + (std::uint64_t{capacity.command_cells} + capacity.event_cells) * kCellSize;
}

// Of one worker; the tables follow one another.
struct LedgerOffsets {
  std::uint64_t allocations;
  std::uint64_t permissions;
  std::uint64_t channels;
  std::uint64_t long_notes;
  std::uint64_t size;
};

LedgerOffsets ledger_offsets(const Capacity& capacity) {
  LedgerOffsets offsets{};
  offsets.allocations = align_up(sizeof(LedgerWorker));
  offsets.permissions = align_up(offsets.allocations + sizeof(LedgerAllocation) * capacity.allocations);
  offsets.channels = align_up(offsets.permissions + sizeof(LedgerPermission) * capacity.permissions);
  offsets.long_notes = align_up(offsets.channels + sizeof(LedgerChannel) * capacity.channels);
  offsets.size = align_up(offsets.long_notes + sizeof(LedgerLongNote) * capacity.allocations);
  return offsets;
}

bool plausible(const Capacity& capacity) {
  constexpr std::uint32_t kMaxSlots = 1u << 26;
  constexpr std::uint32_t kMaxCells = 1u << 20;
  const auto cells_ok = [](std::uint32_t cells) {
    return std::has_single_bit(cells) && cells >= 2 * cells_needed(kMaxBody) && cells <= kMaxCells;
  };
  return capacity.workers >= 1 && capacity.workers <= kMaxWorkers && capacity.allocations >= 1 &&
         capacity.allocations <= kMaxSlots && capacity.permissions >= 1 &&
         capacity.permissions <= kMaxSlots && capacity.channels >= 1 && capacity.channels <= kMaxSlots &&
         cells_ok(capacity.command_cells) && cells_ok(capacity.event_cells);
}

bool same(const Sections& a, const Sections& b) {
  return a.ports == b.ports && a.workers == b.workers && a.allocation_counters == b.allocation_counters &&
         a.over_limit == b.over_limit && a.rings == b.rings && a.ledger == b.ledger && a.total == b.total;
}

std::uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

Error system_error(const char* what) {
  return Error{std::string("shared memory: ") + what + ": " + std::strerror(errno)};
}

}  // namespace

Sections layout(const Capacity& capacity) {
  Sections sections;
  sections.ports = 4096;
  sections.workers = align_up(sections.ports + sizeof(PortRecord) * kMaxPorts);
  sections.allocation_counters = align_up(sections.workers + sizeof(WorkerBlock) * (capacity.workers + 1));
  const std::uint64_t allocations = std::uint64_t{capacity.allocations} * capacity.workers;
  sections.over_limit = align_up(sections.allocation_counters + sizeof(AllocationCounters) * allocations);
  sections.rings = align_up(sections.over_limit + sizeof(OverLimitCounters) * allocations);
  sections.ledger = align_up(sections.rings + ring_bytes(capacity) * (capacity.workers + 1));
  const std::uint64_t ledger =
      align_up(sizeof(LedgerHeader)) + ledger_offsets(capacity).size * capacity.workers;
  sections.total = (sections.ledger + ledger + 4095) & ~std::uint64_t{4095};
  return sections;
}

Result<Region> Region::create(const Capacity& capacity) {
  if (!plausible(capacity)) return Error{"shared memory: table or ring sizes are out of range"};
  const Sections sections = layout(capacity);
  const int fd = memfd_create("turnpike", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return system_error("memfd_create");
  if (ftruncate(fd, static_cast<off_t>(sections.total)) != 0 ||
      fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    const Error error = system_error("sizing the region");
    close(fd);
    return error;
  }
  void* base = mmap(nullptr, sections.total, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) {
    const Error error = system_error("mapping the region");
    close(fd);
    return error;
  }
  Region region(base, sections.total, fd, capacity);
  RegionHeader& header = region.header();
  header.abi_version = kAbiVersion;
  header.pid = static_cast<std::uint32_t>(getpid());
  header.start_ns = monotonic_ns();
  if (getrandom(&header.generation, sizeof header.generation, 0) != sizeof header.generation) {
    return system_error("getrandom");
  }
  header.capacity = capacity;
  header.sections = sections;
  return region;
}

Result<Region> Region::attach(int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0) {
    close(fd);
    return system_error("fstat");
  }
  const auto size = static_cast<std::uint64_t>(info.st_size);
  const int seals = fcntl(fd, F_GET_SEALS);
  if (size < 4096 || size > kMaxRegionSize || seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
    close(fd);
    return Error{"shared memory: the region is not one of a turnpike-dataplane (size or seals)"};
  }
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) {
    close(fd);
    return system_error("mapping the region");
  }
  // From here the destructor of `region` unmaps and closes. The header is copied before it is believed.
  Region region(base, size, fd, Capacity{});
  const RegionHeader& header = region.header();
  if (header.ready.load(std::memory_order_acquire) != kMagic) {  // R2
    return Error{"shared memory: the dataplane has not finished starting"};
  }
  if (header.abi_version != kAbiVersion) {
    return Error{"shared memory: the dataplane speaks ABI version " + std::to_string(header.abi_version) +
                 " and this program version " + std::to_string(kAbiVersion) +
                 "; start both programs from the same release"};
  }
  const Capacity capacity = header.capacity;
  const Sections sections = header.sections;
  if (!plausible(capacity) || !same(sections, layout(capacity)) || sections.total != size) {
    return Error{"shared memory: the region's layout does not match its sizes"};
  }
  region.capacity_ = capacity;
  region.sections_ = sections;
  return region;
}

Region::Region(void* base, std::uint64_t size, int fd, const Capacity& capacity)
    : base_(base), size_(size), fd_(fd), capacity_(capacity), sections_(layout(capacity)) {}

Region::Region(Region&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)),
      size_(other.size_),
      fd_(std::exchange(other.fd_, -1)),
      capacity_(other.capacity_),
      sections_(other.sections_) {}

Region& Region::operator=(Region&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(size_, other.size_);
  std::swap(fd_, other.fd_);
  std::swap(capacity_, other.capacity_);
  std::swap(sections_, other.sections_);
  return *this;
}

Region::~Region() {
  if (base_ != nullptr) munmap(base_, size_);
  if (fd_ >= 0) close(fd_);
}

void Region::publish() noexcept { header().ready.store(kMagic, std::memory_order_release); }  // R1

WorkerBlock& Region::worker(WorkerIndex worker) const noexcept {
  return *reinterpret_cast<WorkerBlock*>(at(sections_.workers + sizeof(WorkerBlock) * worker));
}

PortRecord& Region::port(std::uint16_t port) const noexcept {
  return *reinterpret_cast<PortRecord*>(at(sections_.ports + sizeof(PortRecord) * port));
}

AllocationCounters& Region::allocation(WorkerIndex worker, std::uint32_t index) const noexcept {
  const std::uint64_t row = std::uint64_t{worker} * capacity_.allocations + index;
  return *reinterpret_cast<AllocationCounters*>(
      at(sections_.allocation_counters + sizeof(AllocationCounters) * row));
}

OverLimitCounters& Region::over_limit(WorkerIndex worker, std::uint32_t index) const noexcept {
  const std::uint64_t row = std::uint64_t{worker} * capacity_.allocations + index;
  return *reinterpret_cast<OverLimitCounters*>(at(sections_.over_limit + sizeof(OverLimitCounters) * row));
}

LedgerHeader& Region::ledger() const noexcept {
  return *reinterpret_cast<LedgerHeader*>(at(sections_.ledger));
}

LedgerView Region::ledger(WorkerIndex worker) const noexcept {
  const LedgerOffsets offsets = ledger_offsets(capacity_);
  const std::uint64_t start = sections_.ledger + align_up(sizeof(LedgerHeader)) + offsets.size * worker;
  return {reinterpret_cast<LedgerWorker*>(at(start)),
          {reinterpret_cast<LedgerAllocation*>(at(start + offsets.allocations)), capacity_.allocations},
          {reinterpret_cast<LedgerPermission*>(at(start + offsets.permissions)), capacity_.permissions},
          {reinterpret_cast<LedgerChannel*>(at(start + offsets.channels)), capacity_.channels},
          {reinterpret_cast<LedgerLongNote*>(at(start + offsets.long_notes)), capacity_.allocations}};
}

std::uint64_t Region::ring_stride() const noexcept { return ring_bytes(capacity_); }

RingView Region::command_ring(WorkerIndex worker) const noexcept {
  const std::uint64_t start = sections_.rings + ring_stride() * worker;
  return {reinterpret_cast<RingIndices*>(at(start)), at(start + 2 * sizeof(RingIndices)),
          capacity_.command_cells};
}

RingView Region::event_ring(WorkerIndex worker) const noexcept {
  const std::uint64_t start = sections_.rings + ring_stride() * worker;
  return {reinterpret_cast<RingIndices*>(at(start + sizeof(RingIndices))),
          at(start + 2 * sizeof(RingIndices) + std::uint64_t{capacity_.command_cells} * kCellSize),
          capacity_.event_cells};
}

}  // namespace turnpike::shm
