// SPDX-License-Identifier: BSD-3-Clause
// The main lcore's loop.
#include "dataplane/housekeeping.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "dataplane/log.hpp"

namespace turnpike::dataplane {
namespace {

constexpr unsigned kMainCommandsPerPass = 64;
constexpr std::uint64_t kSecond = 1'000'000'000;

std::uint64_t mac_word(const shm::MacAddress& mac) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < mac.size(); ++i) word |= std::uint64_t{mac[i]} << (8 * i);
  return word;
}

void store_state(shm::PortRecord& record, const PortState& state) {
  record.link_up.store(state.link_up ? 1 : 0, std::memory_order_relaxed);
  record.mtu.store(state.mtu, std::memory_order_relaxed);
  record.ifindex.store(state.ifindex, std::memory_order_relaxed);
  record.mac.store(mac_word(state.mac), std::memory_order_relaxed);
}

void drain_eventfd(int fd) {
  std::uint64_t count;
  [[maybe_unused]] const ssize_t size = read(fd, &count, sizeof count);
}

template <typename T>
bool read_body(const shm::Message& message, T& body) {
  if (message.body().size() != sizeof body) return false;
  std::memcpy(&body, message.body().data(), sizeof body);
  return true;
}

}  // namespace

void fill_record(shm::PortRecord& record, const ManagedPort& port, const PortState& state) {
  record.kind.store(static_cast<std::uint32_t>(port.kind), std::memory_order_relaxed);
  record.rx_queues.store(port.rx_queues, std::memory_order_relaxed);
  record.tx_queues.store(port.tx_queues, std::memory_order_relaxed);
  record.name.fill('\0');
  std::copy_n(port.name.begin(), std::min(port.name.size(), record.name.size() - 1), record.name.begin());
  store_state(record, state);
}

Housekeeping::Housekeeping(const HousekeepingConfig& config)
    : commands_(config.region->command_ring(static_cast<WorkerIndex>(config.region->capacity().workers))),
      events_(config.region->event_ring(static_cast<WorkerIndex>(config.region->capacity().workers))),
      config_(config),
      message_(std::make_unique<shm::Message>()),
      watchdog_(*config.notifier, *config.region) {}

Result<std::unique_ptr<Housekeeping>> Housekeeping::create(const HousekeepingConfig& config) {
  std::unique_ptr<Housekeeping> self(new Housekeeping(config));
  if (auto prepared = self->prepare(); !prepared) return Error{prepared.error()};
  return self;
}

Status Housekeeping::prepare() {
  for (ManagedPort* port : config_.ports) {
    states_.push_back(port->state());
    if (auto joined = port->join(reactor_); !joined) return joined;
    HostPath* twin = port->host_path();
    if (twin == nullptr) continue;
    twin->set_carrier(states_.back().link_up);
    reactor_.add(twin->fd(), [this, twin] { take_frames(*twin); });
  }
  reactor_.add(config_.wake_main, [this] { drain_eventfd(config_.wake_main); });
  reactor_.add(config_.signals, [this] {
    signalfd_siginfo info;
    if (read(config_.signals, &info, sizeof info) == sizeof info) ending_ = Ending::kSignal;
  });
  const shm::HandoverDescriptors descriptors{config_.region->fd(), config_.wake_main, config_.wake_workers,
                                             config_.wake_control};
  auto control = ControlSocket::open(
      config_.control_path, descriptors, reactor_,
      [this](bool attached) {
        config_.workers->set_control_attached(attached);
        config_.notifier->status(attached ? "control is attached" : "control is gone; sessions go on");
      },
      config_.access);
  if (!control) return Error{control.error()};
  control_ = std::move(*control);
  return Unit{};
}

Ending Housekeeping::run() {
  while (!ending_) pass();
  if (control_->attached())
    keep_twins();
  else
    tell_lost_sessions();
  return *ending_;
}

// With no control to say them to the next dataplane; no log tells of their end.
void Housekeeping::tell_lost_sessions() const {
  const shm::Region& region = *config_.region;
  if (region.ledger().ready.load(std::memory_order_acquire) != shm::kLedgerMagic)
    return;  // L2, as the next control
  std::size_t lost = 0;
  for (WorkerIndex worker = 0; worker < region.capacity().workers; ++worker) {
    const shm::LedgerView ledger = region.ledger(worker);
    const std::size_t touched = ledger.worker->touched_allocations.load(std::memory_order_relaxed);
    const auto records = ledger.allocations.first(std::min(touched, ledger.allocations.size()));
    lost += std::ranges::count(records, shm::RecordPhase::kLive, &shm::LedgerAllocation::phase);
  }
  if (lost == 0) return;
  log_line(std::to_string(lost) + " session(s) of a turnpike-control that is gone end with it");
}

// Control waits for the next dataplane, which is to find its addresses.
void Housekeeping::keep_twins() {
  for (ManagedPort* port : config_.ports) {
    if (port->host_path() == nullptr) continue;
    port->host_path()->keep_netdev();
    log_line("twin=" + port->host_path()->name() + ": the netdev stays for the next turnpike-dataplane");
  }
}

