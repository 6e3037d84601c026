// SPDX-License-Identifier: BSD-3-Clause
// The Unix socket of turnpikectl: one request line, one answer, closed.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

namespace turnpike::control {

class AdminServer {
public:
  using Answer = std::function<std::string(std::string_view line)>;

  // Makes the socket at `path`, readable and writable for our user only, and for `group` if there is one; one
  // left by an ended control is replaced.
  static Result<std::unique_ptr<AdminServer>> open(boost::asio::io_context& io, const std::string& path,
                                                   std::optional<gid_t> group, Answer answer);
  ~AdminServer();  // removes the socket

private:
  class Session;

  AdminServer(boost::asio::io_context& io, std::string path, Answer answer)
      : acceptor_(io),
        path_(std::move(path)),
        shared_(std::make_shared<Shared>(Shared{std::move(answer), 0})) {}
  Status listen(std::optional<gid_t> group);
  void accept();

  boost::asio::local::stream_protocol::acceptor acceptor_;
  std::string path_;
  // Connections may outlive the server by a moment.
  struct Shared {
    Answer answer;
    int sessions = 0;
  };
  std::shared_ptr<Shared> shared_;
};

}  // namespace turnpike::control
