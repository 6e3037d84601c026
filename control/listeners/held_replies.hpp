// SPDX-License-Identifier: BSD-3-Clause
// Answers that announce facts: they wait until the worker has applied these, and never leave if it refused
// one. What a worker does itself for clients whose packets pass through it (SendDatagram), for all others.
#pragma once

#include <algorithm>
#include <deque>
#include <vector>

#include "common/turn/effects.hpp"

namespace turnpike::control {

class HeldReplies {
public:
  explicit HeldReplies(WorkerIndex workers) : workers_(workers) {}

  // True: it was taken and waits. False: nothing is missing, send it now.
  bool hold(const turn::SendReply& reply, Bytes message) {
    Worker& worker = workers_[reply.worker];
    if (reply.first_fact == 0 || reply.last_fact <= worker.applied) return false;
    worker.waiting.push_back({reply.first_fact, reply.last_fact, reply.to, {message.begin(), message.end()}});
    return true;
  }

  // send(five tuple, message) for each that may leave. Refusals up to `seq` have been told before.
  template <typename Send>
  void release(WorkerIndex index, std::uint64_t seq, Send&& send) {
    Worker& worker = workers_[index];
    worker.applied = std::max(worker.applied, seq);
    while (!worker.waiting.empty() && worker.waiting.front().last <= worker.applied) {
      const Waiting ready = std::move(worker.waiting.front());
      worker.waiting.pop_front();
      send(ready.to, Bytes(ready.message));
    }
  }

  void drop(WorkerIndex index, std::uint64_t refused) {
    std::erase_if(workers_[index].waiting, [&](const Waiting& waiting) {
      return waiting.first <= refused && refused <= waiting.last;
    });
  }

private:
  struct Waiting {
    std::uint64_t first;
    std::uint64_t last;
    turn::FiveTuple to;
    std::vector<std::uint8_t> message;
  };
  struct Worker {
    std::uint64_t applied = 0;
    std::deque<Waiting> waiting;  // in the order of their facts
  };
  std::vector<Worker> workers_;
};

}  // namespace turnpike::control
