// SPDX-License-Identifier: BSD-3-Clause
// SOCK_SEQPACKET sockets in the file system.
#pragma once

#include <string>

#include "common/base/result.hpp"

namespace turnpike::dataplane {

// Removes the socket that a dead process left behind. One that somebody listens on is an error; whatever is
// no socket is left alone and is an error too.
Status clear_socket(const std::string& path);
// Listens on `path`, non-blocking, where clear_socket() has nothing against it.
Result<int> listen_on(const std::string& path);
// -1 with errno set: nobody listens there.
int connect_to(const std::string& path);

}  // namespace turnpike::dataplane
