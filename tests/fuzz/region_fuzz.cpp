// SPDX-License-Identifier: BSD-3-Clause
// The hand-over: a dataplane that answers nonsense, a region whose header lies, and a control whose greeting
// is any bytes. What is refused must leave no descriptor open; what is taken must lie inside the mapping.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/shm/handover.hpp"
#include "common/shm/region.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/input.hpp"

namespace {

using namespace turnpike;
using test::FuzzInput;

int lowest_free_descriptor() {
  const int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
  if (fd >= 0) close(fd);
  return fd;
}

shm::Region& pattern_region() {
  static shm::Region* region = [] {
    shm::Capacity capacity;
    capacity.workers = 2;
    capacity.allocations = 4;
    capacity.permissions = 8;
    capacity.channels = 8;
    capacity.command_cells = capacity.event_cells = 1024;
    auto created = shm::Region::create(capacity);
    FUZZ_CHECK(created);
    created->publish();
    return new shm::Region(std::move(*created));
  }();
  return *region;
}

// Each section's last byte: outside the mapping this is a crash.
void touch(const shm::Region& region) {
  const auto last = static_cast<WorkerIndex>(region.capacity().workers);
  std::atomic<std::uint64_t>& counter =
      region.allocation(static_cast<WorkerIndex>(last - 1), region.capacity().allocations - 1)
          .to_peer_packets;
  counter.store(counter.load() + 1);
  region.worker(last).heartbeat_ns.store(1);
  region.port(shm::kMaxPorts - 1).mtu.store(1);
  for (const shm::RingView& ring : {region.command_ring(last), region.event_ring(last)}) {
    ring.indices->tail.store(0);
    ring.cells[std::size_t{ring.cell_count} * shm::kCellSize - 1] = 1;
  }
  region.over_limit(static_cast<WorkerIndex>(last - 1), region.capacity().allocations - 1)
      .to_client_packets.store(1);
}

void attach(FuzzInput& input) {
  std::vector<std::uint8_t> header(sizeof(shm::RegionHeader));
  std::memcpy(header.data(), &pattern_region().header(), header.size());
  const std::uint8_t how = input.byte();
  const std::uint64_t whole = pattern_region().header().sections.total;
  // Some sizes with the right remainder and some without.
  const std::uint64_t size = (how & 1) == 0   ? whole
                             : (how & 2) == 0 ? input.number<std::uint16_t>()
                                              : whole + (input.byte() * 4096u);
  for (int left = input.byte() % 8; left > 0; --left) {
    const std::size_t field = input.byte() % (header.size() / 4) * 4;
    const auto value = input.number<std::uint32_t>();
    std::memcpy(header.data() + field, &value, sizeof value);
  }
  const int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  FUZZ_CHECK(fd >= 0 && ftruncate(fd, static_cast<off_t>(size)) == 0);
  if (size >= header.size()) FUZZ_CHECK(pwrite(fd, header.data(), header.size(), 0) > 0);
  if ((how & 4) == 0) fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
  const auto region = shm::Region::attach(fd);
  if (region) touch(*region);
}

void greet(FuzzInput& input) {
  std::array<int, 2> ends;
  FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0);
  shm::HandoverHello hello{shm::kMagic, shm::kAbiVersion, 1};
  std::vector<std::uint8_t> bytes(sizeof hello);
  std::memcpy(bytes.data(), &hello, sizeof hello);
  input.patch(bytes);
  bytes.resize(std::min<std::size_t>(input.byte(), 2 * sizeof hello));
  if (!bytes.empty()) FUZZ_CHECK(send(ends[0], bytes.data(), bytes.size(), 0) > 0);
  close(ends[0]);
  static_cast<void>(shm::receive_hello(ends[1]));
  close(ends[1]);
}

// Answers each connection with the message that it is given.
class Answerer {
public:
  Answerer() : path_("/tmp/turnpike-fuzz-" + std::to_string(getpid()) + ".sock") {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s", path_.c_str());
    unlink(path_.c_str());
    listener_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    FUZZ_CHECK(bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
               listen(listener_, 4) == 0);
    std::atexit([] { unlink(("/tmp/turnpike-fuzz-" + std::to_string(getpid()) + ".sock").c_str()); });
    std::thread([this] { serve(); }).detach();
  }

  // What control makes of it.
  Result<shm::Handover> ask(std::vector<std::uint8_t> message, std::size_t descriptors) {
    {
      const std::lock_guard lock(mutex_);
      message_ = std::move(message);
      descriptors_ = descriptors;
      done_ = false;
    }
    auto handover = shm::connect_to_dataplane(path_);
    std::unique_lock lock(mutex_);
    condition_.wait(lock, [this] { return done_; });
    return handover;
  }

private:
  void serve() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);  // libFuzzer's timer would end accept4()
    while (true) {
      pollfd waiting{listener_, POLLIN, 0};
      poll(&waiting, 1, -1);  // accept4() would hold a descriptor while it waits
      const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      static_cast<void>(shm::receive_hello(connection));
      const std::lock_guard lock(mutex_);
      answer(connection);
      close(connection);
      done_ = true;
      condition_.notify_one();
    }
  }
  void answer(int connection) {
    iovec vector{message_.data(), message_.size()};
    msghdr header{};
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 128)> control{};
    if (descriptors_ != 0) {
      header.msg_control = control.data();
      header.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors_);
      cmsghdr* rights = CMSG_FIRSTHDR(&header);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(sizeof(int) * descriptors_);
      for (std::size_t i = 0; i < descriptors_; ++i) {
        const int fd = pattern_region().fd();
        std::memcpy(CMSG_DATA(rights) + i * sizeof fd, &fd, sizeof fd);
      }
    }
    if (!message_.empty()) static_cast<void>(sendmsg(connection, &header, MSG_NOSIGNAL));
  }

  std::string path_;
  int listener_ = -1;
  std::mutex mutex_;
  std::condition_variable condition_;
  std::vector<std::uint8_t> message_;
  std::size_t descriptors_ = 0;
  bool done_ = true;
};

void answer(FuzzInput& input) {
  static auto* answerer = new Answerer();  // its thread ends with the process
  pattern_region();                        // has a descriptor too
  shm::HandoverReply reply;
  reply.magic = shm::kMagic;
  reply.abi_version = shm::kAbiVersion;
  std::vector<std::uint8_t> bytes(sizeof reply);
  std::memcpy(bytes.data(), &reply, sizeof reply);
  input.patch(bytes);
  const std::size_t descriptors = input.byte() % 100;
  const int before = lowest_free_descriptor();
  auto handover = answerer->ask(std::move(bytes), descriptors);
  if (handover) {
    close(handover->connection);
    close(handover->descriptors.region);
    close(handover->descriptors.wake_main);
    close(handover->descriptors.wake_workers);
    for (const int fd : handover->descriptors.wake_control) close(fd);
  }
  FUZZ_CHECK(lowest_free_descriptor() == before);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzInput input({data, size});
  switch (input.byte() % 4) {
    case 0:
    case 1:
      attach(input);
      break;
    case 2:
      greet(input);
      break;
    default:
      answer(input);
  }
  return 0;
}
