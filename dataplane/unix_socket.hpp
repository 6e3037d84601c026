// SPDX-License-Identifier: BSD-3-Clause
// SOCK_SEQPACKET sockets in the file system.
#pragma once

#include <string>

#include "common/base/result.hpp"

namespace turnpike::dataplane {

// Listens on `path`, non-blocking. The file that a dead process left behind is replaced; one that somebody
// listens on is an error. Everything else that is no socket is left alone and is an error too.
Result<int> listen_on(const std::string& path);
// -1 with errno set: nobody listens there.
int connect_to(const std::string& path);

}  // namespace turnpike::dataplane
