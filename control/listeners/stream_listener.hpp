// SPDX-License-Identifier: BSD-3-Clause
// A listening TCP socket.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>

#include "common/base/result.hpp"
#include "control/listeners/port_use.hpp"
#include "control/listeners/stream_set.hpp"

namespace turnpike::control {

class StreamListener {
public:
  // Null where the kernel does not have the address (a port without netdev): nobody could connect. Fails when
  // another program listens there. `option` names the port for the error.
  static Result<std::unique_ptr<StreamListener>> open(boost::asio::io_context& io, StreamSet& set,
                                                      const wire::Endpoint& endpoint, bool behind_proxy,
                                                      const char* option, PortUse use = PortUse::kAlone);

private:
  StreamListener(boost::asio::io_context& io, StreamSet& set, bool behind_proxy)
      : set_(set), acceptor_(io), pause_(io), behind_proxy_(behind_proxy) {}

  void wait();
  void accept_some();
  void take(boost::asio::ip::tcp::socket socket);

  StreamSet& set_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer pause_;  // while no descriptor is left
  bool behind_proxy_;
};

}  // namespace turnpike::control
