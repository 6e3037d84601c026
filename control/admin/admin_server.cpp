// SPDX-License-Identifier: BSD-3-Clause
// Accepting and answering admin connections, each bounded in size and time.
#include "control/admin/admin_server.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

namespace turnpike::control {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Protocol = asio::local::stream_protocol;

constexpr std::size_t kMaxRequest = 4096;
constexpr auto kTimeout = std::chrono::seconds(10);
constexpr int kMaxSessions = 16;

}  // namespace

class AdminServer::Session : public std::enable_shared_from_this<AdminServer::Session> {
public:
  Session(Protocol::socket socket, std::shared_ptr<Shared> shared)
      : socket_(std::move(socket)), timer_(socket_.get_executor()), shared_(std::move(shared)) {
    ++shared_->sessions;
  }
  ~Session() { --shared_->sessions; }

  void start() {
    timer_.expires_after(kTimeout);
    timer_.async_wait([weak = weak_from_this()](error_code error) {
      error_code ignored;
      if (const auto self = weak.lock(); self && !error) self->socket_.close(ignored);
    });
    asio::async_read_until(socket_, asio::dynamic_buffer(request_, kMaxRequest), '\n',
                           [self = shared_from_this()](error_code error, std::size_t size) {
                             if (!error) self->answer(size);
                           });
  }

private:
  void answer(std::size_t size) {
    answer_ = shared_->answer(std::string_view(request_).substr(0, size - 1));
    asio::async_write(socket_, asio::buffer(answer_),
                      [self = shared_from_this()](error_code, std::size_t) {});
  }

  Protocol::socket socket_;
  asio::steady_timer timer_;
  std::shared_ptr<Shared> shared_;
  std::string request_;
  std::string answer_;
};

Result<std::unique_ptr<AdminServer>> AdminServer::open(asio::io_context& io, const std::string& path,
                                                       std::optional<gid_t> group, Answer answer) {
  std::unique_ptr<AdminServer> server(new AdminServer(io, path, std::move(answer)));
  if (auto listening = server->listen(group); !listening) return Error{listening.error()};
  server->accept();
  return server;
}

AdminServer::~AdminServer() { unlink(path_.c_str()); }

Status AdminServer::listen(std::optional<gid_t> group) {
  // The dataplane serves one control at a time, and we are it: a socket that is there is left over.
  unlink(path_.c_str());
  error_code error;
  acceptor_.open(Protocol(), error);
  // The mode must be right from the first moment; umask is ours alone, as no other thread runs.
  const mode_t before = umask(0177);
  if (!error) acceptor_.bind(Protocol::endpoint(path_), error);
  umask(before);
  if (!error && group &&
      (chown(path_.c_str(), static_cast<uid_t>(-1), *group) != 0 || chmod(path_.c_str(), 0660) != 0)) {
    return Error{"admin-group: cannot give " + path_ + " to the group: " + std::strerror(errno) +
                 "; make the user of turnpike-control a member of it"};
  }
  if (!error) acceptor_.listen(kMaxSessions, error);
  if (error)
    return Error{"admin socket " + path_ + ": " + error.message() +
                 "; check --runtime-dir, and --control-user of the dataplane"};
  return Unit{};
}

void AdminServer::accept() {
  acceptor_.async_accept([this](error_code error, Protocol::socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (!error && shared_->sessions < kMaxSessions)
      std::make_shared<Session>(std::move(socket), shared_)->start();
    accept();
  });
}

}  // namespace turnpike::control
