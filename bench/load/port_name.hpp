// SPDX-License-Identifier: BSD-3-Clause
// What --port KIND:ARGS asks for.
#pragma once

#include <string>
#include <string_view>

#include "dataplane/port/port_spec.hpp"

namespace turnpike::load {

// As the dataplane's ports are written; beyond that "null" is a port whose frames come back to it, and a
// memif is a client, without copies of its own, unless told otherwise.
struct PortName {
  bool null = false;
  dataplane::PortSpec spec;
  bool zero_copy = false;  // memif

  shm::PortKind kind() const noexcept { return spec.kind; }
  // Nobody is asked for MAC addresses there, and nobody asks.
  bool has_neighbours() const noexcept { return !null && spec.kind != shm::PortKind::kMemif; }
};

Result<PortName> parse_port_name(std::string_view text);

}  // namespace turnpike::load
