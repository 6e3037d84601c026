// SPDX-License-Identifier: BSD-3-Clause
// The XDP program on one netdev and the map of our addresses in it. Main lcore only.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "common/base/result.hpp"
#include "common/shm/commands.hpp"
#include "dataplane/port/port_spec.hpp"

struct bpf_object;

namespace turnpike::dataplane {

// Our own addresses by the index that control gave them, as every filter has to know them.
class LocalAddressList {
public:
  // False: the fact is impossible.
  bool set(const shm::LocalAddress& fact);
  void clear() { facts_.fill({}); }
  const std::array<shm::LocalAddress, shm::kMaxLocalAddresses>& facts() const { return facts_; }

private:
  std::array<shm::LocalAddress, shm::kMaxLocalAddresses> facts_{};
};

class XdpFilter {
public:
  // Loads turnpike-split.bpf.o from next to the program and attaches it. The attachment is a BPF link: it
  // ends with this object and, whatever happens, with this process.
  static Result<std::unique_ptr<XdpFilter>> attach(const PortSpec& spec, unsigned ifindex);
  ~XdpFilter();
  XdpFilter(const XdpFilter&) = delete;
  XdpFilter& operator=(const XdpFilter&) = delete;

  // Makes the map say what `list` says. Traffic of addresses in both versions is never interrupted.
  Status apply(const LocalAddressList& list);

  bool generic() const { return generic_; }  // the kernel's generic hook, not the driver's

private:
  XdpFilter() = default;

  bpf_object* object_ = nullptr;
  int link_ = -1;  // the attachment
  int local_map_ = -1;
  bool generic_ = false;
};

}  // namespace turnpike::dataplane
