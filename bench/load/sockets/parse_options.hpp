// SPDX-License-Identifier: BSD-3-Clause
// The command line of --sockets.
#pragma once

#include <boost/program_options.hpp>

#include "bench/load/sockets/socket_options.hpp"
#include "common/base/result.hpp"

namespace turnpike::load {

void describe_sockets(boost::program_options::options_description& all);
Status take_sockets(const boost::program_options::variables_map& values, std::uint32_t payload,
                    SocketOptions& options);

}  // namespace turnpike::load
