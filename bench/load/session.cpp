// SPDX-License-Identifier: BSD-3-Clause
// Who has which address and port.
#include "bench/load/session.hpp"

#include <algorithm>

#include "common/wire/endian.hpp"

namespace turnpike::load {
namespace {

constexpr std::uint32_t kPortsPerAddress = 50'000;
constexpr std::uint16_t kFirstRelayPort = 49'152;  // of swap's invented ones
constexpr std::uint32_t kRelayPorts = 16'384;

wire::Endpoint endpoint_of(const wire::IpAddress& first, std::uint16_t first_port,
                           std::uint32_t session) noexcept {
  return {plus(first, session / kPortsPerAddress), 0,
          static_cast<std::uint16_t>(first_port + session % kPortsPerAddress)};
}

}  // namespace

wire::IpAddress plus(wire::IpAddress address, std::uint32_t offset) noexcept {
  std::uint8_t* low = address.bytes.data() + address.size() - 4;
  wire::store_be32(low, wire::load_be32(low) + offset);
  return address;
}

bool is_within(const wire::IpAddress& first, std::uint32_t count, const wire::IpAddress& address) noexcept {
  const std::size_t low = first.size() - 4;
  const std::uint32_t offset =
      wire::load_be32(address.bytes.data() + low) - wire::load_be32(first.bytes.data() + low);
  return offset < count && plus(first, offset) == address;
}

std::vector<Session> make_sessions(const Options& options) {
  const std::uint32_t each = options.sockets.peers_per_client;
  std::vector<Session> sessions(std::size_t{options.sessions} * each);
  for (std::uint32_t i = 0; i < sessions.size(); ++i) {
    sessions[i].client = endpoint_of(options.client_ip, options.first_port, i / each);
    sessions[i].peer = endpoint_of(options.peer_ip, options.first_port, i);
    if (!options.swap) continue;
    sessions[i].relay = {plus(options.peer_ip, 0x10000 + i / kRelayPorts), 0,
                         static_cast<std::uint16_t>(kFirstRelayPort + i % kRelayPorts)};
  }
  return sessions;
}

wire::Endpoint client_endpoint(const Options& options, std::uint32_t client, std::uint32_t generation) {
  const std::uint32_t generations = std::max(kPortsPerAddress / options.sessions, 1U);
  return endpoint_of(options.client_ip, options.first_port,
                     client + generation % generations * options.sessions);
}

std::uint32_t session_of_client(const Options& options, const wire::Endpoint& client) noexcept {
  const std::size_t low = client.address.size() - 4;
  const std::uint32_t offset = wire::load_be32(client.address.bytes.data() + low) -
                               wire::load_be32(options.client_ip.bytes.data() + low);
  const std::uint32_t session =
      offset * kPortsPerAddress + static_cast<std::uint16_t>(client.port - options.first_port);
  const bool ours = offset < options.sessions && session < options.sessions;
  return ours && endpoint_of(options.client_ip, options.first_port, session) == client ? session
                                                                                       : options.sessions;
}

bool is_session_address(const Options& options, const wire::IpAddress& first,
                        const wire::IpAddress& address) noexcept {
  return is_within(first, (options.sessions - 1) / kPortsPerAddress + 1, address);
}

}  // namespace turnpike::load
