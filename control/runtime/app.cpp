// SPDX-License-Identifier: BSD-3-Clause
// Start-up order, the loop that sleeps only when nothing is pending, and a clean stop.
#include "control/runtime/app.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <thread>

#include "control/admin/reports.hpp"
#include "control/log/log.hpp"
#include "control/runtime/clock.hpp"
#include "control/runtime/port_holder.hpp"
#include "control/runtime/port_range.hpp"

namespace turnpike::control {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Descriptor = asio::posix::stream_descriptor;

constexpr seconds kShortestAnnounceTimeout{1};
constexpr auto kTickInterval = std::chrono::seconds(1);

}  // namespace

App::App(ControlOptions options, Attachment attachment, KernelNetwork network)
    : options_(std::move(options)),
      attachment_(std::move(attachment)),
      network_(std::move(network)),
      statistics_(attachment_.region()),
      started_(monotonic_now()) {}

Result<std::unique_ptr<App>> App::start(ControlOptions options, const sigset_t& stop_signals) {
  auto attachment = Attachment::open(options.paths.dataplane_socket, options.dataplane_timeout, stop_signals);
  if (!attachment) return Error{attachment.error()};
  if (!attachment->has_value()) return std::unique_ptr<App>();
  auto network = KernelNetwork::open();
  if (!network) return Error{network.error()};
  std::unique_ptr<App> app(new App(std::move(options), std::move(**attachment), std::move(*network)));
  if (auto opened = app->open_users(); !opened) return Error{opened.error()};
  if (auto prepared = app->prepare(); !prepared) return Error{prepared.error()};
  if (auto announced = app->announce(); !announced) return Error{announced.error()};
  auto listeners = Listeners::open(app->io_, app->options_, app->engine_->served(), *app->engine_,
                                   app->crypto_, std::move(app->held_endpoints_));
  if (!listeners) return Error{listeners.error()};
  app->listeners_ = std::move(*listeners);
  auto admin = AdminServer::open(
      app->io_, app->options_.paths.control_socket, [app = app.get()](std::string_view line) {
        const ReportSources sources{app->options_, app->attachment_, *app->engine_, *app->listeners_,
                                    *app->users_,  app->statistics_, app->started_};
        return answer_request(sources, monotonic_now(), line);
      });
  if (!admin) return Error{admin.error()};
  app->admin_ = std::move(*admin);
  return app;
}

Status App::open_users() {
  DirectorySettings settings;
  settings.realm = options_.turn.realm;
  settings.policy = options_.turn.policy;
  settings.ephemeral = options_.ephemeral;
  settings.store_has_users = options_.store_has_users;
  settings.cache_lifetime = options_.user_cache_lifetime;
  auto store = options_.store ? make_store(*options_.store) : nullptr;
  users_.emplace(std::move(settings), options_.users, crypto_, std::move(store), unix_time);
  return users_->open();
}

Status App::prepare() {
  const auto ports = attachment_.ports();
  options_.turn.workers = attachment_.workers();
  const auto listener = ports.empty() ? std::nullopt : socket_listener(ports.front());
  if (listener) {
    if (options_.listening_port != listener->port && options_.listening_port_given) {
      return Error{"listening-port=" + std::to_string(options_.listening_port) +
                   ": port=" + ports.front().name + " says " + std::to_string(listener->port) +
                   "; leave listening-port out"};
    }
    options_.listening_port = listener->port;
  }
  auto served = choose_addresses(options_, ports, network_);
  if (!served) return Error{served.error()};
  // Where the dataplane has the sockets, nothing needs to be held or reserved for it.
  if (listener) return make_engine(std::move(*served));
  auto held = hold_endpoints(served->listening_endpoints(options_));
  if (!held) return Error{held.error()};
  held_endpoints_ = std::move(*held);
  const bool shares_addresses = std::any_of(
      ports.begin(), ports.end(), [](const PortInfo& port) { return port.kind == shm::PortKind::kXdp; });
  if (shares_addresses) {
    const auto reserved = reserve_ports(options_.turn.relay_ports());
    if (!reserved) return Error{reserved.error()};
    if (!reserved->empty()) spdlog::info("{}", *reserved);
  }
  return make_engine(std::move(*served));
}

Status App::make_engine(ServedAddresses served) {
  engine_.emplace(options_, crypto_, *users_, attachment_, network_, std::move(served));
  return engine_->set_static_next_hops();
}

