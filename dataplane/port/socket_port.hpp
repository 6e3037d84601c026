// SPDX-License-Identifier: BSD-3-Clause
// Kernel UDP sockets as a port: no root, no hugepages, any machine. All `--port socket:` together are one set
// of sockets for each worker; the first of them moves the packets.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dataplane/port/managed_port.hpp"
#include "dataplane/port/port_spec.hpp"
#include "dataplane/port/socket_queue.hpp"

namespace turnpike::dataplane {

// What several socket ports share.
class SocketSet {
public:
  explicit SocketSet(const SocketOptions& options) : options_(options) {}
  ~SocketSet();

  // Binds listeners on every address that `listening` means (0.0.0.0 and [::]: all of the machine's), kLanes
  // for each worker. Errors name the address and the remedy.
  Status listen(const wire::Endpoint& listening, std::uint16_t workers);
  Status prepare(std::uint16_t queue, const Port::WorkerContext& context);
  SocketQueue& queue(std::uint16_t index) noexcept { return *queues_[index]; }
  std::string buffers_note() const;  // one line for the operator

private:
  struct Listener {
    wire::Endpoint local;
    std::vector<int> fds;  // kLanes for each worker, -1 once its queue has it
  };
  Status listen_on(const wire::Endpoint& local, std::uint16_t workers);

  SocketOptions options_;
  std::vector<Listener> listeners_;
  std::vector<std::unique_ptr<SocketQueue>> queues_;
  SocketBuffers buffers_;
};

class SocketPort final : public ManagedPort {
public:
  // `set` is made for the first port and shared by the others.
  static Result<std::unique_ptr<ManagedPort>> open(const PortSpec& spec, std::uint16_t index,
                                                   std::uint16_t workers, std::shared_ptr<SocketSet> set,
                                                   bool first);

  std::uint16_t rx(std::uint16_t queue, std::span<rte_mbuf*> burst) noexcept override {
    return first_ ? set_->queue(queue).receive(burst) : 0;
  }
  std::uint16_t tx(std::uint16_t queue, std::span<rte_mbuf*> burst) noexcept override {
    set_->queue(queue).send(burst);
    return static_cast<std::uint16_t>(burst.size());
  }
  Status prepare_queue(std::uint16_t queue, const WorkerContext& context) override {
    return first_ ? set_->prepare(queue, context) : Status(Unit{});
  }
  int open_relay(std::uint16_t queue, const wire::Endpoint& local) noexcept override {
    return first_ ? set_->queue(queue).open_relay(local) : 0;
  }
  void close_relay(std::uint16_t queue, const wire::Endpoint& local) noexcept override {
    if (first_) set_->queue(queue).close_relay(local);
  }
  void wait(std::uint16_t queue, int timeout_ms) noexcept override { set_->queue(queue).wait(timeout_ms); }
  const char* complaint(std::uint16_t queue) noexcept override {
    return first_ && set_->queue(queue).take_gso_refused()
               ? "a kernel socket's GSO was refused and is off: sending it one by one"
               : nullptr;
  }
  bool has_more(std::uint16_t queue) const noexcept override { return !set_->queue(queue).empty(); }
  PortState state() const override { return {true, 65535, 0, {}}; }

private:
  SocketPort() = default;
  std::shared_ptr<SocketSet> set_;
  bool first_ = false;
};

}  // namespace turnpike::dataplane
