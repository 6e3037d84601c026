// SPDX-License-Identifier: BSD-3-Clause
// Stages of the start: instance -> EAL -> packet memory -> ports -> region -> workers -> control's socket.
#include "dataplane/dataplane.hpp"

#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

#include "common/process/notify.hpp"
#include "dataplane/capabilities.hpp"
#include "dataplane/clock.hpp"
#include "dataplane/eal.hpp"
#include "dataplane/housekeeping.hpp"
#include "dataplane/instance_lock.hpp"
#include "dataplane/log.hpp"
#include "dataplane/packet_memory.hpp"
#include "dataplane/port/netdev.hpp"
#include "dataplane/port/port_factory.hpp"

namespace turnpike::dataplane {
namespace {

struct OwnedFd {
  explicit OwnedFd(int number) : fd(number) {}
  ~OwnedFd() {
    if (fd >= 0) close(fd);
  }
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  const int fd;
};

// What one worker lcore is launched with.
struct WorkerLaunch {
  WorkerSet* workers;
  WorkerIndex index;
};

std::string counted(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

int run_worker(void* argument) {
  const auto* launch = static_cast<const WorkerLaunch*>(argument);
  launch->workers->run(launch->index);
  return 0;
}

// Blocked before EAL starts its threads, so that every thread leaves them to the signalfd.
int take_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  sigdelset(&set, SIGHUP);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

class Dataplane {
public:
  explicit Dataplane(const StartOptions& options)
      : options_(options),
        signals_(take_signals()),
        wake_main_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        wake_workers_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Dataplane() { stop_workers(); }

  Status start() {
    for (const auto stage :
         {&Dataplane::make_wake_ups, &Dataplane::check, &Dataplane::start_eal, &Dataplane::make_packet_memory,
          &Dataplane::open_ports, &Dataplane::make_region, &Dataplane::make_workers,
          &Dataplane::make_housekeeping, &Dataplane::reduce_privileges}) {
      if (auto done = (this->*stage)(); !done) return done;
    }
    return launch_workers();
  }
  Ending run() {
    notifier_.ready("waiting for control");
    const Ending ending = housekeeping_->run();
    notifier_.stopping();
    return ending;
  }

private:
  Status check();
  Status make_wake_ups();
  Status start_eal();
  Status make_packet_memory();
  Status open_ports();
  Status make_region();
  Status make_workers();
  Status make_housekeeping();
  Status reduce_privileges();
  Status launch_workers();
  void stop_workers();
  std::vector<int> wake_control() const;

  const StartOptions& options_;
  process::Notifier notifier_;  // before there are threads: it changes the environment
  const OwnedFd signals_;
  const OwnedFd wake_main_;
  const OwnedFd wake_workers_;
  std::deque<OwnedFd> wake_control_;  // by event ring, the main lcore's last; never moved

  // In the order of their making; they go in reverse.
  std::optional<InstanceLock> lock_;
  std::unique_ptr<Eal> eal_;
  Mempool mbufs_;
  std::unique_ptr<Clock> clock_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::vector<ManagedPort*> managed_;  // the same ports
  std::optional<shm::Region> region_;
  std::unique_ptr<WorkerSet> workers_;
  std::vector<WorkerLaunch> launches_;
  std::unique_ptr<Housekeeping> housekeeping_;
};

Status Dataplane::make_wake_ups() {
  bool made = signals_.fd >= 0 && wake_main_.fd >= 0 && wake_workers_.fd >= 0;
  for (std::uint32_t ring = 0; ring <= options_.capacity.workers; ++ring) {
    made &= wake_control_.emplace_back(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)).fd >= 0;
  }
  if (!made) return Error{std::string("eventfd or signalfd: ") + std::strerror(errno)};
  return Unit{};
}

std::vector<int> Dataplane::wake_control() const {
  std::vector<int> fds;
  for (const OwnedFd& owned : wake_control_) fds.push_back(owned.fd);
  return fds;
}

Status Dataplane::check() {
  for (const PortSpec& spec : options_.ports) {
    if (auto checked = check_port(spec); !checked) return checked;
  }
  if (options_.kernel_sockets()) raise_descriptor_limit();  // each allocation has a socket
  config::InstanceOwners owners;
  if (options_.run_as) owners.owner = options_.run_as->uid;
  if (options_.control_user) owners.group = options_.control_user->gid;
  if (auto made = config::make_instance_directory(options_.paths, owners); !made) return made;
  auto lock = InstanceLock::take(options_.paths.directory, options_.paths.instance);
  if (!lock) return Error{lock.error()};
  lock_.emplace(std::move(*lock));
  return Unit{};
}

Status Dataplane::start_eal() {
  const auto plan = plan_eal(options_, Machine{});
  if (!plan) return Error{plan.error()};
  for (const std::string& note : {plan->note, options_.lcores.note}) {
    if (!note.empty()) log_line(note);
  }
  auto eal = Eal::start(*plan, options_.verbose);
  if (!eal) return Error{eal.error()};
  eal_ = std::move(*eal);
  for (const unsigned lcore : options_.lcores.workers) {
    if (rte_lcore_is_enabled(lcore) == 0) {
      return Error{"lcores=" + options_.lcores.eal_lcores + ": DPDK did not start lcore " +
                   std::to_string(lcore)};
    }
  }
  clock_ = std::make_unique<Clock>(rte_get_tsc_hz());
  return Unit{};
}

Status Dataplane::make_packet_memory() {
  constexpr std::uint32_t kFrameOverhead =
      14 + 2 * 4 + 4;  // Ethernet, two tags, a channel header that we prepend
  std::uint32_t room = RTE_MBUF_DEFAULT_DATAROOM;
  for (const PortSpec& spec : options_.ports) {
    const auto netdev = spec.kind == shm::PortKind::kXdp ? read_netdev(spec.device) : std::nullopt;
    room = std::max(room, (netdev ? netdev->mtu : spec.mtu) + kFrameOverhead);
  }
  auto pool = make_mbufs(options_.mbufs, room);
  if (!pool) {
    return Error{"mbufs=" + std::to_string(options_.mbufs) + ": " + pool.error() +
                 "; lower --mbufs, raise --memory or reserve more hugepages"};
  }
  mbufs_ = std::move(*pool);
  const auto is_xdp = [](const PortSpec& spec) { return spec.kind == shm::PortKind::kXdp; };
  if (std::none_of(options_.ports.begin(), options_.ports.end(), is_xdp)) return Unit{};
  const std::uint32_t retired = retire_unreachable(mbufs_.get());
  if (retired > options_.mbufs / 100) {
    log_line(counted(retired, "packet buffer") + " of " + std::to_string(options_.mbufs) +
             " cannot be used with xdp ports, because the hugepages are not in one piece; raise --mbufs by "
             "as many");
  }
  return Unit{};
}

Status Dataplane::open_ports() {
  PortEnvironment environment;
  environment.workers = static_cast<std::uint16_t>(options_.capacity.workers);
  environment.always_polling = options_.always_polling;
  environment.mbufs = mbufs_.get();
  environment.directory = options_.paths.directory;
  if (options_.run_as) environment.owner = options_.run_as->uid;
  environment.sockets = std::make_shared<SocketSet>(options_.sockets);
  for (const PortSpec& spec : options_.ports) {
    auto port = open_port(spec, static_cast<std::uint16_t>(ports_.size()), environment);
    if (!port) return Error{port.error()};
    for (const std::string& warning : port_warnings(spec, **port, options_.lcores.workers)) log_line(warning);
    managed_.push_back(port->get());
    ports_.push_back(std::move(*port));
  }
  if (options_.kernel_sockets()) log_line(environment.sockets->buffers_note());
  return Unit{};
}

Status Dataplane::make_region() {
  auto region = shm::Region::create(options_.capacity);
  if (!region) return Error{region.error()};
  region_.emplace(std::move(*region));
  shm::RegionHeader& header = region_->header();
  header.port_count = static_cast<std::uint32_t>(managed_.size());
  const std::string_view version = config::version();
  version.copy(header.version.data(), header.version.size() - 1);
  for (const ManagedPort* port : managed_) fill_record(region_->port(port->index), *port, port->state());
  return Unit{};
}

Status Dataplane::make_workers() {
  WorkerSetConfig config;
  config.lcores = options_.lcores.workers;
  config.region = &*region_;
  config.ports = ports_;
  config.mbufs = mbufs_.get();
  config.main_asleep = &region_->header().main_asleep;
  config.wake_main = wake_main_.fd;
  config.wake_control = wake_control();
  config.wake_workers = wake_workers_.fd;
  config.kernel_sockets = options_.kernel_sockets();
  config.clock = clock_.get();
  config.poll = options_.always_polling ? PollMode::kAlways : PollMode::kAdaptive;
  config.secure_stun = options_.secure_stun;
  config.limits = options_.limits;
  config.denied_clients = options_.denied_clients;
  auto workers = WorkerSet::create(config);
  if (!workers) return Error{workers.error()};
  workers_ = std::move(*workers);
  return Unit{};
}

Status Dataplane::make_housekeeping() {
  HousekeepingConfig config;
  config.region = &*region_;
  config.ports = managed_;
  config.workers = workers_.get();
  config.clock = clock_.get();
  config.signals = signals_.fd;
  config.wake_main = wake_main_.fd;
  config.wake_control = wake_control();
  config.wake_workers = wake_workers_.fd;
  config.notifier = &notifier_;
  config.control_path = options_.paths.dataplane_socket;
  if (options_.run_as) config.access.owner = options_.run_as->uid;
  config.access.control = options_.control_user;
  region_->publish();  // before control can ask for it
  auto housekeeping = Housekeeping::create(config);
  if (!housekeeping) return Error{housekeeping.error()};
  housekeeping_ = std::move(*housekeeping);
  return Unit{};
}

// When everything is open, and before the first packet and the first word of control are read.
Status Dataplane::reduce_privileges() {
  RunningPorts running;
  running.small_buffers = Machine{}.socket_buffer_limit() < kEnoughBufferBytes;
  for (const ManagedPort* port : managed_)
    running.restore_vlan = running.restore_vlan || port->restores_netdev();
  const process::CapabilitySet kept = kept_capabilities(options_, running);
  if (auto reduced = process::reduce_privileges(options_.run_as, kept); !reduced) return reduced;
  if (options_.run_as && running.restore_vlan) {
    log_line("run-as=" + options_.run_as->name +
             ": VLAN stripping of xdp ports stays off at the end; ethtool -K NETDEV rxvlan on puts it back");
  }
  if (geteuid() == 0 || options_.run_as) log_line(process::describe_privileges(options_.run_as, kept));
  return Unit{};
}

Status Dataplane::launch_workers() {
  launches_.reserve(options_.lcores.workers.size());
  for (const unsigned lcore : options_.lcores.workers) {
    launches_.push_back({workers_.get(), static_cast<WorkerIndex>(launches_.size())});
    if (rte_eal_remote_launch(run_worker, &launches_.back(), lcore) != 0) {
      return Error{"lcore " + std::to_string(lcore) + " is busy"};
    }
  }
  Eal::show_log();
  log_line("running: " + counted(ports_.size(), "port") + ", " + counted(launches_.size(), "worker") +
           ", lcores " + options_.lcores.eal_lcores + ", instance " + options_.paths.instance);
  return Unit{};
}

void Dataplane::stop_workers() {
  if (workers_) workers_->request_stop();
  for (std::size_t i = 0; i < launches_.size(); ++i) rte_eal_wait_lcore(options_.lcores.workers[i]);
}

}  // namespace

Result<Ending> run_dataplane(const StartOptions& options) {
  Dataplane dataplane(options);
  if (auto started = dataplane.start(); !started) return Error{started.error()};
  return dataplane.run();
}

}  // namespace turnpike::dataplane
