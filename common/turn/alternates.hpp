// SPDX-License-Identifier: BSD-3-Clause
// Where clients are sent that cannot be served here any more: other servers, taken in turn.
#pragma once

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "common/wire/endpoint.hpp"

namespace turnpike::turn {

// Port 0: the one that the client talks to here, so that TLS finds its own among servers that are alike.
class Alternates {
public:
  // Servers of one relay begin at different places: `first` is any number of the server's own.
  Alternates(const std::vector<wire::Endpoint>& servers, std::size_t first) : next_{first, first} {
    set(servers);
  }
  void set(const std::vector<wire::Endpoint>& servers) {
    for (auto& of_family : servers_) of_family.clear();
    for (const wire::Endpoint& server : servers) of(server.address.family).push_back(server);
  }

  // The next one of a family; nothing when there is none.
  std::optional<wire::Endpoint> take(wire::Family family, std::uint16_t clients_port) {
    const auto& servers = of(family);
    if (servers.empty()) return std::nullopt;
    wire::Endpoint server = servers[next_[index(family)]++ % servers.size()];
    if (server.port == 0) server.port = clients_port;
    return server;
  }

private:
  static std::size_t index(wire::Family family) { return family == wire::Family::kIpv6 ? 1 : 0; }
  std::vector<wire::Endpoint>& of(wire::Family family) { return servers_[index(family)]; }

  std::array<std::vector<wire::Endpoint>, 2> servers_;
  std::array<std::size_t, 2> next_;
};

}  // namespace turnpike::turn
