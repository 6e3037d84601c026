// SPDX-License-Identifier: BSD-3-Clause
// How many allocations live on each shared relay port, so that a new one gets the port with the fewest: fewer
// neighbours are fewer peers that two of them want.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "common/base/time.hpp"
#include "common/turn/port_pool.hpp"
#include "common/turn/shared_ports.hpp"

namespace turnpike::turn {

class SharedPortPool {
public:
  SharedPortPool(std::vector<wire::Family> addresses, const SharedPorts& ports, Time rest);

  // Over all relay addresses of that family and all ports of the worker. Nothing: none of them may be used.
  std::optional<RelayPort> take(wire::Family family, WorkerIndex worker, Time now);
  // One more user of this port. False: there is none such.
  bool join(RelayPort port);
  void leave(RelayPort port);
  // The worker could not have it. Not picked for a while, unless others use it: then it is theirs already,
  // and the worker meant the allocation's other port.
  void rest(RelayPort port, Time now);
  std::uint32_t users(RelayPort port) const;

private:
  struct Place {
    std::uint32_t users = 0;
    Time rests_until{};
  };
  // Nothing for what is no shared port of that address's family.
  const Place* find(RelayPort port) const;
  Place* find(RelayPort port) { return const_cast<Place*>(std::as_const(*this).find(port)); }

  std::vector<wire::Family> families_;
  SharedPorts ports_;
  Time rest_;
  std::vector<Place> places_;  // [address][worker and slot]
};

}  // namespace turnpike::turn
