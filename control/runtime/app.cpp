// SPDX-License-Identifier: BSD-3-Clause
// Start-up order, what ends the program, and a clean stop.
#include "control/runtime/app.hpp"

#include <linux/capability.h>
#include <pthread.h>
#include <unistd.h>

#include <bit>
#include <thread>

#include "common/process/privileges.hpp"
#include "control/admin/reports.hpp"
#include "control/log/log.hpp"
#include "control/runtime/clock.hpp"
#include "control/runtime/port_holder.hpp"
#include "control/runtime/port_range.hpp"

namespace turnpike::control {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr seconds kShortestAnnounceTimeout{1};
constexpr seconds kStill{3};  // of a loop that turns every second: it hangs
constexpr auto kStatisticsInterval = std::chrono::seconds(1);

// Neighbours are resolved by the kernel on our behalf (NTF_USE). Root goes on reading certificates and
// writing logs in other users' directories, as --reload and logrotate ask for; whoever names a user wants
// that user's rights.
process::CapabilitySet kept_capabilities(const ControlOptions& options) {
  process::CapabilitySet kept{CAP_NET_ADMIN};
  if (!options.run_as) kept |= {CAP_DAC_OVERRIDE};
  return kept;
}

std::deque<asio::io_context> make_loops(WorkerIndex count) {
  std::deque<asio::io_context> loops;
  while (loops.size() < count) loops.emplace_back(1);
  return loops;
}

}  // namespace

App::App(ControlOptions options, config::Options given, Attachment attachment)
    : options_(std::move(options)),
      given_(std::move(given)),
      attachment_(std::move(attachment)),
      ledger_(attachment_.region()),
      statistics_(attachment_.region()),
      started_(monotonic_now()),
      loops_(make_loops(options_.control_threads)),
      admission_(options_.listeners.limits, crypto_),
      signals_(loops_.front()),
      hangups_(loops_.front()),
      drain_(loops_.front(), drained_relay()),
      dataplane_(loops_.front()),
      tick_timer_(loops_.front()),
      search_timer_(loops_.front()) {}

Result<std::unique_ptr<App>> App::start(ControlOptions options, config::Options given,
                                        const sigset_t& stop_signals) {
  auto attachment = Attachment::open(options.paths.dataplane_socket, options.dataplane_timeout, stop_signals);
  if (!attachment) return Error{attachment.error()};
  if (!attachment->has_value()) return std::unique_ptr<App>();
  std::unique_ptr<App> app(new App(std::move(options), std::move(given), std::move(**attachment)));
  for (const auto stage :
       {&App::open_shards, &App::prepare, &App::announce, &App::listen, &App::reduce_privileges}) {
    if (auto done = (app.get()->*stage)(); !done) return Error{done.error()};
  }
  auto admin =
      AdminServer::open(app->loops_.front(), app->options_.paths.control_socket, app->options_.admin_group,
                        [app = app.get()](std::string_view line) { return app->answer(line); });
  if (!admin) return Error{admin.error()};
  app->admin_ = std::move(*admin);
  return app;
}

std::string App::answer(std::string_view line) {
  const ReportSources sources{options_, attachment_, shards_, statistics_, drain_, started_};
  return answer_request(sources, monotonic_now(), line, [this]() -> Result<std::vector<std::string_view>> {
    auto reloaded = reload();
    if (!reloaded) return Error{reloaded.error()};
    return std::move(reloaded->need_restart);
  });
}

