// SPDX-License-Identifier: BSD-3-Clause
// Who gets an answer, and who the media of an allocation.
#include "control/listeners/client_table.hpp"

namespace turnpike::control {

void ClientTable::remove(Client& client) {
  if (const auto found = clients_.find(client.tuple()); found != clients_.end() && found->second == &client) {
    clients_.erase(found);
  }
  if (client.has_allocation()) unbind(client.allocation_);
  if (client.dirty_) std::replace(dirty_.begin(), dirty_.end(), &client, static_cast<Client*>(nullptr));
}

void ClientTable::reply(const turn::SendReply& reply, Bytes message) {
  if (reply.worker >= bound_.size() || held_.hold(reply, message)) return;
  send(reply.to, message);
}

void ClientTable::on_applied(WorkerIndex worker, std::uint64_t seq) {
  held_.release(worker, seq, [this](const turn::FiveTuple& to, Bytes message) { send(to, message); });
}

ClientTable::Bound* ClientTable::bound_at(const turn::SlotId& allocation) {
  if (allocation.worker >= bound_.size() || allocation.index >= bound_[allocation.worker].size())
    return nullptr;
  Bound& bound = bound_[allocation.worker][allocation.index];
  return bound.generation == allocation.generation ? &bound : nullptr;
}

void ClientTable::bind(const turn::SlotId& allocation, const turn::FiveTuple& tuple) {
  const auto found = clients_.find(tuple);
  if (found == clients_.end() || allocation.worker >= bound_.size()) return;
  auto& slots = bound_[allocation.worker];
  if (slots.size() <= allocation.index) slots.resize(allocation.index + 1);
  slots[allocation.index] = {allocation.generation, found->second};
  found->second->allocation_ = allocation;
}

void ClientTable::unbind(const turn::SlotId& allocation) {
  Bound* bound = bound_at(allocation);
  if (bound == nullptr) return;
  if (bound->client != nullptr) bound->client->allocation_ = {};
  *bound = {};
}

bool ClientTable::deliver(const turn::SlotId& allocation, Bytes message) {
  const Bound* bound = bound_at(allocation);
  if (bound == nullptr || bound->client == nullptr) return false;
  send(*bound->client, message, true);
  return true;
}

void ClientTable::send(const turn::FiveTuple& to, Bytes message) {
  if (const auto found = clients_.find(to); found != clients_.end()) send(*found->second, message, false);
}

void ClientTable::send(Client& client, Bytes message, bool media) {
  client.send(message, media);
  if (!client.dirty_) dirty_.push_back(&client);
  client.dirty_ = true;
}

void ClientTable::flush() {
  // By index: a client that closes itself is replaced by null, and its end may queue answers for others.
  for (std::size_t i = 0; i < dirty_.size(); ++i) {
    if (dirty_[i] == nullptr) continue;
    dirty_[i]->dirty_ = false;
    dirty_[i]->flush();
  }
  dirty_.clear();
}

}  // namespace turnpike::control
