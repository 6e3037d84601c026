// SPDX-License-Identifier: BSD-3-Clause
// Who is there in which role.
#include "bench/load/sockets/scene.hpp"

#include <chrono>
#include <limits>

#include "bench/load/sockets/network_namespace.hpp"

namespace turnpike::load {
namespace {

constexpr std::size_t kSpareDescriptors = 64;

std::size_t kept_open(const Options& options) {
  const bool closes = options.sockets.mode == Mode::kAlloc;
  return closes ? options.sockets.open_sockets : std::numeric_limits<std::size_t>::max();
}

constexpr std::chrono::seconds kMaxSettle{3};

}  // namespace

Scene::Scene(const Options& options, const Signalling::Manner& manner)
    : options_(options), sessions_(make_sessions(options)) {
  raise_descriptor_limit(sessions_.size() + options.sessions + kSpareDescriptors);
  const bool remote_clients = options.sockets.role == Role::kPeer;
  if (remote_clients) remotes_.resize(sessions_.size());
  if (!remote_clients) clients_.emplace(options, sessions_, kept_open(options));
  if (signals()) signalling_.emplace(*clients_, options, sessions_, manner);
}

Status Scene::open() {
  const bool remote_peers = options_.sockets.role == Role::kClient || options_.swap;
  if (!remote_peers) {
    auto opened = in_namespace(options_.sockets.peer_netns, [&] { return open_peers(); });
    if (!opened) return opened;
  }
  if (options_.swap) {
    for (std::uint32_t client = 0; client < options_.sessions; ++client) {
      if (auto opened = clients_->open(client); !opened) return opened;
    }
  }
  ends_.emplace(Ends{options_,
                     sessions_,
                     clients_ ? &*clients_ : nullptr,
                     peers_,
                     remotes_.empty() ? nullptr : &remotes_,
                     &mailbox_,
                     {Messages(options_, sessions_, kToPeer), Messages(options_, sessions_, kToClient)}});
  return Unit{};
}

Status Scene::open_peers() {
  for (const Session& session : sessions_) {
    auto peer = UdpSocket::open(session.peer);
    if (!peer) return Error{peer.error()};
    if (auto prepared = prepare(*peer); !prepared) return prepared;
    peers_.push_back(std::move(*peer));
  }
  return Unit{};
}

Status Scene::prepare(UdpSocket& socket) const {
  if (!socket.is_open()) return Unit{};  // a connection, which has its own
  if (auto sized = socket.set_buffers(options_.sockets.receive_buffer); !sized) return sized;
  socket.set_gro(options_.sockets.gro);
  return Unit{};
}

Status Scene::join(std::uint32_t client) {
  const std::uint32_t each = options_.sockets.peers_per_client;
  for (std::uint32_t i = client * each; i < (client + 1) * each && !peers_.empty(); ++i) {
    if (auto connected = peers_[i].connect(sessions_[i].relay); !connected) return connected;
  }
  return prepare(clients_->udp(client));
}

Status Scene::join_all() {
  for (std::uint32_t client = 0; clients_ && client < options_.sessions; ++client) {
    if (auto joined = join(client); !joined) return joined;
  }
  return Unit{};
}

void Scene::keep_alive() {
  if (!signalling_) return;
  mailbox_.empty([&](std::uint32_t client, Bytes message) { signalling_->deliver(client, message); });
  signalling_->keep_alive();
}

void Scene::settle() {
  const auto end = std::chrono::steady_clock::now() + kMaxSettle;
  keep_alive();
  while (!signalling_->idle() && std::chrono::steady_clock::now() < end) {
    clients_->receive([&](std::uint32_t client, Bytes message) { signalling_->deliver(client, message); });
    keep_alive();
  }
}

}  // namespace turnpike::load
