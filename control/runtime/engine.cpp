// SPDX-License-Identifier: BSD-3-Clause
// One pass of control over its rings and timers.
#include "control/runtime/engine.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <unordered_set>

#include "common/wire/mac_address.hpp"
#include "control/log/log.hpp"
#include "control/runtime/clock.hpp"

namespace turnpike::control {
namespace {

constexpr std::size_t kEventBudget = 64;   // of one ring in one pass
constexpr std::size_t kRebindBudget = 64;  // look-ups at the kernel in one pass
constexpr Time kPollInterval = std::chrono::milliseconds(20);
constexpr seconds kClockStep{2};
constexpr Time kBacklogInterval = std::chrono::milliseconds(1);

std::uint64_t log_seed(Crypto& crypto) {
  std::array<std::uint8_t, sizeof(std::uint64_t)> bytes;
  crypto.random(bytes);
  return std::bit_cast<std::uint64_t>(bytes);
}

bool contains(const std::vector<WorkerIndex>& workers, WorkerIndex worker) {
  return std::find(workers.begin(), workers.end(), worker) != workers.end();
}

turn::Config numbered(turn::Config config, std::uint64_t facts_before) {
  config.facts_before = facts_before;
  return config;
}

}  // namespace

turn::Config server_config(const ControlOptions& options, const shm::Capacity& capacity,
                           const ServedAddresses& served, const WorkerShare& share) {
  turn::Config config = options.turn;
  config.workers = static_cast<WorkerIndex>(capacity.workers);
  config.share = share;
  config.max_allocations = capacity.allocations;
  config.max_permissions = capacity.permissions;
  config.max_channels = capacity.channels;
  config.relay_addresses = served.relays;
  config.local_peers = served.kernel_sockets;
  config.service_endpoints = served.service_endpoints(options);
  return config;
}

Engine::Engine(Relay relay, const WorkerShare& share, Crypto& crypto, UserDirectory& users, Network& network)
    : options_(relay.options),
      attachment_(relay.attachment),
      share_(share),
      served_(std::move(relay.served)),
      relay_ports_(server_config(options_, attachment_.region().capacity(), served_, share).relay_ports()),
      ports_(attachment_.ports()),
      next_hops_(network),
      queues_(attachment_.region(), attachment_.wake_main(), attachment_.wake_workers(), share),
      clients_(attachment_.workers()),
      writer_(attachment_.region(), queues_, next_hops_, clients_, relay.facts_before),
      reader_(attachment_.region(), served_.listening_endpoints(options_),
              static_cast<std::uint16_t>(ports_.size())),
      users_(users),
      session_log_(attachment_.region(), log_seed(crypto), monotonic_now),
      server_(numbered(server_config(options_, attachment_.region().capacity(), served_, share),
                       relay.facts_before),
              crypto, users, &session_log_, &relay.commons),
      addresses_(std::move(relay.addresses)),
      takes_over_(relay.takes_over),
      applied_(attachment_.workers(), relay.facts_before) {
  writer_.set_unsaid([this](const turn::SlotId& allocation) { return server_.is_unsaid(allocation); });
  std::unordered_set<wire::IpAddress> own(served_.listening.begin(), served_.listening.end());
  for (const turn::RelayAddress& relay : served_.relays) own.insert(relay.own);
  next_hops_.set_local_addresses(std::move(own));
  next_hops_.set_ports(ports_);
  server_.set_peer_policy(users_.policies());
}

Status Engine::set_static_next_hops() { return next_hops_.set_static(options_.next_hops, ports_); }

void Engine::announce() {
  for (const WorkerIndex queue : rings()) {
    if (!takes_over_) queues_.push(queue, shm::Command::kReset, 0, Bytes());
    for (const shm::LocalAddress& fact : addresses_)
      queues_.push(queue, shm::Command::kSetLocalAddress, 0, fact);
  }
  challenge_ = {};  // kReset has forgotten it
  const Time now = monotonic_now();
  keep_nonce_keys(now);
  tell_challenge(now);
}

void Engine::keep_nonce_keys(Time now) {
  const turn::NonceKeys::State state = server_.nonce_keys(now);
  if (state == nonce_keys_) return;
  nonce_keys_ = state;
  const shm::LedgerNonceKeys record{shm::RecordPhase::kLive, 0, state.keys,
                                    static_cast<std::uint64_t>(state.rotated_at.count())};
  for (const WorkerIndex worker : queues_.workers()) writer_.ledger(worker).put(record);
}

// Differences of a second come and go with rounding.
void Engine::follow_wall_clock() {
  const auto ahead = std::chrono::floor<seconds>(unix_time() - monotonic_now());
  if (std::chrono::abs(ahead - clock_ahead_) < kClockStep) return;
  clock_ahead_ = ahead;
  server_.set_wall_clock(ahead);
}

void Engine::tell_challenge(Time now) {
  follow_wall_clock();
  shm::Challenge fact;
  if (const auto challenge = server_.challenge(now);
      challenge && challenge->realm.size() <= fact.realm.size()) {
    fact.nonce_keys = challenge->nonce_keys;
    fact.clock_offset_s = challenge->clock_offset_s;
    fact.realm_size = static_cast<std::uint8_t>(challenge->realm.size());
    fact.offers_algorithms = challenge->features.password_algorithms ? 1 : 0;
    fact.knows_userhash = challenge->features.username_anonymity ? 1 : 0;
    std::copy(challenge->realm.begin(), challenge->realm.end(), fact.realm.begin());
  }
  if (fact == challenge_) return;
  challenge_ = fact;
  queues_.push_to_workers(shm::Command::kSetChallenge, fact);
}

void Engine::flush() {
  queues_.flush();
  queues_.signal();
}

bool Engine::pass(Time now) {
  now_ = now;
  backlog_ = !queues_.flush();
  std::size_t taken = restate_some() ? 1 : 0;
  for (const WorkerIndex ring : rings()) {
    if (listens_to(ring)) taken += reader_.poll(ring, kEventBudget, *this);
  }
  if (server_.next_timeout() <= now) {
    effects_.clear();
    server_.on_timeout(now, effects_);
    write_effects(nullptr);
    ++taken;
  }
  if (writer_.rebinding()) {
    writer_.rebind_some(kRebindBudget);
    ++taken;
  }
  clients_.flush();
  queues_.signal();
  return taken != 0;
}

bool Engine::pending() const {
  return std::any_of(rings().begin(), rings().end(),
                     [this](WorkerIndex ring) { return listens_to(ring) && reader_.pending(ring); });
}

// Whoever takes no commands, or does not know everything yet, gets no new ones: its requests wait, then are
// dropped where they arise.
bool Engine::listens_to(WorkerIndex ring) const {
  return queues_.connected() && !queues_.congested(ring) && !contains(restating_, ring);
}

Time Engine::next_wake(Time now) {
  Time wake = server_.next_timeout();
  if (backlog_) return std::min(wake, now + kBacklogInterval);
  if (facts_outstanding()) {
    if (poll_at_ <= now) poll_at_ = now + kPollInterval;
    wake = std::min(wake, poll_at_);
  }
  return wake;
}

bool Engine::facts_outstanding() const {
  if (!queues_.connected()) return false;
  for (WorkerIndex worker = 0; worker < applied_.size(); ++worker) {
    if (applied_[worker] < writer_.last_seq(worker)) return true;
  }
  return false;
}

void Engine::on_request(WorkerIndex worker, const turn::FiveTuple& from, const shm::LinkPath& path,
                        Bytes message) {
  const RequestOrigin origin{from, path};
  on_client_message(from, worker, &origin, message);
}

void Engine::on_client_message(const turn::FiveTuple& from, WorkerIndex worker, const RequestOrigin* origin,
                               Bytes message) {
  effects_.clear();
  const turn::LookupId lookup = server_.handle_client(from, worker, message, now_, effects_);
  if (lookup == turn::kNoLookup) return write_effects(origin);
  parked_.park(lookup, {from,
                        worker,
                        origin == nullptr ? std::nullopt : std::optional(*origin),
                        {message.begin(), message.end()}});
}

void Engine::reload(const turn::Quotas& quotas) {
  server_.set_quotas(quotas);
  server_.set_peer_policy(users_.policies());
  tell_challenge(monotonic_now());
}

std::size_t Engine::end_all(turn::EndReason reason) {
  std::vector<turn::SlotId> left;
  server_.for_each_session([&](const turn::SessionView& session) { left.push_back(session.allocation); });
  for (const turn::SlotId& allocation : left) {
    effects_.clear();
    server_.remove(allocation, effects_, reason);
    write_effects(nullptr);
  }
  return left.size();
}

void Engine::take_user_news(Time now) {
  now_ = now;
  const UserDirectory::News news = users_.take_news(now);
  if (news.policies_changed) server_.set_peer_policy(users_.policies());
  tell_challenge(now);
  for (const turn::LookupId lookup : news.ended) {
    for (const ParkedRequest& request : parked_.take(lookup)) {
      // Nobody may get an allocation whose connection has ended meanwhile.
      if (request.from.transport != turn::Transport::kUdp && clients_.find(request.from) == nullptr) continue;
      on_client_message(request.from, request.worker, request.origin ? &*request.origin : nullptr,
                        request.message);
    }
  }
}

void Engine::on_dtls(WorkerIndex worker, const turn::FiveTuple& from, const shm::LinkPath& path,
                     Bytes datagram) {
  if (dtls_handler_) dtls_handler_({from.client, from.server, worker, path}, datagram, now_);
}

void Engine::send_datagram(const DtlsPath& path, Bytes datagram) {
  shm::SendDatagram head;
  head.from = path.server;
  head.to = path.client;
  head.path = path.link;
  queues_.push_datagram(path.worker, head, datagram);
}

void Engine::on_refused(WorkerIndex worker, std::uint64_t seq, turn::RefusalReason reason) {
  if (seq > writer_.last_seq(worker)) return;
  clients_.on_refused(worker, seq);
  effects_.clear();
  server_.on_refused(worker, seq, now_, effects_, reason);
  write_effects(nullptr);
}

void Engine::on_applied(WorkerIndex worker, std::uint64_t seq) {
  // A number that we never gave away is a former control's, or nonsense.
  if (seq > writer_.last_seq(worker) || seq <= applied_[worker]) return;
  applied_[worker] = seq;
  server_.on_applied(worker, seq, now_);
  clients_.on_applied(worker, seq);
}

// Any worker of ours will do for a client that control serves: they are spread by their 5-tuples.
void Engine::on_client_message(const turn::FiveTuple& from, Bytes message, Time now) {
  const std::uint64_t own = (applied_.size() - share_.part + share_.parts - 1) / share_.parts;
  const auto worker = static_cast<WorkerIndex>(turn::hash_value(from, 0) % own * share_.parts + share_.part);
  now_ = now;
  on_client_message(from, worker, nullptr, message);
}

void Engine::on_client_gone(const turn::FiveTuple& client, Time now) {
  effects_.clear();
  server_.client_gone(client, now, effects_);
  write_effects(nullptr);
}

void Engine::on_to_client(const turn::SlotId& allocation, Bytes message) {
  if (!clients_.deliver(allocation, message)) ++late_messages_;
}

bool Engine::refresh_ports() {
  if (!queues_.connected()) return false;
  std::vector<PortInfo> now = attachment_.ports();
  if (ports_ == now) return false;
  ports_ = std::move(now);
  next_hops_.set_ports(ports_);
  writer_.begin_rebind();
  return true;
}

void Engine::on_port_changed() {
  const std::vector<PortInfo> before = ports_;
  if (!refresh_ports()) return;
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    const PortInfo& port = ports_[i];
    if (port == before[i]) continue;
    spdlog::info("port {}: link {}, MTU {}, MAC {}", port.name, port.link_up ? "up" : "down", port.mtu,
                 wire::to_string(port.mac));
  }
  if (port_handler_) port_handler_();
}

void Engine::tick(Time now) {
  next_hops_.tick(now);
  writer_.write_next_hops();
  session_log_.tick();
  keep_nonce_keys(now);
  tell_challenge(now);
}

void Engine::on_network_changed(const KernelNetwork::Changes& changes) {
  if (!changes.any()) return;
  next_hops_.refresh();
  if (changes.routes) writer_.begin_rebind();
  writer_.write_next_hops();
}

void Engine::write_effects(const RequestOrigin* origin) {
  if (!effects_.list().empty()) writer_.write(effects_, origin);
}

}  // namespace turnpike::control