Status App::announce() {
  engine_->announce();
  const auto deadline =
      std::chrono::steady_clock::now() + std::max(options_.dataplane_timeout, kShortestAnnounceTimeout);
  while (!engine_->announced()) {
    if (std::chrono::steady_clock::now() >= deadline) {
      return Error{"the dataplane takes no commands; is one of its workers stuck or without a CPU?"};
    }
    engine_->pass(monotonic_now());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return Unit{};
}

Status App::run() {
  users_->start([this] { asio::post(io_, [this] { engine_->take_user_news(monotonic_now()); }); });
  watch();
  log_start();
  const wire::Endpoint first{engine_->served().listening.front(), 0, options_.listening_port};
  std::printf("ready: turn:%s\n", wire::to_string(first).c_str());
  std::fflush(stdout);
  loop();
  admin_.reset();
  engine_->log_end_of_all(failure_.empty() ? turn::EndReason::kShutdown : turn::EndReason::kDataplaneLost);
  listeners_.reset();
  if (!failure_.empty()) return Error{failure_};
  spdlog::info("stopped with {} sessions", engine_->server().allocation_count());
  return Unit{};
}

void App::log_start() const {
  for (const wire::IpAddress& address : engine_->served().listening) {
    spdlog::info("listening on {}", wire::to_string(wire::Endpoint{address, 0, options_.listening_port}));
  }
  for (const turn::RelayAddress& relay : engine_->served().relays) {
    const std::string external =
        relay.advertised == relay.own ? "" : ", external " + wire::to_string(relay.advertised);
    spdlog::info("relaying on {} ports {}-{}{}", wire::to_string(relay.own), engine_->relay_ports().first,
                 engine_->relay_ports().last, external);
  }
  spdlog::info("attached to dataplane {} with {} worker(s), {} user(s)", attachment_.dataplane_pid(),
               attachment_.workers(), options_.users.size());
  if (users_->has_store()) spdlog::info("{}: {} realm(s)", users_->store_name(), users_->realm_count());
}

void App::watch() {
  error_code ignored;
  signals_.add(SIGTERM, ignored);
  signals_.add(SIGINT, ignored);
  signals_.async_wait([this](error_code error, int) { stopping_ |= !error; });
  hangups_.add(SIGHUP, ignored);
  watch_hangups();
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGHUP);
  pthread_sigmask(SIG_UNBLOCK, &stop, nullptr);  // one that came meanwhile is delivered now
  // Asio closes what it is given: it gets duplicates.
  wake_control_.assign(fcntl(attachment_.wake_control(), F_DUPFD_CLOEXEC, 0));
  netlink_.assign(fcntl(network_.fd(), F_DUPFD_CLOEXEC, 0));
  dataplane_.assign(fcntl(attachment_.connection(), F_DUPFD_CLOEXEC, 0));
  watch_wake_ups();
  watch_network();
  watch_dataplane();
  schedule_tick();
}

// As logrotate does it: the file has another name by now, and a new one is wanted.
void App::watch_hangups() {
  hangups_.async_wait([this](error_code error, int) {
    if (error) return;
    reopen_log();
    watch_hangups();
  });
}

void App::watch_wake_ups() {
  wake_control_.async_read_some(asio::buffer(&wake_value_, sizeof wake_value_),
                                [this](error_code error, std::size_t) {
                                  if (!error) watch_wake_ups();  // the loop looks at the rings in any case
                                });
}

void App::watch_network() {
  netlink_.async_wait(Descriptor::wait_read, [this](error_code error) {
    if (error) return;
    engine_->on_network_changed(network_.take_changes());
    watch_network();
  });
}

void App::watch_dataplane() {
  dataplane_.async_wait(Descriptor::wait_read, [this](error_code error) {
    if (error) return;
    char byte;
    const ssize_t size = recv(attachment_.connection(), &byte, sizeof byte, MSG_DONTWAIT);
    if (size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR))) return watch_dataplane();
    failure_ = "the dataplane (PID " + std::to_string(attachment_.dataplane_pid()) +
               ") is gone; start it again, then turnpike-control";
    stopping_ = true;
  });
}

void App::schedule_tick() {
  tick_timer_.expires_after(kTickInterval);
  tick_timer_.async_wait([this](error_code error) {
    if (error) return;
    tick();
    schedule_tick();
  });
}

void App::tick() {
  const Time now = monotonic_now();
  engine_->tick(now);
  listeners_->tick(now);
  statistics_.tick(now);
  if (options_.udp_recvmmsg_log) statistics_.log_io(now);
  if (network_.probes_refused() && !std::exchange(probes_warned_, true)) {
    spdlog::warn(
        "no right to resolve neighbours (CAP_NET_ADMIN): the first packets to a new neighbour may be lost; "
        "mend it with: setcap cap_net_admin+ep turnpike-control");
  }
}

void App::schedule_wake(Time at) {
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

void App::loop() {
  std::atomic<std::uint32_t>& asleep = attachment_.region().header().control_asleep;
  while (!stopping_) {
    io_.poll();
    if (stopping_ || engine_->pass(monotonic_now())) continue;
    flush_log();
    schedule_wake(engine_->next_wake(monotonic_now()));
    asleep.store(1, std::memory_order_relaxed);
    // The counterpart of the producers' fence: see RegionHeader.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!engine_->pending()) io_.run_one();
    asleep.store(0, std::memory_order_relaxed);
  }
}

}  // namespace turnpike::control
