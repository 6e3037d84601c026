// SPDX-License-Identifier: BSD-3-Clause
// Accepting, and the options of accepted sockets.
#include "control/listeners/stream_listener.hpp"

#include <netinet/tcp.h>

#include <boost/asio/ip/v6_only.hpp>
#include <chrono>

#include "control/listeners/asio_endpoint.hpp"
#include "control/listeners/stream_client.hpp"
#include "control/runtime/clock.hpp"

namespace turnpike::control {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr int kAcceptsAtOnce = 64;
constexpr auto kDescriptorPause = std::chrono::milliseconds(100);
// A peer that vanished without a word is found out within two minutes.
constexpr int kKeepAliveIdleS = 60;
constexpr int kKeepAliveEveryS = 15;
constexpr int kKeepAliveProbes = 4;
constexpr int kUnacknowledgedMs = 60'000;

void set(int fd, int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof value); }

// Accepted sockets inherit them.
void set_options(int fd) {
  set(fd, SOL_SOCKET, SO_SNDBUF, StreamSet::kSocketBuffer);
  set(fd, SOL_SOCKET, SO_RCVBUF, StreamSet::kSocketBuffer);
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleS);
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveEveryS);
  set(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
  set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kUnacknowledgedMs);
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

}  // namespace

Result<std::unique_ptr<StreamListener>> StreamListener::open(boost::asio::io_context& io, StreamSet& set,
                                                             const wire::Endpoint& endpoint,
                                                             bool behind_proxy, const char* option,
                                                             PortUse use) {
  std::unique_ptr<StreamListener> listener(new StreamListener(io, set, behind_proxy));
  tcp::acceptor& acceptor = listener->acceptor_;
  const tcp::endpoint address = to_asio<tcp>(endpoint);
  error_code error;
  acceptor.open(address.protocol(), error);
  if (error) return std::unique_ptr<StreamListener>();  // a kernel without that family
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (endpoint.address.is_v6()) acceptor.set_option(boost::asio::ip::v6_only(true), error);
  set_options(acceptor.native_handle());
  before_bind(acceptor.native_handle(), use);
  acceptor.bind(address, error);
  if (error == boost::system::errc::address_not_available) {
    return std::unique_ptr<StreamListener>();
  }
  after_bind(acceptor.native_handle(), use);
  if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
  if (error) {
    return Error{std::string(option) + "=" + std::to_string(endpoint.port) + ": TCP " +
                 wire::to_string(endpoint) + ": " + error.message() +
                 "; stop who listens there (find it with: ss -ltnp), choose another port, or "
                 "give --no-tcp and --no-tls"};
  }
  acceptor.non_blocking(true, error);
  listener->wait();
  return listener;
}

void StreamListener::wait() {
  acceptor_.async_wait(tcp::acceptor::wait_read, [this](error_code error) {
    if (!error) accept_some();
  });
}

void StreamListener::accept_some() {
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    error_code error;
    tcp::socket socket = acceptor_.accept(error);
    if (error == boost::asio::error::no_descriptors || error == boost::asio::error::no_memory) {
      ++set_.counters().refused_descriptors;
      pause_.expires_after(kDescriptorPause);
      return pause_.async_wait([this](error_code cancelled) {
        if (!cancelled) accept_some();
      });
    }
    if (error) break;
    take(std::move(socket));
  }
  wait();
}

void StreamListener::take(tcp::socket socket) {
  error_code error;
  const tcp::endpoint remote = socket.remote_endpoint(error);
  const tcp::endpoint local = socket.local_endpoint(error);
  const wire::Endpoint source = from_asio(remote);
  if (error) return;
  UniqueFd fd(socket.release(error));  // StreamPoll waits for it, not Asio
  if (error || !set_.admit(source.address, behind_proxy_)) return;
  set_.add(std::make_shared<StreamClient>(set_, std::move(fd), source, from_asio(local), behind_proxy_,
                                          monotonic_now()));
}

}  // namespace turnpike::control
