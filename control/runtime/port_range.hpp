// SPDX-License-Identifier: BSD-3-Clause
// Keeps the kernel from handing out ports that are ours: relay ports of xdp ports live on addresses that the
// kernel has as well.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/steering.hpp"

namespace turnpike::control {

// "32768\t60999" of ip_local_port_range; empty range on anything else.
PortRange parse_port_range(std::string_view text);
// "8080,9148-9200" of ip_local_reserved_ports, empty text for none.
Result<std::vector<PortRange>> parse_reserved_ports(std::string_view text);
// Every port of `wanted` that the kernel hands out by itself is reserved.
bool is_reserved(PortRange wanted, PortRange handed_out, const std::vector<PortRange>& reserved);

// Reserves the range in this network namespace when that is needed and possible. The value is a line for the
// log, empty when nothing had to be done; an error names the sysctl command.
Result<std::string> reserve_ports(PortRange wanted, const std::string& proc_ipv4 = "/proc/sys/net/ipv4");

}  // namespace turnpike::control
