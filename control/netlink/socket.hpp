// SPDX-License-Identifier: BSD-3-Clause
// A netlink socket of libmnl, owned.
#pragma once

#include <libmnl/libmnl.h>

#include <functional>
#include <initializer_list>
#include <memory>
#include <vector>

#include "common/base/result.hpp"

namespace turnpike::control::netlink {

using Visit = std::function<void(const nlmsghdr*)>;

class Socket {
public:
  // With groups (RTNLGRP_*) the socket hears changes and never blocks; without it asks and waits for answers.
  static Result<Socket> open(std::initializer_list<unsigned> groups = {});

  // Sends a request with NLM_F_ACK or NLM_F_DUMP and visits every answer. Returns 0 or the errno of the
  // kernel.
  int request(nlmsghdr* message, const Visit& visit);
  // Visits every change that has arrived. False when some were lost: everything has to be asked for again.
  bool drain(const Visit& visit);

  int fd() const { return mnl_socket_get_fd(socket_.get()); }

private:
  struct Close {
    void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
  };
  std::unique_ptr<mnl_socket, Close> socket_;
  std::vector<char> buffer_;
  unsigned sequence_ = 0;
};

}  // namespace turnpike::control::netlink
