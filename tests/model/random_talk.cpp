// SPDX-License-Identifier: BSD-3-Clause
// The course of a talk: time, facts and workers.
#include "tests/model/random_talk.hpp"

namespace turnpike::model {

Talk::Talk(std::uint64_t seed, Workers workers)
    : workers_(workers), random_(seed), crypto_(seed), users_("example.org"), model_(Limits{}) {
  users_.add(crypto_, "alice", "secret");
  users_.add(crypto_, "bob", "hunter2");
  server_ = std::make_unique<Server>(config(), crypto_, users_);
  for (int i = 0; i < 12; ++i) {
    const std::string from = i % 3 == 2 ? "[2001:db8:9::1]:" : "203.0.113.5:";
    const char* to = i % 3 == 2 ? "[2001:db8:5::1]:3478" : "198.51.100.1:3478";
    const auto transport = i % 4 == 3 ? Transport::kTcp : Transport::kUdp;
    clients_.emplace_back(crypto_, test::five_tuple(from + std::to_string(5000 + i), to, transport),
                          i % 2 == 0 ? "alice" : "bob", i % 2 == 0 ? "secret" : "hunter2");
    clients_.back().use_algorithms = i % 5 < 2;
    nonce_time_.push_back(-seconds(100000));
  }
}

void Talk::step() {
  pass_time();
  switch (dice(12)) {
    case 0:
      repeat();
      break;
    case 1:
      intrude();
      break;
    case 2:
      remove_one();
      if (dice(16) == 0) reload();
      break;
    default:
      request(random_intent());
      break;
  }
  if (workers_ != Workers::kLate || dice(4) == 0) settle();
  probe();
  model_.purge(now_);
  model_.compare(emitted_, now_);
  require(server_->allocation_count() >= model_.records.size() - ghosts(), "an allocation is lost");
}

turn::Config Talk::config() const {
  turn::Config config;
  const Limits& limits = model_.limits;
  config.realm = "example.org";
  config.workers = limits.workers;
  config.relay_addresses = {{relay_address(1), relay_address(1)}, {relay_address(2), relay_address(2)}};
  config.min_port = limits.min_port;
  config.max_port = limits.max_port;
  config.nonce_lifetime = seconds(3600);
  config.port_rest = std::chrono::duration_cast<seconds>(limits.rest);
  config.max_allocations = static_cast<std::uint32_t>(limits.allocations);
  config.max_permissions = static_cast<std::uint32_t>(limits.permissions);
  config.max_channels = static_cast<std::uint32_t>(limits.channels);
  config.max_permissions_per_allocation = static_cast<std::uint32_t>(limits.permissions_each);
  config.max_channels_per_allocation = static_cast<std::uint32_t>(limits.channels_each);
  config.quotas = quotas();
  return config;
}

turn::Quotas Talk::quotas() const {
  const Limits& limits = model_.limits;
  return {static_cast<std::uint32_t>(limits.quota), 0, limits.max_bps, limits.bps_capacity};
}

void Talk::reload() {
  static constexpr std::uint64_t kRates[] = {0, 60, 100, 250};
  static constexpr std::uint64_t kCapacities[] = {0, 350, 700};
  model_.limits.max_bps = kRates[dice(std::size(kRates))];
  model_.limits.bps_capacity = kCapacities[dice(std::size(kCapacities))];
  server_->set_quotas(quotas());
}

std::size_t Talk::ghosts() const {
  std::size_t count = 0;
  for (const Record& record : model_.records) count += model_.find(record.client, now_) == nullptr ? 1 : 0;
  return count;
}

void Talk::pass_time() {
  static constexpr std::int64_t kScales[] = {1'000'000, 300'000'000, 5'000'000'000, 40'000'000'000,
                                             200'000'000'000};
  const auto scale = static_cast<std::uint64_t>(kScales[dice(20) == 0 ? 4 : dice(4)]);
  now_ += Time(static_cast<std::int64_t>(dice(scale)));
  run_timeouts();
  model_.purge(now_);
}

void Talk::run_timeouts() {
  effects_.clear();
  server_->on_timeout(now_, effects_);
  take_effects();
}

void Talk::take_effects() {
  for (const Effect& effect : effects_.list()) {
    std::visit(
        [&](const auto& fact) {
          if constexpr (requires { fact.seq; }) {
            WorkerIndex worker = 0;
            if constexpr (requires { fact.allocation; }) {
              worker = fact.allocation.worker;
            } else {
              worker = fact.worker;
            }
            require(fact.seq == ++emitted_seq_[worker], "a fact is out of number");
            queues_[worker].push_back(effect);
          }
        },
        effect);
    check_reuse(effect);
    emitted_.apply(effect);
  }
}

void Talk::check_reuse(const Effect& effect) {
  if (const auto* permission = std::get_if<InstallPermission>(&effect)) {
    const auto known = applied_.permissions.find(slot(permission->permission));
    require(known == applied_.permissions.end() || known->second.permission == permission->permission,
            "a permission's slot is reused before the worker gave it up");
  }
  if (const auto* channel = std::get_if<InstallChannel>(&effect)) {
    const auto known = applied_.channels.find(slot(channel->channel));
    require(known == applied_.channels.end() || known->second.channel == channel->channel,
            "a channel's slot is reused before the worker gave it up");
  }
  const auto* install = std::get_if<InstallAllocation>(&effect);
  if (install == nullptr) return;
  const auto known = applied_.allocations.find(slot(install->allocation));
  require(known == applied_.allocations.end() || known->second.allocation == install->allocation,
          "an allocation's slot is reused before the worker gave it up");
  for (const auto* relay : {&install->relay_v4, &install->relay_v6}) {
    if (relay->address.family == Family::kNone) continue;
    for (const FactTables* facts : {&emitted_, &applied_}) {
      const auto* other = facts->find_relay(*relay);
      require(other == nullptr || other->allocation == install->allocation,
              "a relayed address has two owners");
    }
  }
}

void Talk::settle() {
  for (auto& [worker, queue] : queues_) {
    while (!queue.empty()) {
      const Effect effect = queue.front();
      queue.pop_front();
      apply(worker, effect);
    }
    server_->on_applied(worker, emitted_seq_[worker], now_);
    applied_seq_[worker] = emitted_seq_[worker];
  }
}

void Talk::apply(WorkerIndex worker, const Effect& effect) {
  const auto before = applied_.allocations;
  const std::uint64_t seq = std::visit(
      [](const auto& fact) -> std::uint64_t {
        if constexpr (requires { fact.seq; }) return fact.seq;
        return 0;
      },
      effect);
  if (seq == refused_ || !applied_.apply(effect)) {
    refuse(worker, seq);
  } else {
    note_rest(before);
  }
}

void Talk::note_rest(const std::map<Slot, InstallAllocation>& before) {
  for (const auto& [at, old] : before) {
    const auto found = applied_.allocations.find(at);
    for (const bool v6 : {false, true}) {
      const RelayEndpoint& relay = v6 ? old.relay_v6 : old.relay_v4;
      if (relay.address.family == Family::kNone) continue;
      const bool kept = found != applied_.allocations.end() &&
                        (v6 ? found->second.relay_v6 : found->second.relay_v4) == relay;
      if (!kept) model_.rest(relay, now_);
    }
  }
}

void Talk::refuse(WorkerIndex worker, std::uint64_t seq) {
  effects_.clear();
  server_->on_refused(worker, seq, now_, effects_);
  for (const Effect& effect : effects_.list()) {
    if (const auto* reply = std::get_if<SendReply>(&effect)) {
      refusal_replies_.push_back(test::read_reply(effects_.bytes(reply->message)));
    }
  }
  take_effects();
}

std::uint64_t Talk::seq_of(const Effect& effect) {
  return std::visit(
      [](const auto& fact) -> std::uint64_t {
        if constexpr (requires { fact.seq; }) return fact.seq;
        return 0;
      },
      effect);
}

}  // namespace turnpike::model
