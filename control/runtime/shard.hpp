// SPDX-License-Identifier: BSD-3-Clause
// One thread of control and all that is its own: a share of the workers with their allocations, clients'
// connections, user look-ups, a view of the network, the event loop. Shards share nothing but what
// Engine::Relay and Admission name; other threads talk to one by post() and ask().
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "control/auth/user_directory.hpp"
#include "control/crypto/openssl_crypto.hpp"
#include "control/listeners/listeners.hpp"
#include "control/options.hpp"
#include "control/runtime/engine.hpp"

namespace turnpike::control {

class Shard {
public:
  // Before any thread runs, in this order; `attachment` and `options` must outlive the shard.
  static Result<std::unique_ptr<Shard>> open(boost::asio::io_context& io, const ControlOptions& options,
                                             const Attachment& attachment, const WorkerShare& share);
  ~Shard();
  Status make_engine(Engine::Relay relay);
  // The dataplane is gone, or the attachment has become another one. On the shard's thread.
  void disconnect();
  void connect();
  // `first`: the first shard's, null for itself.
  Status listen(Admission& admission, std::vector<HeldEndpoint> held, const Listeners* first);

  // Then, once, the thread that asks the user database.
  void start_look_ups();
  // Serves until stop(): on the caller's thread, or on one of its own. Signals that are blocked by then stay
  // so.
  void run();
  void start_thread();
  // From any thread.
  void stop();
  // After start_thread().
  void join();
  // When nobody serves any more.
  void close() { listeners_.reset(); }

  // Has this shard's thread do something between two passes.
  template <typename Act>
  void post(Act&& act) {
    boost::asio::post(io_, std::forward<Act>(act));
  }
  // The same, and waits for the answer; at once when the caller is the shard's thread, or it has none now.
  template <typename Question>
  auto ask(Question question) {
    using Answer = decltype(question());
    if (!thread_.joinable()) return question();
    const auto task = std::make_shared<std::packaged_task<Answer()>>(std::move(question));
    post([task] { (*task)(); });
    return task->get_future().get();
  }

  Engine& engine() { return *engine_; }
  Listeners& listeners() { return *listeners_; }
  UserDirectory& users() { return *users_; }
  KernelNetwork& network() { return network_; }
  const WorkerShare& share() const { return share_; }
  // When its loop last turned, about once a second; from any thread.
  Time last_tick() const { return last_tick_.load(std::memory_order_relaxed); }
  // Of a CPU, in the second before the last tick.
  double busy() const { return busy_; }

private:
  Shard(boost::asio::io_context& io, const ControlOptions& options, const Attachment& attachment,
        const WorkerShare& share, KernelNetwork network);
  Status open_users();
  void watch();
  void open_wake_ups();
  struct WakeUp {
    boost::asio::posix::stream_descriptor descriptor;
    std::uint64_t value = 0;  // read from the eventfd
  };
  void watch_wake_up(const std::shared_ptr<WakeUp>& wake_up);
  void watch_network();
  void schedule_tick();
  void schedule_wake(Time at);
  void loop();
  void set_asleep(std::uint32_t asleep);
  void tick();
  void note_busy(Time now);

  boost::asio::io_context& io_;
  const ControlOptions& options_;
  const Attachment& attachment_;
  WorkerShare share_;
  OpensslCrypto crypto_;
  KernelNetwork network_;
  std::optional<Engine> engine_;
  std::vector<std::atomic<std::uint32_t>*> asleep_;  // of its rings

  std::vector<std::shared_ptr<WakeUp>> wake_ups_;  // likewise
  boost::asio::posix::stream_descriptor netlink_;
  boost::asio::steady_timer tick_timer_;
  boost::asio::steady_timer wake_timer_;
  Time wake_at_ = kNever;
  std::unique_ptr<Listeners> listeners_;
  bool stopping_ = false;
  bool probes_warned_ = false;
  double busy_ = 0;
  Time cpu_before_{};
  Time ticked_{};
  std::atomic<Time> last_tick_{};
  std::optional<UserDirectory> users_;  // its look-up thread posts to io_
  std::thread thread_;
};

}  // namespace turnpike::control
