// SPDX-License-Identifier: BSD-3-Clause
// EAL's arguments, the driver's, and the wait for the other side.
#include "bench/load/port.hpp"

#include <rte_alarm.h>
#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ring.h>

#include <array>
#include <cstring>
#include <semaphore>
#include <vector>

#include "dataplane/packet_memory.hpp"

namespace turnpike::load {
namespace {

using shm::PortKind;

constexpr std::uint16_t kDescriptors = 1024;
constexpr unsigned kBufferCache = 256;
// A driver that does not copy keeps a ring full of them; net_af_xdp's ring is the largest.
constexpr unsigned kReceiveBuffers = 8191;
// As many as a ring takes, twice: the other side gives back late.
constexpr unsigned kSendBuffers = 2047;
constexpr unsigned kMemoryMib = 96;
constexpr unsigned kPatienceMs = 15'000;
constexpr unsigned kRetryMs = 20;

Status start_eal(const Options& options) {
  // net_memif complains of multi-process messages, which a program by itself does not have.
  std::vector<std::string> texts{"turnpike-load",
                                 "--lcores",
                                 options.lcores,
                                 "--file-prefix",
                                 options.file_prefix,
                                 "--iova-mode",
                                 "va",
                                 "-m",
                                 std::to_string(kMemoryMib),
                                 "--no-telemetry",
                                 "--no-shconf",
                                 "--log-level",
                                 "warning",
                                 "--log-level",
                                 "pmd.net.memif:critical",
                                 "--log-level",
                                 "pmd.net.af_xdp:error"};
  texts.emplace_back(options.no_huge ? "--no-huge" : "--in-memory");
  if (options.port.kind() == PortKind::kPci) {
    texts.insert(texts.end(), {"-a", options.port.spec.device});
  } else {
    texts.emplace_back("--no-pci");
  }
  // The memory is handed to the other side by its file.
  if (options.port.zero_copy) texts.emplace_back("--single-file-segments");
  std::vector<char*> arguments;
  arguments.reserve(texts.size());
  for (std::string& text : texts) arguments.push_back(text.data());
  if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) >= 0) return Unit{};
  return Error{std::string("DPDK does not start: ") + rte_strerror(rte_errno) +
               (options.no_huge ? "" : "; without hugepages add --no-huge")};
}

Error failed(const std::string& what, int error) { return Error{what + ": " + rte_strerror(-error)}; }

// The device's name, and after a comma what the driver is told.
std::string devargs_of(const PortName& port) {
  const std::string more = port.spec.driver_args.empty() ? "" : "," + port.spec.driver_args;
  switch (port.kind()) {
    case PortKind::kMemif:
      return std::string("net_memif0,role=") + (port.spec.memif_server ? "server" : "client") +
             ",socket=" + port.spec.device +
             ",socket-abstract=no,zero-copy=" + (port.zero_copy ? "yes" : "no") + more;
    case PortKind::kXdp: {
      // Without a busy-poll budget an empty poll of a zero-copy socket may block.
      const bool zero_copy = port.spec.xdp_mode == dataplane::XdpMode::kZeroCopy;
      return "net_af_xdp0,iface=" + port.spec.device + ",start_queue=0,queue_count=1" +
             (zero_copy ? ",busy_budget=64" : ",busy_budget=0,force_copy=1");
    }
    case PortKind::kVhost:
      return "net_vhost0,iface=" + port.spec.device + ",queues=1" + more;
    default:
      return port.spec.device + more;
  }
}

struct Template {
  Bytes frame;
};

void fill(rte_mempool*, void* argument, void* object, unsigned) {
  const Bytes frame = static_cast<const Template*>(argument)->frame;
  auto* const mbuf = static_cast<rte_mbuf*>(object);
  std::memcpy(static_cast<char*>(mbuf->buf_addr) + RTE_PKTMBUF_HEADROOM, frame.data(), frame.size());
}

// Runs work() in EAL's interrupt thread and returns when it is done. net_memif reads its control socket
// there: closed by another thread, the device is freed under the other side's last message, when both go at a
// time.
template <typename Work>
void in_interrupt_thread(const Work& work) {
  struct Call {
    const Work& work;
    std::binary_semaphore done{0};
  } call{work};
  const auto run = [](void* argument) {
    auto* const waiting = static_cast<Call*>(argument);
    waiting->work();
    waiting->done.release();
  };
  if (rte_eal_alarm_set(1, run, &call) != 0) return work();
  call.done.acquire();
}

}  // namespace