Status App::open_shards() {
  const WorkerIndex threads = options_.control_threads;
  if (threads > attachment_.workers()) {
    return Error{"control-threads=" + std::to_string(threads) + ": the dataplane has " +
                 std::to_string(attachment_.workers()) +
                 " worker(s), and a thread without one would have nothing to do; start it with --workers " +
                 std::to_string(threads) + ", or give fewer threads"};
  }
  for (WorkerIndex part = 0; part < threads; ++part) {
    auto shard = Shard::open(loops_[part], options_, attachment_, {part, threads});
    if (!shard) return Error{shard.error()};
    shards_.push_back(std::move(*shard));
  }
  return Unit{};
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
  auto served = choose_addresses(options_, ports, first().network());
  if (!served) return Error{served.error()};
  // Where the dataplane has the sockets, nothing needs to be held or reserved for it.
  if (listener) return make_engines(*served);
  if (auto held = hold(*served); !held) return held;
  const bool shares_addresses = std::any_of(
      ports.begin(), ports.end(), [](const PortInfo& port) { return port.kind == shm::PortKind::kXdp; });
  if (shares_addresses) {
    const auto reserved = reserve_ports(options_.turn.relay_ports());
    if (!reserved) return Error{reserved.error()};
    if (!reserved->empty()) spdlog::info("{}", *reserved);
  }
  return make_engines(*served);
}

Status App::make_engines(const ServedAddresses& served) {
  std::array<std::uint8_t, sizeof(std::uint64_t)> seed;
  crypto_.random(seed);
  const auto config = server_config(options_, attachment_.region().capacity(), served, first().share());
  commons_.emplace(config, std::bit_cast<std::uint64_t>(seed));
  auto addresses = ledger_.place(served.facts(options_, config.relay_ports()));
  if (!addresses) return Error{addresses.error()};
  for (const auto& shard : shards_) {
    const auto made = shard->make_engine(
        {options_, attachment_, served, *addresses, *commons_, ledger_.facts_before(), ledger_.takes_over()});
    if (!made) return made;
  }
  if (ledger_.takes_over()) take_over();
  first().engine().set_port_handler([this] {
    for (std::size_t i = 1; i < shards_.size(); ++i) {
      shards_[i]->post([shard = shards_[i].get()] { shard->engine().refresh_ports(); });
    }
  });
  return Unit{};
}

