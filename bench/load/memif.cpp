// SPDX-License-Identifier: BSD-3-Clause
// EAL's arguments, net_memif, and the wait for its other side.
#include "bench/load/memif.hpp"

#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>

#include <array>
#include <cstring>
#include <vector>

namespace turnpike::load {
namespace {

// net_memif copies, so few buffers are ever in use; a small pool stays in the cache.
constexpr unsigned kBuffers = 1023;
constexpr unsigned kBufferCache = 256;
constexpr std::uint16_t kDescriptors = 1024;
constexpr unsigned kPatienceMs = 15'000;
constexpr unsigned kRetryMs = 20;

Status start_eal(const Options& options) {
  // net_memif complains of multi-process messages, which a program by itself does not have.
  std::vector<std::string> texts{"turnpike-load",
                                 "--lcores",
                                 options.lcores,
                                 "--file-prefix",
                                 options.file_prefix,
                                 "--no-pci",
                                 "--iova-mode",
                                 "va",
                                 "-m",
                                 "64",
                                 "--no-telemetry",
                                 "--no-shconf",
                                 "--log-level",
                                 "warning",
                                 "--log-level",
                                 "pmd.net.memif:critical"};
  texts.emplace_back(options.no_huge ? "--no-huge" : "--in-memory");
  std::vector<char*> arguments;
  arguments.reserve(texts.size());
  for (std::string& text : texts) arguments.push_back(text.data());
  if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) >= 0) return Unit{};
  return Error{std::string("DPDK does not start: ") + rte_strerror(rte_errno) +
               (options.no_huge ? "" : "; without hugepages add --no-huge")};
}

Error failed(const std::string& what, int error) { return Error{what + ": " + rte_strerror(-error)}; }

}  // namespace

Result<std::unique_ptr<MemifPort>> MemifPort::open(const Options& options) {
  if (auto started = start_eal(options); !started) return Error{started.error()};
  std::unique_ptr<MemifPort> port(new MemifPort);
  if (auto started = port->start(options); !started) return Error{started.error()};
  if (auto connected = port->connect(); !connected) {
    return Error{"memif: " + options.memif + ": " + connected.error()};
  }
  return port;
}

Status MemifPort::start(const Options& options) {
  const std::string devargs = "net_memif0,role=" + options.memif_role + ",socket=" + options.memif +
                              ",socket-abstract=no" + options.driver_args;
  if (const int error = rte_dev_probe(devargs.c_str()); error != 0) return failed("memif", error);
  if (const int error = rte_eth_dev_get_port_by_name("net_memif0", &id_); error != 0) {
    return failed("memif", error);
  }
  pool_ =
      rte_pktmbuf_pool_create("load", kBuffers, kBufferCache, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  if (pool_ == nullptr) return failed("packet buffers", -rte_errno);
  const rte_eth_conf conf{};
  int error = rte_eth_dev_configure(id_, 1, 1, &conf);
  if (error == 0) error = rte_eth_rx_queue_setup(id_, 0, kDescriptors, SOCKET_ID_ANY, nullptr, pool_);
  if (error == 0) error = rte_eth_tx_queue_setup(id_, 0, kDescriptors, SOCKET_ID_ANY, nullptr);
  return error == 0 ? Status(Unit{}) : failed("configuring net_memif", error);
}

// A client's start fails while nobody listens.
Status MemifPort::connect() {
  bool started = false;
  for (unsigned waited = 0; waited < kPatienceMs; waited += kRetryMs) {
    started = started || rte_eth_dev_start(id_) == 0;
    if (started && up()) {
      // In the client's role the driver hands its buffers to the other side when it first receives.
      std::array<rte_mbuf*, 1> early;
      rte_pktmbuf_free_bulk(early.data(), receive(early));
      return Unit{};
    }
    rte_delay_us_sleep(kRetryMs * 1000);
  }
  return Error{"the other side does not come"};
}

MemifPort::~MemifPort() {
  if (id_ != RTE_MAX_ETHPORTS) {
    rte_eth_dev_stop(id_);
    rte_eth_dev_close(id_);
  }
  rte_eal_cleanup();
}

bool MemifPort::send(Bytes frame) noexcept {
  rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
  if (mbuf == nullptr) return false;
  char* room = rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(frame.size()));
  if (room != nullptr) std::memcpy(room, frame.data(), frame.size());
  if (room != nullptr && send(std::span(&mbuf, 1)) == 1) return true;
  rte_pktmbuf_free(mbuf);
  return false;
}

bool MemifPort::up() const noexcept {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

}  // namespace turnpike::load