Result<std::unique_ptr<Port>> Port::open(const Options& options) {
  if (auto started = start_eal(options); !started) return Error{started.error()};
  std::unique_ptr<Port> port(new Port);
  if (auto started = port->start(options); !started) return Error{started.error()};
  if (auto connected = port->connect(); !connected) {
    return Error{"port=" + options.port.spec.text + ": " + connected.error()};
  }
  return port;
}

Status Port::start(const Options& options) {
  auto pool = dataplane::make_mbufs(kReceiveBuffers, RTE_MBUF_DEFAULT_DATAROOM);
  if (!pool) return Error{pool.error()};
  pool_ = pool->release();  // rte_eal_cleanup() frees it, after the device
  if (!options.port.null && options.port.kind() == PortKind::kXdp) dataplane::retire_unreachable(pool_);
  if (auto made = options.port.null ? start_loop() : start_device(options); !made) return made;
  return configure();
}

Status Port::start_device(const Options& options) {
  const std::string devargs = devargs_of(options.port);
  memif_ = options.port.kind() == PortKind::kMemif;
  const std::string name = devargs.substr(0, devargs.find(','));
  const std::string what = "port=" + options.port.spec.text;
  if (rte_eth_dev_get_port_by_name(name.c_str(), &id_) == 0) return Unit{};  // EAL has found the PCI device
  id_ = RTE_MAX_ETHPORTS;
  if (const int error = rte_dev_probe(devargs.c_str()); error != 0) return failed(what, error);
  if (const int error = rte_eth_dev_get_port_by_name(name.c_str(), &id_); error != 0)
    return failed(what, error);
  return Unit{};
}

// What is put into the ring is taken out of it.
Status Port::start_loop() {
  loop_ = rte_ring_create("loop", kDescriptors, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
  if (loop_ == nullptr) return failed("port=null", -rte_errno);
  const int id = rte_eth_from_ring(loop_);
  if (id < 0) return failed("port=null", -rte_errno);
  id_ = static_cast<std::uint16_t>(id);
  return Unit{};
}

Status Port::configure() {
  const rte_eth_conf conf{};
  std::uint16_t receive = kDescriptors;
  std::uint16_t send = kDescriptors;
  int error = rte_eth_dev_configure(id_, 1, 1, &conf);
  if (error == 0) error = rte_eth_dev_adjust_nb_rx_tx_desc(id_, &receive, &send);
  if (error == 0) error = rte_eth_rx_queue_setup(id_, 0, receive, SOCKET_ID_ANY, nullptr, pool_);
  if (error == 0) error = rte_eth_tx_queue_setup(id_, 0, send, SOCKET_ID_ANY, nullptr);
  return error == 0 ? Status(Unit{}) : failed("configuring the port", error);
}

// A memif client's start fails while nobody listens.
Status Port::connect() {
  bool started = false;
  for (unsigned waited = 0; waited < kPatienceMs; waited += kRetryMs) {
    started = started || rte_eth_dev_start(id_) == 0;
    if (started && up()) {
      rte_eth_allmulticast_enable(
          id_);  // for neighbour discovery; drivers without a filter do not have the call
      // In the client's role the driver hands its buffers to the other side when it first receives.
      std::array<rte_mbuf*, 1> early;
      rte_pktmbuf_free_bulk(early.data(), receive(early));
      return Unit{};
    }
    rte_delay_us_sleep(kRetryMs * 1000);
  }
  return Error{"the other side does not come"};
}

Port::~Port() {
  const auto close = [this] {
    rte_eth_dev_stop(id_);
    rte_eth_dev_close(id_);
  };
  if (id_ != RTE_MAX_ETHPORTS) memif_ ? in_interrupt_thread(close) : close();
  rte_ring_free(loop_);
  rte_eal_cleanup();
}

rte_mempool* Port::make_frames(const char* name, Bytes frame) const {
  rte_mempool* const frames =
      rte_pktmbuf_pool_create(name, kSendBuffers, kBufferCache, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  Template filling{frame};
  if (frames != nullptr) rte_mempool_obj_iter(frames, fill, &filling);
  return frames;
}

bool Port::up() const noexcept {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

}  // namespace turnpike::load
