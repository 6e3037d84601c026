// SPDX-License-Identifier: BSD-3-Clause
// The clients whose sockets control has, by 5-tuple and by allocation.
#pragma once

#include <unordered_map>
#include <vector>

#include "common/turn/five_tuple_hash.hpp"
#include "control/listeners/client.hpp"
#include "control/listeners/held_replies.hpp"

namespace turnpike::control {

class ClientTable {
public:
  explicit ClientTable(WorkerIndex workers) : held_(workers), bound_(workers) {}

  // False: another client has this 5-tuple.
  bool add(Client& client) { return clients_.emplace(client.tuple(), &client).second; }
  void remove(Client& client);

  // What the server wants done for one of them. Clients that are gone meanwhile are passed over.
  void reply(const turn::SendReply& reply, Bytes message);
  void on_refused(WorkerIndex worker, std::uint64_t seq) { held_.drop(worker, seq); }
  void on_applied(WorkerIndex worker, std::uint64_t seq);
  void bind(const turn::SlotId& allocation, const turn::FiveTuple& tuple);
  void unbind(const turn::SlotId& allocation);

  // A finished message for the client of an allocation. False: there is none such.
  bool deliver(const turn::SlotId& allocation, Bytes message);

  // Writes what the last calls queued: once for each client.
  void flush();

  const Client* find(const turn::FiveTuple& tuple) const {
    const auto found = clients_.find(tuple);
    return found == clients_.end() ? nullptr : found->second;
  }
  std::size_t size() const { return clients_.size(); }

private:
  struct TupleHash {  // as EffectWriter's: not noexcept, so that nodes keep their hash
    std::size_t operator()(const turn::FiveTuple& tuple) const { return turn::hash_value(tuple, 0); }
  };
  struct Bound {
    std::uint32_t generation = 0;
    Client* client = nullptr;
  };

  Bound* bound_at(const turn::SlotId& allocation);
  void send(const turn::FiveTuple& to, Bytes message);
  void send(Client& client, Bytes message, bool media);

  HeldReplies held_;
  std::unordered_map<turn::FiveTuple, Client*, TupleHash> clients_;
  std::vector<std::vector<Bound>> bound_;  // [worker][slot]
  std::vector<Client*> dirty_;
};

}  // namespace turnpike::control
