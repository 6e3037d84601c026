// SPDX-License-Identifier: BSD-3-Clause
// ethdev calls, each with a name in its error.
#include "dataplane/port/ethdev.hpp"

#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_errno.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "dataplane/port/rss.hpp"

namespace turnpike::dataplane {
namespace {

constexpr std::uint16_t kDescriptors = 1024;  // where the driver recommends no ring size
// The IPv4 header's check is worth having. The UDP and TCP checks are not: virtio and vhost take the wish for
// them as leave to deliver packets whose checksum their sender has not finished, and those are no good for a
// kernel twin.
constexpr std::uint64_t kRxOffloads = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
constexpr std::uint64_t kTxOffloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
constexpr std::uint64_t kRssFields = RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP;
constexpr std::array kLosses{RTE_ETH_EVENT_INTR_RESET, RTE_ETH_EVENT_INTR_RMV};

int on_loss(std::uint16_t, rte_eth_event_type, void* lost, void*) {
  static_cast<std::atomic<bool>*>(lost)->store(true, std::memory_order_relaxed);
  return 0;
}

}  // namespace

Result<Ethdev> Ethdev::probe(const std::string& devargs) {
  const std::string name = devargs.substr(0, devargs.find(','));
  std::uint16_t id = RTE_MAX_ETHPORTS;
  if (rte_eth_dev_get_port_by_name(name.c_str(), &id) == 0) return Ethdev(id, name);
  const int error = rte_dev_probe(devargs.c_str());
  if (error != 0) return Error{"DPDK cannot make the device " + name + ": " + rte_strerror(-error)};
  if (rte_eth_dev_get_port_by_name(name.c_str(), &id) != 0) {
    return Error{"DPDK made " + name + ", but it is no ethernet device"};
  }
  return Ethdev(id, name);
}

Ethdev::Ethdev(std::uint16_t id, std::string name)
    : id_(id), name_(std::move(name)), lost_(std::make_unique<std::atomic<bool>>(false)) {
  for (const auto event : kLosses) rte_eth_dev_callback_register(id_, event, on_loss, lost_.get());
}

Ethdev::Ethdev(Ethdev&& other) noexcept { *this = std::move(other); }

Ethdev& Ethdev::operator=(Ethdev&& other) noexcept {
  std::swap(id_, other.id_);
  std::swap(name_, other.name_);
  std::swap(rx_queues_, other.rx_queues_);
  std::swap(tx_queues_, other.tx_queues_);
  std::swap(multi_segment_tx_, other.multi_segment_tx_);
  std::swap(lost_, other.lost_);
  return *this;
}

Ethdev::~Ethdev() {
  if (id_ == RTE_MAX_ETHPORTS) return;
  for (const auto event : kLosses) rte_eth_dev_callback_unregister(id_, event, on_loss, lost_.get());
  stop();
  rte_eth_dev_close(id_);
}

void Ethdev::stop() { rte_eth_dev_stop(id_); }

Error Ethdev::failed(const char* what, int error) const {
  return Error{name_ + ": " + what + ": " + rte_strerror(-error)};
}

Status Ethdev::start(const EthdevConfig& config) {
  rte_eth_dev_info info{};
  if (const int error = rte_eth_dev_info_get(id_, &info); error != 0)
    return failed("reading what it can do", error);
  if (auto done = configure(config, info); !done) return done;
  if (auto done = setup_queues(config, info); !done) return done;
  if (const int error = rte_eth_dev_start(id_); error != 0) return failed("starting", error);
  if (auto done = spread_receive(info); !done) return done;
  if (config.all_multicast)
    rte_eth_allmulticast_enable(id_);  // drivers without a filter do not have the call
  return Unit{};
}

Status Ethdev::configure(const EthdevConfig& config, const rte_eth_dev_info& info) {
  rx_queues_ = std::clamp<std::uint16_t>(config.queues, 1, std::max<std::uint16_t>(info.max_rx_queues, 1));
  tx_queues_ = std::clamp<std::uint16_t>(config.queues, 1, std::max<std::uint16_t>(info.max_tx_queues, 1));
  if (config.paired_queues) rx_queues_ = tx_queues_ = std::min(rx_queues_, tx_queues_);

  rte_eth_conf conf{};
  conf.rxmode.offloads = info.rx_offload_capa & kRxOffloads;
  conf.txmode.offloads = info.tx_offload_capa & kTxOffloads;
  multi_segment_tx_ = (conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
  std::vector<std::uint8_t> key(kRssKey.begin(), kRssKey.end());
  if (rx_queues_ > 1 && (info.flow_type_rss_offloads & kRssFields) != 0 && info.hash_key_size <= key.size()) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_key = key.data();
    conf.rx_adv_conf.rss_conf.rss_key_len = info.hash_key_size != 0 ? info.hash_key_size : 40;
    conf.rx_adv_conf.rss_conf.rss_hf = info.flow_type_rss_offloads & kRssFields;
  }
  if (const int error = rte_eth_dev_configure(id_, rx_queues_, tx_queues_, &conf); error != 0) {
    return failed("configuring", error);
  }
  if (config.mtu != 0) {
    const int error = rte_eth_dev_set_mtu(id_, config.mtu);
    if (error != 0 && error != -ENOTSUP) return failed("setting the MTU", error);
  }
  return Unit{};
}

Status Ethdev::setup_queues(const EthdevConfig& config, const rte_eth_dev_info& info) {
  const auto recommended = [](std::uint16_t size) { return size != 0 ? size : kDescriptors; };
  std::uint16_t rx_descriptors = recommended(info.default_rxportconf.ring_size);
  std::uint16_t tx_descriptors = recommended(info.default_txportconf.ring_size);
  if (const int error = rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx_descriptors, &tx_descriptors); error != 0) {
    return failed("choosing ring sizes", error);
  }
  const int socket = rte_eth_dev_socket_id(id_);
  const unsigned node = socket < 0 ? SOCKET_ID_ANY : static_cast<unsigned>(socket);
  rte_eth_rxconf rx = info.default_rxconf;
  rx.offloads = info.rx_offload_capa & kRxOffloads;
  for (std::uint16_t queue = 0; queue < rx_queues_; ++queue) {
    const int error = rte_eth_rx_queue_setup(id_, queue, rx_descriptors, node, &rx, config.mbufs);
    if (error != 0) return failed("setting up a receive queue", error);
  }
  rte_eth_txconf tx = info.default_txconf;
  tx.offloads = info.tx_offload_capa & kTxOffloads;
  for (std::uint16_t queue = 0; queue < tx_queues_; ++queue) {
    const int error = rte_eth_tx_queue_setup(id_, queue, tx_descriptors, node, &tx);
    if (error != 0) return failed("setting up a transmit queue", error);
  }
  return Unit{};
}