Status App::announce() {
  for (const auto& shard : shards_) shard->engine().announce();
  const auto deadline =
      std::chrono::steady_clock::now() + std::max(options_.dataplane_timeout, kShortestAnnounceTimeout);
  const auto announced = [](const auto& shard) { return shard->engine().announced(); };
  while (!std::all_of(shards_.begin(), shards_.end(), announced)) {
    if (std::chrono::steady_clock::now() >= deadline) {
      return Error{"the dataplane takes no commands; is one of its workers stuck or without a CPU?"};
    }
    bool busy = false;
    for (const auto& shard : shards_) busy = shard->engine().pass(monotonic_now()) || busy;
    if (busy) continue;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ledger_.set_ready();
  return Unit{};
}

// Before anything is told to anybody: another program may be there.
Status App::hold(const ServedAddresses& served) {
  for (const auto& shard : shards_) {
    held_.emplace_back();
    // One of each is enough, unless DTLS is read there.
    const bool shared = options_.listeners.dtls;
    if (shard != shards_.front() && !shared) continue;
    auto held = hold_endpoints(served.listening_endpoints(options_),
                               shared ? port_use(shard->share()) : PortUse::kAlone);
    if (!held) return Error{held.error()};
    held_.back() = std::move(*held);
  }
  return Unit{};
}

Status App::listen() {
  for (const auto& shard : shards_) {
    const Listeners* tickets = shard == shards_.front() ? nullptr : &first().listeners();
    auto held = held_.empty() ? std::vector<HeldEndpoint>() : std::move(held_[shard->share().part]);
    if (auto listening = shard->listen(admission_, std::move(held), tickets); !listening) return listening;
  }
  return Unit{};
}

// Sockets are bound and files are open; admin's socket is made by who will remove it.
Status App::reduce_privileges() {
  const process::CapabilitySet kept = kept_capabilities(options_);
  if (auto reduced = process::reduce_privileges(options_.run_as, kept, options_.admin_group); !reduced)
    return reduced;
  if (geteuid() == 0 || options_.run_as) {
    spdlog::info("{}", process::describe_privileges(options_.run_as, kept));
  }
  return Unit{};
}

Status App::run() {
  for (const auto& shard : shards_) shard->start_look_ups();
  for (std::size_t i = 1; i < shards_.size(); ++i) shards_[i]->start_thread();
  watch();  // last: the others leave the signals to this thread
  log_start();
  const ServedAddresses& served = first().engine().served();
  const wire::Endpoint endpoint{served.listening.front(), 0, options_.listening_port};
  std::printf("ready: turn:%s\n", wire::to_string(endpoint).c_str());
  std::fflush(stdout);
  notifier_.ready("serving turn:" + wire::to_string(endpoint));
  collect_log(true);
  first().run();
  notifier_.stopping();
  collect_log(false);
  admin_.reset();
  stop_shards();
  end_sessions();
  flush_log();
  return failure_.empty() ? Status(Unit{}) : Status(Error{failure_});
}

// All but the first, which has ended.
void App::stop_shards() {
  for (std::size_t i = 1; i < shards_.size(); ++i) shards_[i]->stop();
  for (std::size_t i = 1; i < shards_.size(); ++i) shards_[i]->join();
}

void App::log_start() {
  const Engine& engine = first().engine();
  for (const wire::IpAddress& address : engine.served().listening) {
    spdlog::info("listening on {}", wire::to_string(wire::Endpoint{address, 0, options_.listening_port}));
  }
  for (const turn::RelayAddress& relay : engine.served().relays) {
    const std::string external =
        relay.advertised == relay.own ? "" : ", external " + wire::to_string(relay.advertised);
    spdlog::info("relaying on {} ports {}-{}{}", wire::to_string(relay.own), engine.relay_ports().first,
                 engine.relay_ports().last, external);
  }
  spdlog::info("attached to dataplane {} with {} worker(s), {} user(s)", attachment_.dataplane_pid(),
               attachment_.workers(), options_.users.size());
  if (shards_.size() > 1) spdlog::info("{} threads share the workers out", shards_.size());
  const UserDirectory& users = first().users();
  if (users.has_store()) spdlog::info("{}: {} realm(s)", users.store_name(), users.realm_count());
}

void App::watch() {
  error_code ignored;
  signals_.add(SIGTERM, ignored);
  signals_.add(SIGINT, ignored);
  signals_.async_wait([this](error_code error, int number) {
    for_good_ = number == SIGINT;
    if (!error) first().stop();
  });
  hangups_.add(SIGHUP, ignored);
  watch_hangups();
  drain_.watch_signal([this] { return options_.drain; });
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGHUP);
  sigaddset(&stop, SIGUSR1);
  pthread_sigmask(SIG_UNBLOCK, &stop, nullptr);  // one that came meanwhile is delivered now
  resume_drain();
  watch_dataplane();
  schedule_tick();
}

// Also what logrotate sends: the log file has another name by now, and a new one is wanted.
void App::watch_hangups() {
  hangups_.async_wait([this](error_code error, int) {
    if (error) return;
    static_cast<void>(change_all(
        [] {
          reopen_log();
          return Status(Unit{});
        },
        [](Shard&) {}));
    static_cast<void>(reload());  // which logs how it went
    watch_hangups();
  });
}

void App::schedule_tick() {
  tick_timer_.expires_after(kStatisticsInterval);
  tick_timer_.async_wait([this](error_code error) {
    if (error) return;
    const Time now = monotonic_now();
    statistics_.tick(now);
    feed_watchdog(now);
    if (options_.udp_recvmmsg_log) statistics_.log_io(now);
    schedule_tick();
  });
}

// Only while every shard turns its loop; a second's tick may be late when there is much to do.
void App::feed_watchdog(Time now) {
  const auto turns = [now](const auto& shard) { return now - shard->last_tick() < kStill; };
  if (std::all_of(shards_.begin(), shards_.end(), turns)) notifier_.alive();
}

}  // namespace turnpike::control
