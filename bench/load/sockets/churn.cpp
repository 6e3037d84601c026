// SPDX-License-Identifier: BSD-3-Clause
// From one state to the next.
#include "bench/load/sockets/churn.hpp"

namespace turnpike::load {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kChurnLook{5};
constexpr milliseconds kLingerAfterLast{
    3000};  // at most, for what is under way when the last packet was sent
constexpr milliseconds kAgain{1000};

}  // namespace

Churn::Churn(Scene& scene, MediaRun& run)
    : scene_(scene), run_(run), lives_(scene.options().sessions), random_(scene.options().sockets.seed) {
  tell_sender();  // that there is nobody yet
}

void Churn::step() {
  scene_.keep_alive();
  const auto now = Clock::now();
  if (now < next_look_) return;
  next_look_ = now + kChurnLook;
  for (std::uint32_t client = 0; client < lives_.size(); ++client) step_one(client, now);
  if (std::exchange(changed_, false)) tell_sender();
}

void Churn::step_one(std::uint32_t client, Clock::time_point now) {
  const Life& life = lives_[client];
  const bool over = now >= life.until;
  switch (life.state) {
    case State::kIdle:
      if (over) begin(client);
      return;
    case State::kBeginning:
      if (!scene_.signalling().busy(client)) begun(client, now);
      return;
    case State::kLive:
      if (over) become(client, State::kLingering, now + kLingerAfterLast);
      return;
    case State::kLingering:
      if (!over && !all_arrived(client)) return;
      if (scene_.signalling().busy(client)) return;  // with a refresh
      scene_.signalling().tear_down_one(client);
      become(client, State::kEnding, {});
      return;
    case State::kEnding:
      if (scene_.signalling().busy(client)) return;
      ++counts_.ended;
      scene_.clients().close(client);
      become(client, State::kIdle, {});
      return;
  }
}

// A new client has a new port: the server has never seen it.
void Churn::begin(std::uint32_t client) {
  Life& life = lives_[client];
  const std::uint32_t each = scene_.options().sockets.peers_per_client;
  const wire::Endpoint endpoint = client_endpoint(scene_.options(), client, life.sessions++);
  for (std::uint32_t i = 0; i < each; ++i) scene_.sessions()[client * each + i].client = endpoint;
  const Status opened = scene_.clients().open(client);
  if (!opened && scene_.options().sockets.transport != ClientTransport::kUdp) {
    ++counts_.failed;  // the server is busy, or refuses connections: the others go on
    return become(client, State::kIdle, Clock::now() + kAgain);
  }
  take(opened);
  take(run_.receiver().watch(kToClient, client));
  if (!error_.empty()) return;
  scene_.signalling().set_up_one(client);
  become(client, State::kBeginning, {});
}

void Churn::begun(std::uint32_t client, Clock::time_point now) {
  if (!scene_.signalling().ready(client)) {
    ++counts_.failed;
    scene_.clients().close(client);
    return become(client, State::kIdle, now + kAgain);
  }
  ++counts_.begun;
  take(scene_.join(client));
  become(client, State::kLive, now + random_life());
}

// As far as that can be told: what is lost before the last one makes no difference.
bool Churn::all_arrived(std::uint32_t client) {
  const std::uint32_t each = scene_.options().sockets.peers_per_client;
  for (const Direction direction : run_.sender().directions()) {
    const Direction arriving = scene_.ends().comes_back() ? kToClient : direction;
    for (std::uint32_t i = client * each; i < (client + 1) * each; ++i) {
      if (run_.receiver().next(arriving, i) < run_.sender().next(direction, i)) return false;
    }
  }
  return true;
}

void Churn::become(std::uint32_t client, State state, Clock::time_point until) {
  changed_ = changed_ || state == State::kLive || state == State::kLingering;
  lives_[client].state = state;
  lives_[client].until = until;
}

void Churn::tell_sender() {
  const std::uint32_t each = scene_.options().sockets.peers_per_client;
  std::vector<std::uint32_t> live;
  for (std::uint32_t client = 0; client < lives_.size(); ++client) {
    if (lives_[client].state != State::kLive) continue;
    for (std::uint32_t i = 0; i < each; ++i) live.push_back(client * each + i);
  }
  run_.sender().set_sessions(std::move(live));
}

void Churn::take(const Status& status) {
  if (!status && error_.empty()) error_ = status.error();
}

// From half to one and a half of the average.
Churn::Clock::duration Churn::random_life() {
  const std::uint64_t average_ms = std::uint64_t{scene_.options().sockets.life_s} * 1000;
  return milliseconds(average_ms / 2 + random_() % (average_ms + 1));
}

}  // namespace turnpike::load
