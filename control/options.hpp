// SPDX-License-Identifier: BSD-3-Clause
// The control process's part of the options, parsed and checked against each other.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/instance.hpp"
#include "common/config/options.hpp"
#include "common/process/user.hpp"
#include "common/turn/config.hpp"
#include "control/auth/ephemeral.hpp"
#include "control/auth/static_users.hpp"
#include "control/listeners/stream_set.hpp"
#include "control/log/log.hpp"
#include "control/relay/static_next_hop.hpp"
#include "control/runtime/drain.hpp"
#include "control/store/open_store.hpp"

namespace turnpike::control {

// --external-ip PUBLIC or PUBLIC/PRIVATE.
struct ExternalIp {
  wire::IpAddress advertised;
  wire::IpAddress own;  // family kNone: the only relay address of that family
};

// What control itself listens on.
struct ListenerOptions {
  std::uint16_t tls_port = 0;
  std::uint16_t proxy_port = 0;  // 0: none
  bool tcp = true;
  bool tls = true;   // when there is a certificate
  bool dtls = true;  // likewise
  TlsOptions certificate;
  AdmissionLimits limits;

  // Beside the listening port, of whatever transport; 0: none.
  std::array<std::uint16_t, 2> other_ports() const {
    return {tls || dtls ? tls_port : std::uint16_t{0}, proxy_port};
  }
};

struct ControlOptions {
  config::InstancePaths paths;
  turn::Config turn;  // without what the dataplane's region and the choice of addresses decide
  StaticUsers users;
  EphemeralSettings ephemeral;
  std::optional<StoreChoice> store;
  bool store_has_users = false;  // its long-term users count, not only its secrets and realms
  seconds user_cache_lifetime{};
  std::vector<wire::IpAddress> listening_ips;  // empty: all addresses of the ports' netdevs
  std::vector<wire::IpAddress> relay_ips;      // likewise
  std::vector<ExternalIp> external_ips;
  std::vector<StaticNextHop> next_hops;
  WorkerIndex control_threads = 1;
  std::uint16_t listening_port = 0;
  ListenerOptions listeners;
  bool listening_port_given = false;
  bool udp_recvmmsg_log = false;
  seconds dataplane_timeout{};
  DrainLimits drain;                    // unless turnpikectl says others
  std::optional<process::User> run_as;  // to become after the start
  std::optional<gid_t> admin_group;     // may use turnpikectl
  LogSettings log;

  static Result<ControlOptions> read(const config::Options& options, Crypto& crypto);
};

// Once they have been turned into keys: of what the configuration file gave, which can be read again.
void forget_file_secrets(config::Options& options);

}  // namespace turnpike::control