// Fills the indirection table as rss.hpp says. A device without one decides itself, and workers hand over.
Status Ethdev::spread_receive(const rte_eth_dev_info& info) {
  if (rx_queues_ < 2 || info.reta_size == 0) return Unit{};
  std::vector<rte_eth_rss_reta_entry64> table((info.reta_size + RTE_ETH_RETA_GROUP_SIZE - 1) /
                                              RTE_ETH_RETA_GROUP_SIZE);
  for (std::uint32_t entry = 0; entry < info.reta_size; ++entry) {
    auto& group = table[entry / RTE_ETH_RETA_GROUP_SIZE];
    group.mask |= std::uint64_t{1} << (entry % RTE_ETH_RETA_GROUP_SIZE);
    group.reta[entry % RTE_ETH_RETA_GROUP_SIZE] = static_cast<std::uint16_t>(rss_queue(entry, rx_queues_));
  }
  const int error = rte_eth_dev_rss_reta_update(id_, table.data(), info.reta_size);
  if (error != 0 && error != -ENOTSUP) return failed("filling the RSS indirection table", error);
  return Unit{};
}

Status Ethdev::restart() {
  if (const int error = rte_eth_dev_stop(id_); error != 0) return failed("stopping", error);
  if (const int error = rte_eth_dev_start(id_); error != 0) return failed("starting again", error);
  return Unit{};
}

bool Ethdev::link_up() const {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

std::uint16_t Ethdev::mtu() const {
  std::uint16_t mtu = 0;
  return rte_eth_dev_get_mtu(id_, &mtu) == 0 && mtu != 0 ? mtu : RTE_ETHER_MTU;
}

shm::MacAddress Ethdev::mac() const {
  rte_ether_addr address{};
  shm::MacAddress mac{};
  if (rte_eth_macaddr_get(id_, &address) == 0) std::copy_n(address.addr_bytes, mac.size(), mac.begin());
  return mac;
}

int Ethdev::socket_id() const {
  const int socket = rte_eth_dev_socket_id(id_);
  return socket == SOCKET_ID_ANY ? -1 : socket;
}

std::string Ethdev::driver() const {
  rte_eth_dev_info info{};
  return rte_eth_dev_info_get(id_, &info) == 0 && info.driver_name != nullptr ? info.driver_name : "";
}

}  // namespace turnpike::dataplane
