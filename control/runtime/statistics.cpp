// SPDX-License-Identifier: BSD-3-Clause
// Sampling of worker counters and error records.
#include "control/runtime/statistics.hpp"

#include "control/log/log.hpp"

namespace turnpike::control {
namespace {

constexpr Time kIoInterval = std::chrono::seconds(10);

constexpr Time kRepeatInterval = std::chrono::seconds(60);

std::uint64_t counter(const shm::WorkerBlock& block, shm::Counter which) {
  return block.counts.counters[static_cast<std::size_t>(which)].load(std::memory_order_relaxed);
}

}  // namespace

Statistics::Statistics(const shm::Region& region)
    : region_(region), samples_(region.capacity().workers + 1) {}

void Statistics::restart() {
  samples_.assign(samples_.size(), Sample{});
  io_.assign(io_.size(), Io{});
  last_ = Time{};
}

void Statistics::tick(Time now) {
  const double elapsed = std::chrono::duration<double>(now - last_).count();
  for (WorkerIndex worker = 0; worker < samples_.size(); ++worker) {
    Sample& sample = samples_[worker];
    const shm::WorkerBlock& block = region_.worker(worker);
    const std::uint64_t rx = counter(block, shm::Counter::k_rx_packets);
    const std::uint64_t tx = counter(block, shm::Counter::k_tx_packets);
    if (last_ != Time{} && elapsed > 0) {
      sample.rates = {static_cast<double>(rx - sample.rx) / elapsed,
                      static_cast<double>(tx - sample.tx) / elapsed};
    }
    sample.rx = rx;
    sample.tx = tx;
    log_errors(worker, now);
  }
  last_ = now;
}

void Statistics::log_errors(WorkerIndex worker, Time now) {
  Sample& sample = samples_[worker];
  for (std::size_t i = 0; i < shm::kErrorRecords; ++i) {
    const shm::ErrorRecord& record = region_.worker(worker).errors[i];
    const std::uint64_t count = record.count.load(std::memory_order_acquire);  // E2
    const bool due = sample.logged[i] == 0 || now >= sample.logged_at[i] + kRepeatInterval;
    if (count == sample.logged[i] || !due) continue;
    spdlog::warn("dataplane {}: {} ({} times)",
                 worker + 1u == samples_.size() ? std::string("main") : "worker " + std::to_string(worker),
                 printable(shm::error_text(record)), count);
    sample.logged[i] = count;
    sample.logged_at[i] = now;
  }
}

Statistics::Io Statistics::io_of(WorkerIndex worker) const {
  const shm::WorkerBlock& block = region_.worker(worker);
  return {counter(block, shm::Counter::k_io_rx_calls), counter(block, shm::Counter::k_io_rx_datagrams),
          counter(block, shm::Counter::k_io_tx_calls), counter(block, shm::Counter::k_io_tx_messages),
          counter(block, shm::Counter::k_io_tx_datagrams)};
}

void Statistics::log_io(Time now) {
  if (now < io_logged_ + kIoInterval) return;
  io_logged_ = now;
  const WorkerIndex workers = static_cast<WorkerIndex>(region_.capacity().workers);
  io_.resize(workers);
  const auto ratio = [](std::uint64_t above, std::uint64_t below) {
    return below == 0 ? 0.0 : static_cast<double>(above) / static_cast<double>(below);
  };
  for (WorkerIndex worker = 0; worker < workers; ++worker) {
    const Io before = std::exchange(io_[worker], io_of(worker));
    const Io& io = io_[worker];
    spdlog::info(
        "io of worker {}: {} receive calls of {:.1f} datagrams, {} send calls of {:.1f} messages, {:.1f} "
        "datagrams a "
        "message",
        worker, io.rx_calls - before.rx_calls,
        ratio(io.rx_datagrams - before.rx_datagrams, io.rx_calls - before.rx_calls),
        io.tx_calls - before.tx_calls,
        ratio(io.tx_messages - before.tx_messages, io.tx_calls - before.tx_calls),
        ratio(io.tx_datagrams - before.tx_datagrams, io.tx_messages - before.tx_messages));
  }
}

}  // namespace turnpike::control
