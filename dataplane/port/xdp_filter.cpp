// SPDX-License-Identifier: BSD-3-Clause
// Loading, attaching and filling the XDP program with libbpf.
#include "dataplane/port/xdp_filter.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <vector>

#include "dataplane/port/split_map.h"

namespace turnpike::dataplane {
namespace {

constexpr const char* kObjectName = "turnpike-split.bpf.o";
constexpr const char* kProgramName = "xsk_def_prog";
constexpr const char* kLocalMapName = "turnpike_local";

struct KeyLess {
  bool operator()(const turnpike_local_key& a, const turnpike_local_key& b) const {
    return std::memcmp(&a, &b, sizeof a) < 0;
  }
};
using LocalMap = std::map<turnpike_local_key, turnpike_local_ports, KeyLess>;

Error failed(const PortSpec& spec, const std::string& what, int error) {
  return Error{"port=" + spec.text + ": " + what + ": " + std::strerror(error)};
}

// The libraries' own lines go nowhere: what matters of them is in our errors. libxdp warns that the program
// will not be detached on unload, which is what we want.
int silent(libbpf_print_level, const char*, va_list) { return 0; }
int silent_too(libxdp_print_level, const char*, va_list) { return 0; }

std::string object_path() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? kObjectName : self.parent_path() / kObjectName;
}

bool is_turnpike_program(std::uint32_t id) {
  const int fd = bpf_prog_get_fd_by_id(id);
  if (fd < 0) return false;
  std::array<std::uint32_t, 16> maps{};
  bpf_prog_info info{};
  info.map_ids = reinterpret_cast<std::uintptr_t>(maps.data());
  info.nr_map_ids = maps.size();
  std::uint32_t size = sizeof info;
  bool ours = false;
  if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0) {
    for (std::uint32_t i = 0; i < std::min<std::uint32_t>(info.nr_map_ids, maps.size()); ++i) {
      const int map = bpf_map_get_fd_by_id(maps[i]);
      bpf_map_info map_info{};
      std::uint32_t map_size = sizeof map_info;
      if (map >= 0 && bpf_obj_get_info_by_fd(map, &map_info, &map_size) == 0) {
        ours = ours || std::strcmp(map_info.name, kLocalMapName) == 0;
      }
      if (map >= 0) close(map);
    }
  }
  close(fd);
  return ours;
}

Status check_free(const PortSpec& spec, unsigned ifindex) {
  std::uint32_t id = 0;
  if (bpf_xdp_query_id(static_cast<int>(ifindex), 0, &id) != 0 || id == 0) return Unit{};
  if (is_turnpike_program(id)) {
    return Error{"port=" + spec.text + ": another turnpike-dataplane uses " + spec.device +
                 "; stop it first"};
  }
  return Error{"port=" + spec.text + ": " + spec.device + " has an XDP program already (id " +
               std::to_string(id) + "); type: ip link set dev " + spec.device + " xdp off"};
}

// The descriptor of the attachment, or -errno.
int attach_in_mode(int program, unsigned ifindex, bool generic) {
  bpf_link_create_opts options{};
  options.sz = sizeof options;
  options.flags = generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
  return bpf_link_create(program, static_cast<int>(ifindex), BPF_XDP, &options);
}

turnpike_local_key key_of(const wire::IpAddress& address) {
  turnpike_local_key key{};
  std::memcpy(key.address, address.bytes.data(), sizeof key.address);
  key.family = static_cast<std::uint32_t>(address.family);
  return key;
}

LocalMap wanted_map(const LocalAddressList& list) {
  LocalMap map;
  for (const shm::LocalAddress& fact : list.facts()) {
    if (fact.address.family == wire::Family::kNone) continue;
    // Two facts may speak about one address: the listener's and the relay's.
    turnpike_local_ports& ports = map[key_of(fact.address)];
    if (fact.listener_port != 0) ports.listener = fact.listener_port;
    if (fact.relay_min != 0) {
      ports.relay_min = fact.relay_min;
      ports.relay_max = fact.relay_max;
    }
  }
  return map;
}

}  // namespace

bool LocalAddressList::set(const shm::LocalAddress& fact) {
  using wire::Family;
  const Family family = fact.address.family;
  const bool known = family == Family::kNone || family == Family::kIpv4 || family == Family::kIpv6;
  if (fact.index >= facts_.size() || !known || fact.relay_min > fact.relay_max) return false;
  facts_[fact.index] = fact;
  return true;
}

Result<std::unique_ptr<XdpFilter>> XdpFilter::attach(const PortSpec& spec, unsigned ifindex) {
  if (auto free = check_free(spec, ifindex); !free) return Error{free.error()};
  std::unique_ptr<XdpFilter> filter(new XdpFilter);
  libbpf_set_print(silent);
  libxdp_set_print(silent_too);
  const std::string path = object_path();
  filter->object_ = bpf_object__open_file(path.c_str(), nullptr);
  const int loaded = filter->object_ == nullptr ? -errno : bpf_object__load(filter->object_);
  if (loaded != 0) {
    return failed(spec, "loading the XDP program " + path + " (needs root or CAP_BPF and CAP_NET_ADMIN)",
                  -loaded);
  }
  const bpf_program* program = bpf_object__find_program_by_name(filter->object_, kProgramName);
  filter->local_map_ = bpf_object__find_map_fd_by_name(filter->object_, kLocalMapName);
  if (program == nullptr || filter->local_map_ < 0) {
    return Error{"port=" + spec.text + ": " + path +
                 " is not the program of this release; build or install it again"};
  }

  const int fd = bpf_program__fd(program);
  filter->generic_ = spec.xdp_mode == XdpMode::kGeneric;
  filter->link_ = attach_in_mode(fd, ifindex, filter->generic_);
  if (filter->link_ < 0 && spec.xdp_mode == XdpMode::kAuto) {
    filter->generic_ = true;
    filter->link_ = attach_in_mode(fd, ifindex, true);
  }
  if (filter->link_ < 0) {
    const std::string remedy = filter->generic_ ? "" : "; mode=generic works with every driver";
    return failed(spec, spec.device + " refuses the XDP program" + remedy, -filter->link_);
  }
  return filter;
}

XdpFilter::~XdpFilter() {
  if (link_ >= 0) close(link_);
  if (object_ != nullptr) bpf_object__close(object_);
}

Status XdpFilter::apply(const LocalAddressList& list) {
  const LocalMap wanted = wanted_map(list);
  for (const auto& [key, ports] : wanted) {
    if (bpf_map_update_elem(local_map_, &key, &ports, BPF_ANY) != 0) {
      return Error{std::string("XDP filter: adding an address: ") + std::strerror(errno)};
    }
  }
  // What the map has besides goes; keys are collected first, because deleting disturbs the walk.
  std::vector<turnpike_local_key> stale;
  turnpike_local_key key{};
  for (const void* previous = nullptr; bpf_map_get_next_key(local_map_, previous, &key) == 0;
       previous = &key) {
    if (!wanted.contains(key)) stale.push_back(key);
  }
  for (const turnpike_local_key& old : stale) bpf_map_delete_elem(local_map_, &old);
  return Unit{};
}

}  // namespace turnpike::dataplane
