// SPDX-License-Identifier: BSD-3-Clause
// Nonces that carry their own proof, against a table that remembers one for each client: faster to check, and
// memory for whoever sends a packet.
#include <array>
#include <unordered_map>
#include <vector>

#include "bench/micro/limits.hpp"
#include "bench/micro/measure.hpp"
#include "common/turn/nonce.hpp"
#include "control/crypto/openssl_crypto.hpp"

namespace turnpike::bench {
namespace {

using stun::Nonce;
using turn::FiveTuple;
using turn::NonceKeys;

constexpr Time kNow = seconds(1000);
constexpr std::int64_t kClients = 100 << 10;

// So many clients, at random addresses.
std::vector<FiveTuple> clients_of(const benchmark::State& state) {
  auto random = random_order();
  std::vector<FiveTuple> clients(static_cast<std::size_t>(state.range(0)));
  for (FiveTuple& client : clients) {
    client.client.address = wire::IpAddress::v4(static_cast<std::uint32_t>(random()));
    client.client.port = static_cast<std::uint16_t>(random());
    client.server.address = wire::IpAddress::v4(0x0A000001);
    client.server.port = 3478;
  }
  return clients;
}

class RememberedNonces {
public:
  explicit RememberedNonces(Crypto& crypto) : crypto_(crypto) {}

  Nonce issue(const FiveTuple& client) {
    std::array<std::uint8_t, 14> random;
    crypto_.random(random);
    Nonce nonce;
    nonce.fill('0');
    for (std::size_t i = 0; i < random.size(); ++i) {
      nonce[2 * i] = "0123456789abcdef"[random[i] >> 4];
      nonce[2 * i + 1] = "0123456789abcdef"[random[i] & 15];
    }
    nonces_[client.client] = nonce;
    return nonce;
  }
  bool check(const FiveTuple& client, const Nonce& nonce) const {
    const auto found = nonces_.find(client.client);
    return found != nonces_.end() && found->second == nonce;
  }

private:
  Crypto& crypto_;
  std::unordered_map<wire::Endpoint, Nonce> nonces_;
};

// Issues one nonce after the other to all clients in turn.
template <typename Issue>
void run_issue(benchmark::State& state, Issue&& issue) {
  const auto clients = clients_of(state);
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(issue(clients[next]));
    next = next + 1 == clients.size() ? 0 : next + 1;
  }
  count_items(state, 1);
}

template <typename Issue, typename Check>
void run_check(benchmark::State& state, Issue&& issue, Check&& check) {
  const auto clients = clients_of(state);
  std::vector<Nonce> nonces;
  nonces.reserve(clients.size());
  for (const FiveTuple& client : clients) nonces.push_back(issue(client));
  std::size_t next = 0;
  bool right = true;
  for (auto _ : state) {
    right &= check(clients[next], nonces[next]);
    next = next + 1 == clients.size() ? 0 : next + 1;
  }
  if (!right) return state.SkipWithError("a genuine nonce was refused");
  count_items(state, 1);
}

void nonce_issue(benchmark::State& state) {
  if (!flows_fit(state, state.range(0))) return;
  control::OpensslCrypto crypto;
  NonceKeys keys(crypto);
  run_issue(state, [&](const FiveTuple& client) { return keys.issue(client, {}, kNow); });
}

void nonce_issue_remembered(benchmark::State& state) {
  if (!flows_fit(state, state.range(0))) return;
  control::OpensslCrypto crypto;
  RememberedNonces nonces(crypto);
  run_issue(state, [&](const FiveTuple& client) { return nonces.issue(client); });
}

void nonce_check(benchmark::State& state) {
  if (!flows_fit(state, state.range(0))) return;
  control::OpensslCrypto crypto;
  NonceKeys keys(crypto);
  run_check(
      state, [&](const FiveTuple& client) { return keys.issue(client, {}, kNow); },
      [&](const FiveTuple& client, const Nonce& nonce) {
        return keys.check(client, {nonce.data(), nonce.size()}, kNow).has_value();
      });
}

void nonce_check_remembered(benchmark::State& state) {
  if (!flows_fit(state, state.range(0))) return;
  control::OpensslCrypto crypto;
  RememberedNonces nonces(crypto);
  run_check(
      state, [&](const FiveTuple& client) { return nonces.issue(client); },
      [&](const FiveTuple& client, const Nonce& nonce) { return nonces.check(client, nonce); });
}

void client_counts(benchmark::internal::Benchmark* bench) {
  bench->ArgName("flows")->Arg(1 << 10)->Arg(kClients);
}

BENCHMARK(nonce_issue)->Name("nonce-issue/turnpike")->Apply(client_counts);
BENCHMARK(nonce_issue_remembered)->Name("nonce-issue/remembered")->Apply(client_counts);
BENCHMARK(nonce_check)->Name("nonce-check/turnpike")->Apply(client_counts);
BENCHMARK(nonce_check_remembered)->Name("nonce-check/remembered")->Apply(client_counts);

}  // namespace
}  // namespace turnpike::bench
