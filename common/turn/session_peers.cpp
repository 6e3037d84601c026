// SPDX-License-Identifier: BSD-3-Clause
// Permissions and channels of an allocation (RFC 8656 sections 9 and 12).
#include "common/turn/sessions.hpp"

namespace turnpike::turn {

Permission* Sessions::find_permission(const Allocation& allocation, const IpAddress& peer, Time now) {
  auto& permissions = worker(allocation).permissions;
  for (auto index = allocation.first_permission; index != kNoIndex; index = permissions[index].next) {
    Permission& permission = permissions[index];
    if (permission.peer == peer) return has_passed(permission.deadline, now) ? nullptr : &permission;
  }
  return nullptr;
}

Channel* Sessions::find_channel(const Allocation& allocation, std::uint16_t number, Time now) {
  auto& channels = worker(allocation).channels;
  for (auto index = allocation.first_channel; index != kNoIndex; index = channels[index].next) {
    Channel& channel = channels[index];
    if (channel.number == number) return has_passed(channel.deadline, now) ? nullptr : &channel;
  }
  return nullptr;
}

Channel* Sessions::find_channel(const Allocation& allocation, const PeerEndpoint& peer, Time now) {
  auto& channels = worker(allocation).channels;
  for (auto index = allocation.first_channel; index != kNoIndex; index = channels[index].next) {
    Channel& channel = channels[index];
    if (channel.peer == peer) return has_passed(channel.deadline, now) ? nullptr : &channel;
  }
  return nullptr;
}

bool Sessions::has_room_for_permissions(const Allocation& allocation, std::size_t more) {
  if (allocation.permission_count + more > config_.max_permissions_per_allocation) {
    ++counters_.full_peers;
    return false;
  }
  if (worker(allocation).permissions.available() < more) {
    ++counters_.full_permissions;
    return false;
  }
  return true;
}

bool Sessions::has_room_for_channel(const Allocation& allocation) {
  if (allocation.channel_count >= config_.max_channels_per_allocation) {
    ++counters_.full_peers;
    return false;
  }
  if (worker(allocation).channels.available() == 0) {
    ++counters_.full_channels;
    return false;
  }
  return true;
}

void Sessions::permit(Allocation& allocation, const IpAddress& peer, Time deadline, Step& step) {
  touch_permission(allocation, peer, deadline, step.effects);
  restate_channels(allocation, peer, step.effects);
}

void Sessions::bind(Allocation& allocation, std::uint16_t number, const PeerEndpoint& peer, Step& step) {
  const Time deadline = step.now + config_.channel_lifetime;
  const bool follow = config_.channel_permission_follows_channel;
  const Time permission_deadline =
      step.now + (follow ? config_.channel_lifetime : config_.permission_lifetime);
  touch_permission(allocation, peer.address, permission_deadline, step.effects);

  Worker& owner = worker(allocation);
  PendingFact fact{FactKind::kRefreshedChannel, ObjectKind::kChannel, 0, 0, {}, {deadline}};
  std::uint32_t index = allocation.first_channel;
  while (index != kNoIndex && owner.channels[index].number != number) index = owner.channels[index].next;
  if (index == kNoIndex) {
    fact.kind = FactKind::kNewChannel;
    index = *owner.channels.take();
    Channel& channel = owner.channels[index];
    channel.peer = peer;
    channel.number = number;
    channel.allocation = allocation.id.index;
    channel.next = allocation.first_channel;
    allocation.first_channel = index;
    ++allocation.channel_count;
    share(allocation, channel, index);
  } else {
    fact.before = {owner.channels[index].deadline};
  }
  owner.channels[index].deadline = deadline;
  wheel_.schedule(timer(ObjectKind::kChannel, allocation.id.worker, index), deadline);
  install_channel(allocation, index, fact, step.effects);
  restate_channels(allocation, peer.address, step.effects, index);
}

void Sessions::expire_peers(Allocation& allocation, Step& step) {
  Worker& owner = worker(allocation);
  for (std::uint32_t index = allocation.first_channel; index != kNoIndex;) {
    const std::uint32_t next = owner.channels[index].next;
    if (has_passed(owner.channels[index].deadline, step.now)) {
      remove_channel(allocation, index, step.effects);
      ++counters_.channels_expired;
    }
    index = next;
  }
  for (std::uint32_t index = allocation.first_permission; index != kNoIndex;) {
    const std::uint32_t next = owner.permissions[index].next;
    if (has_passed(owner.permissions[index].deadline, step.now)) {
      remove_permission(allocation, index, step.effects);
      ++counters_.permissions_expired;
    }
    index = next;
  }
}

// Deadlines only move forward here: with channel_permission_follows_channel a CreatePermission must not
// shorten what ChannelBind gave.
std::uint32_t Sessions::touch_permission(Allocation& allocation, const IpAddress& peer, Time deadline,
                                         Effects& effects) {
  Worker& owner = worker(allocation);
  PendingFact fact{FactKind::kRefreshedPermission, ObjectKind::kPermission, 0, 0, {}, {}};
  std::uint32_t index = allocation.first_permission;
  while (index != kNoIndex && owner.permissions[index].peer != peer) index = owner.permissions[index].next;
  if (index == kNoIndex) {
    fact.kind = FactKind::kNewPermission;
    index = *owner.permissions.take();
    Permission& permission = owner.permissions[index];
    permission.peer = peer;
    permission.allocation = allocation.id.index;
    permission.next = allocation.first_permission;
    allocation.first_permission = index;
    ++allocation.permission_count;
    share(allocation, permission, index);
    allocation.peers.note(peer);
  }
  Permission& permission = owner.permissions[index];
  fact.before = {permission.deadline};
  permission.deadline = std::max(permission.deadline, deadline);
  fact.after = {permission.deadline};
  wheel_.schedule(timer(ObjectKind::kPermission, allocation.id.worker, index), permission.deadline);
  install_permission(allocation, index, fact, effects);
  return index;
}

void Sessions::restate_channels(Allocation& allocation, const IpAddress& peer, Effects& effects,
                                std::uint32_t except) {
  auto& channels = worker(allocation).channels;
  for (auto index = allocation.first_channel; index != kNoIndex; index = channels[index].next) {
    if (index == except || channels[index].peer.address != peer) continue;
    install_channel(allocation, index, {FactKind::kRestated, ObjectKind::kChannel, 0, 0, {}, {}}, effects);
  }
}

void Sessions::install_permission(Allocation& allocation, std::uint32_t index, PendingFact fact,
                                  Effects& effects) {
  Worker& owner = worker(allocation);
  const Permission& permission = owner.permissions[index];
  fact.index = index;
  fact.generation = owner.permissions.generation(index);
  const std::uint64_t seq = owner.log.append(fact);
  effects.push(InstallPermission{seq,
                                 {allocation.id.worker, index, fact.generation},
                                 allocation.id,
                                 allocation.leg(permission.peer.family).own,
                                 permission.peer,
                                 permission.deadline});
}

void Sessions::install_channel(Allocation& allocation, std::uint32_t index, PendingFact fact,
                               Effects& effects) {
  Worker& owner = worker(allocation);
  const Channel& channel = owner.channels[index];
  const Permission* permission = find_permission(allocation, channel.peer.address, Time::min());
  fact.index = index;
  fact.generation = owner.channels.generation(index);
  const std::uint64_t seq = owner.log.append(fact);
  effects.push(InstallChannel{seq,
                              {allocation.id.worker, index, fact.generation},
                              allocation.id,
                              allocation.leg(channel.peer.address.family).own,
                              channel.peer,
                              channel.number,
                              channel.deadline,
                              permission != nullptr ? permission->deadline : Time{}});
}

void Sessions::remove_permission(Allocation& allocation, std::uint32_t index, Effects& effects) {
  Worker& owner = worker(allocation);
  const SlotId id{allocation.id.worker, index, owner.permissions.generation(index)};
  const std::uint64_t seq =
      owner.log.append({FactKind::kRemoved, ObjectKind::kPermission, index, id.generation, {}, {}});
  effects.push(RemovePermission{seq, id, allocation.id});
  detach_permission(allocation, index);
}

void Sessions::remove_channel(Allocation& allocation, std::uint32_t index, Effects& effects) {
  Worker& owner = worker(allocation);
  const SlotId id{allocation.id.worker, index, owner.channels.generation(index)};
  const std::uint64_t seq =
      owner.log.append({FactKind::kRemoved, ObjectKind::kChannel, index, id.generation, {}, {}});
  effects.push(RemoveChannel{seq, id, allocation.id});
  detach_channel(allocation, index);
}

// Out of the allocation's list, the index and the wheel; the slot rests until the removal is applied.
void Sessions::detach_permission(Allocation& allocation, std::uint32_t index) {
  Worker& owner = worker(allocation);
  unshare(allocation, owner.permissions[index], index);
  std::uint32_t* link = &allocation.first_permission;
  while (*link != index) link = &owner.permissions[*link].next;
  *link = owner.permissions[index].next;
  --allocation.permission_count;
  wheel_.cancel(timer(ObjectKind::kPermission, allocation.id.worker, index));
  owner.permissions.retire(index);
  owner.log.retire(Retired::Kind::kPermission, index);
}

void Sessions::detach_channel(Allocation& allocation, std::uint32_t index) {
  Worker& owner = worker(allocation);
  unshare(allocation, owner.channels[index], index);
  std::uint32_t* link = &allocation.first_channel;
  while (*link != index) link = &owner.channels[*link].next;
  *link = owner.channels[index].next;
  --allocation.channel_count;
  wheel_.cancel(timer(ObjectKind::kChannel, allocation.id.worker, index));
  owner.channels.retire(index);
  owner.log.retire(Retired::Kind::kChannel, index);
}

}  // namespace turnpike::turn
