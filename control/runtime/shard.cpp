// SPDX-License-Identifier: BSD-3-Clause
// The loop that sleeps only when nothing is pending, and what wakes it.
#include "control/runtime/shard.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <time.h>

#include <boost/asio/buffer.hpp>

#include "control/log/log.hpp"
#include "control/runtime/clock.hpp"

namespace turnpike::control {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Descriptor = asio::posix::stream_descriptor;

constexpr auto kTickInterval = std::chrono::seconds(1);

// Asio closes what it is given: it gets a duplicate.
int duplicate(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 0); }

Time cpu_time() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace

Shard::Shard(asio::io_context& io, const ControlOptions& options, const Attachment& attachment,
             const WorkerShare& share, KernelNetwork network)
    : io_(io),
      options_(options),
      attachment_(attachment),
      share_(share),
      network_(std::move(network)),
      netlink_(io),
      tick_timer_(io),
      wake_timer_(io) {}

Shard::~Shard() {
  if (!thread_.joinable()) return;
  stop();
  join();
}

Result<std::unique_ptr<Shard>> Shard::open(asio::io_context& io, const ControlOptions& options,
                                           const Attachment& attachment, const WorkerShare& share) {
  auto network = KernelNetwork::open();
  if (!network) return Error{network.error()};
  std::unique_ptr<Shard> shard(new Shard(io, options, attachment, share, std::move(*network)));
  if (auto opened = shard->open_users(); !opened) return Error{opened.error()};
  return shard;
}

Status Shard::open_users() {
  DirectorySettings settings;
  settings.realm = options_.turn.realm;
  settings.policy = options_.turn.policy;
  settings.ephemeral = options_.ephemeral;
  settings.store_has_users = options_.store_has_users;
  settings.cache_lifetime = options_.user_cache_lifetime;
  settings.complains = share_.part == 0;
  auto store = options_.store ? make_store(*options_.store) : nullptr;
  users_.emplace(std::move(settings), options_.users, crypto_, std::move(store), unix_time);
  return users_->open();
}

Status Shard::make_engine(Engine::Relay relay) {
  engine_.emplace(std::move(relay), share_, crypto_, *users_, network_);
  open_wake_ups();
  return engine_->set_static_next_hops();
}

void Shard::open_wake_ups() {
  for (const WorkerIndex ring : engine_->rings()) {
    asleep_.push_back(&attachment_.region().worker(ring).control_asleep);
    wake_ups_.push_back(
        std::make_shared<WakeUp>(WakeUp{Descriptor(io_, duplicate(attachment_.wake_control(ring))), 0}));
  }
}

void Shard::disconnect() {
  engine_->disconnect();
  asleep_.clear();
  for (const auto& wake_up : wake_ups_)
    wake_up->descriptor.close();  // ends the wait, which holds it until then
  wake_ups_.clear();
}

void Shard::connect() {
  engine_->connect();
  open_wake_ups();
  for (const auto& wake_up : wake_ups_) watch_wake_up(wake_up);
}

Status Shard::listen(Admission& admission, std::vector<HeldEndpoint> held, const Listeners* first) {
  auto listeners = Listeners::open(io_, options_, *engine_, crypto_, admission, std::move(held), first);
  if (!listeners) return Error{listeners.error()};
  listeners_ = std::move(*listeners);
  return Unit{};
}

void Shard::start_look_ups() {
  users_->start([this] { post([this] { engine_->take_user_news(monotonic_now()); }); });
}

void Shard::run() {
  watch();
  loop();
}

void Shard::start_thread() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), ("control-" + std::to_string(share_.part)).c_str());
    run();
  });
}

void Shard::stop() {
  post([this] { stopping_ = true; });
}

void Shard::join() { thread_.join(); }

void Shard::watch() {
  for (const auto& wake_up : wake_ups_) watch_wake_up(wake_up);
  netlink_.assign(duplicate(network_.fd()));
  watch_network();
  cpu_before_ = cpu_time();
  ticked_ = monotonic_now();
  last_tick_.store(ticked_, std::memory_order_relaxed);
  schedule_tick();
}

// The loop looks at all rings in any case.
void Shard::watch_wake_up(const std::shared_ptr<WakeUp>& wake_up) {
  const auto buffer = asio::buffer(&wake_up->value, sizeof wake_up->value);
  wake_up->descriptor.async_read_some(buffer, [this, wake_up](error_code error, std::size_t) {
    if (!error) watch_wake_up(wake_up);
  });
}

void Shard::watch_network() {
  netlink_.async_wait(Descriptor::wait_read, [this](error_code error) {
    if (error) return;
    engine_->on_network_changed(network_.take_changes());
    watch_network();
  });
}

void Shard::schedule_tick() {
  tick_timer_.expires_after(kTickInterval);
  tick_timer_.async_wait([this](error_code error) {
    if (error) return;
    tick();
    schedule_tick();
  });
}

void Shard::tick() {
  const Time now = monotonic_now();
  last_tick_.store(now, std::memory_order_relaxed);
  engine_->tick(now);
  listeners_->tick(now);
  note_busy(now);
  if (share_.part == 0 && network_.probes_refused() && !std::exchange(probes_warned_, true)) {
    spdlog::warn(
        "no right to resolve neighbours (CAP_NET_ADMIN): the first packets to a new neighbour may be lost; "
        "mend it with: setcap cap_net_admin+ep turnpike-control");
  }
}

void Shard::note_busy(Time now) {
  const Time cpu = cpu_time();
  const Time passed = now - std::exchange(ticked_, now);
  const Time used = cpu - std::exchange(cpu_before_, cpu);
  if (passed > Time{}) busy_ = static_cast<double>(used.count()) / static_cast<double>(passed.count());
}

void Shard::schedule_wake(Time at) {
  if (at == wake_at_) return;
  wake_at_ = at;
  if (at == kNever) {
    wake_timer_.cancel();
    return;
  }
  wake_timer_.expires_at(std::chrono::steady_clock::time_point(at));
  wake_timer_.async_wait([this](error_code error) {
    if (!error) wake_at_ = kNever;
  });
}

void Shard::set_asleep(std::uint32_t asleep) {
  for (std::atomic<std::uint32_t>* flag : asleep_) flag->store(asleep, std::memory_order_relaxed);
}

void Shard::loop() {
  while (!stopping_) {
    io_.poll();
    if (stopping_ || engine_->pass(monotonic_now())) continue;
    flush_log();
    schedule_wake(engine_->next_wake(monotonic_now()));
    set_asleep(1);
    // The counterpart of the producers' fences: see RegionHeader.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!engine_->pending()) io_.run_one();
    set_asleep(0);
  }
}

}  // namespace turnpike::control
