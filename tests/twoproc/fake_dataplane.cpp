// SPDX-License-Identifier: BSD-3-Clause
// Region, hand-over socket and rings of a dataplane without ports.
#include "tests/twoproc/fake_dataplane.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <stdexcept>

namespace turnpike::test {
namespace {

using Clock = std::chrono::steady_clock;

shm::Capacity small_capacity(std::uint16_t workers) {
  shm::Capacity capacity;
  capacity.workers = workers;
  capacity.allocations = 64;
  capacity.permissions = 256;
  capacity.channels = 256;
  capacity.command_cells = 1024;
  capacity.event_cells = 1024;
  return capacity;
}

std::uint64_t number_of(const shm::MacAddress& mac) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < mac.size(); ++i) number |= std::uint64_t{mac[i]} << 8 * i;
  return number;
}

}  // namespace

FakeDataplane::FakeDataplane(std::uint16_t workers, const std::string& port_name) {
  char pattern[] = "/tmp/turnpike-twoproc-XXXXXX";
  if (mkdtemp(pattern) == nullptr) throw std::runtime_error("mkdtemp");
  directory_ = pattern;
  mkdir((directory_ + "/t").c_str(), 0700);
  auto created = shm::Region::create(small_capacity(workers));
  if (!created) throw std::runtime_error(created.error());
  region_ = std::make_unique<shm::Region>(std::move(*created));
  shm::RegionHeader& header = region_->header();
  header.port_count = 1;
  std::snprintf(header.version.data(), header.version.size(), "fake");
  shm::PortRecord& port = region_->port(0);
  port.kind = static_cast<std::uint32_t>(shm::PortKind::kMemif);
  port.link_up = 1;
  port.mtu = 1500;
  port.mac = number_of(kPortMac);
  std::snprintf(port.name.data(), port.name.size(), "%s", port_name.c_str());
  for (WorkerIndex i = 0; i <= workers; ++i) {
    commands_.emplace_back(region_->command_ring(i));
    events_.emplace_back(region_->event_ring(i));
    wake_control_.push_back(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  }
  wake_main_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path("dataplane.sock").c_str());
  listener_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener_, 4) != 0) {
    throw std::runtime_error("hand-over socket");
  }
}

FakeDataplane::~FakeDataplane() {
  for (const int fd : {listener_, connection_, wake_main_}) {
    if (fd >= 0) close(fd);
  }
  for (const int fd : wake_control_) close(fd);
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

bool FakeDataplane::serve_control(shm::HandoverStatus status) {
  pollfd waiting{listener_, POLLIN, 0};
  if (poll(&waiting, 1, 10000) != 1) return false;
  const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  const auto hello = shm::receive_hello(connection);
  shm::HandoverReply reply;
  reply.status = status;
  reply.pid = static_cast<std::uint32_t>(getpid());
  const auto sent =
      shm::send_reply(connection, reply, {region_->fd(), wake_main_, wake_main_, wake_control_});
  if (status != shm::HandoverStatus::kAccepted) {
    close(connection);
    return true;
  }
  hang_up();
  connection_ = connection;
  return static_cast<bool>(hello) && static_cast<bool>(sent);
}

void FakeDataplane::hang_up() {
  if (connection_ >= 0) close(connection_);
  connection_ = -1;
}

std::optional<TakenCommand> FakeDataplane::take(WorkerIndex ring, milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  do {
    if (commands_[ring].pop(*message_) == shm::PopResult::kMessage) {
      const Bytes body = message_->body();
      return TakenCommand{
          static_cast<shm::Command>(message_->header.kind), message_->header.seq, {body.begin(), body.end()}};
    }
    usleep(200);
  } while (Clock::now() < deadline);
  return std::nullopt;
}

std::optional<TakenCommand> FakeDataplane::take_until(WorkerIndex ring, shm::Command kind,
                                                      milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  while (Clock::now() < deadline) {
    auto command = take(ring, timeout);
    if (command && command->kind == kind) return command;
  }
  return std::nullopt;
}

std::vector<TakenCommand> FakeDataplane::take_burst(WorkerIndex ring, milliseconds quiet) {
  std::vector<TakenCommand> taken;
  if (auto first = take(ring, seconds(15))) taken.push_back(std::move(*first));
  for (TakenCommand& command : take_all(ring, quiet)) taken.push_back(std::move(command));
  return taken;
}

std::vector<TakenCommand> FakeDataplane::take_all(WorkerIndex ring, milliseconds quiet) {
  std::vector<TakenCommand> taken;
  while (auto command = take(ring, quiet)) taken.push_back(std::move(*command));
  return taken;
}

bool FakeDataplane::push_event(WorkerIndex ring, shm::Event kind, std::uint64_t seq, Bytes first,
                               Bytes second) {
  if (!events_[ring].push(static_cast<std::uint16_t>(kind), seq, first, second)) return false;
  wake_control(ring);
  return true;
}

bool FakeDataplane::push_request(WorkerIndex worker, const turn::FiveTuple& from, Bytes message) {
  shm::StunRequest request;
  request.client = from.client;
  request.server = from.server;
  request.path.local_mac = kPortMac;
  request.path.remote_mac = kClientMac;
  return push_event(worker, shm::Event::kStunRequest, 0,
                    {reinterpret_cast<const std::uint8_t*>(&request), sizeof request}, message);
}

bool FakeDataplane::refuse(WorkerIndex worker, std::uint64_t seq) {
  const shm::FactRefused refused;
  return push_event(worker, shm::Event::kFactRefused, seq,
                    {reinterpret_cast<const std::uint8_t*>(&refused), sizeof refused});
}

void FakeDataplane::apply(WorkerIndex worker, std::uint64_t seq) {
  region_->worker(worker).applied_seq.store(seq, std::memory_order_release);
}

void FakeDataplane::wake_control(WorkerIndex ring) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (region_->worker(ring).control_asleep.exchange(0) == 0) return;
  const std::uint64_t one = 1;
  if (write(wake_control_[ring], &one, sizeof one) != sizeof one) throw std::runtime_error("eventfd");
}

}  // namespace turnpike::test