void Housekeeping::pass() {
  std::atomic<std::uint32_t>& asleep = config_.region->header().main_asleep;
  // The order is abi.hpp's: say so, fence, look once more, sleep.
  asleep.store(1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  reactor_.wait(has_work() ? 0 : timeout_ms());
  asleep.store(0, std::memory_order_relaxed);

  take_commands();
  move_frames();
  const std::uint64_t now = monotonic_ns();
  block().heartbeat_ns.store(now, std::memory_order_relaxed);
  if (now >= next_second_ns_) {
    every_second(now);
    next_second_ns_ = now + kSecond;
  }
  bool changed = false;
  for (ManagedPort* port : config_.ports) changed = port->take_changed() || changed;
  if (changed) check_links();
}

bool Housekeeping::has_work() const {
  return !commands_.empty() || std::any_of(config_.ports.begin(), config_.ports.end(), [](ManagedPort* port) {
    return port->host_path() != nullptr && port->host_path()->has_frames_for_kernel();
  });
}

int Housekeeping::timeout_ms() const {
  const std::uint64_t now = monotonic_ns();
  return now >= next_second_ns_ ? 0 : static_cast<int>((next_second_ns_ - now) / 1'000'000 + 1);
}

void Housekeeping::take_commands() {
  for (unsigned i = 0; i < kMainCommandsPerPass; ++i) {
    const shm::PopResult popped = commands_.pop(*message_);
    if (popped == shm::PopResult::kEmpty) break;
    if (popped == shm::PopResult::kCorrupt) {
      count(shm::Counter::k_commands_invalid);
      break;
    }
    take(*message_);
  }
}

void Housekeeping::take(const shm::Message& message) {
  const auto command = static_cast<shm::Command>(message.header.kind);
  if (command == shm::Command::kReset) {
    addresses_.clear();
  } else if (shm::LocalAddress fact; command != shm::Command::kSetLocalAddress || !read_body(message, fact) ||
                                     !addresses_.set(fact)) {
    count(shm::Counter::k_commands_invalid);
    return;
  }
  count(shm::Counter::k_facts_applied);
  apply_addresses();  // first: applied means that the filters know
  if (message.header.seq != 0)
    block().applied_seq.store(message.header.seq, std::memory_order_release);  // W1
}

void Housekeeping::apply_addresses() {
  for (ManagedPort* port : config_.ports) {
    if (auto applied = port->apply(addresses_); !applied)
      log_line("port=" + port->name + ": " + applied.error());
  }
}

void Housekeeping::move_frames() {
  for (ManagedPort* port : config_.ports) {
    if (port->host_path() != nullptr) port->host_path()->to_kernel(block().counts);
  }
}

void Housekeeping::take_frames(HostPath& twin) {
  if (twin.from_kernel(block().counts)) return;
  reactor_.remove(twin.fd());
  log_line("twin=" + twin.name() + ": the netdev is gone; restart to have it again");
}

void Housekeeping::every_second(std::uint64_t now) {
  config_.clock->anchor();
  for (ManagedPort* port : config_.ports) port->tick();
  check_links();
  watchdog_.tick(now);
}

void Housekeeping::check_links() {
  bool changed = false;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    ManagedPort& port = *config_.ports[i];
    const PortState state = port.state();
    if (state == states_[i]) continue;
    if (state.link_up != states_[i].link_up) {
      log_line("port=" + port.name + (state.link_up ? ": link up" : ": link down"));
      if (port.host_path() != nullptr) port.host_path()->set_carrier(state.link_up);
    }
    if (state.device == DeviceState::kGone) log_line("port=" + port.name + ": its netdev is gone");
    states_[i] = state;
    store_state(config_.region->port(port.index), state);
    changed = true;
  }
  if (changed) tell_control(shm::Event::kPortChanged);
  find_lost_device();
}

// Not before all netdevs are there again: the next dataplane needs every one of them.
void Housekeeping::find_lost_device() {
  const auto has = [this](DeviceState device) {
    return std::find_if(states_.begin(), states_.end(),
                        [device](const PortState& state) { return state.device == device; });
  };
  if (has(DeviceState::kGone) != states_.end()) return;
  const auto lost = has(DeviceState::kMustReopen);
  if (lost == states_.end()) return;
  log_line(
      "port=" + config_.ports[static_cast<std::size_t>(lost - states_.begin())]->name +
      ": its device was replaced or must be reset; ending for the next turnpike-dataplane, which opens it");
  ending_ = Ending::kReopen;
}

// A full ring loses nothing: the records themselves are what control reads.
void Housekeeping::tell_control(shm::Event event) {
  if (!events_.push(static_cast<std::uint16_t>(event), 0, {})) return;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (block().control_asleep.exchange(0, std::memory_order_relaxed) == 0) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(config_.wake_control.back(), &one, sizeof one);
}

void Housekeeping::count(shm::Counter counter) const {
  shm::add_relaxed(block().counts.counters[static_cast<std::size_t>(counter)], 1);
}

}  // namespace turnpike::dataplane
