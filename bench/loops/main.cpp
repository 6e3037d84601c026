// SPDX-License-Identifier: BSD-3-Clause
// turnpike-loops DATAPLANE-PID WORKER-TID: the longest pass of worker 0 in every millisecond until SIGTERM,
// as JSON. It takes the worker's own figure and sets it back, which only a bench may do; what the thread
// waited for its CPU meanwhile tells the scheduler's part from the worker's.
#include <fcntl.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/shm/region.hpp"

namespace {

using namespace turnpike;

constexpr long kWindowNs = 1'000'000;
constexpr std::size_t kWorst = 10;
constexpr std::array<std::uint64_t, 8> kLimitsUs{10, 20, 50, 100, 200, 500, 1000, 10'000};

volatile sig_atomic_t stop_asked = 0;
void on_signal(int) { stop_asked = 1; }

Result<shm::Region> attach(const std::string& pid) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + pid + "/fd")) {
    std::error_code gone;
    if (!std::filesystem::read_symlink(entry, gone).string().starts_with("/memfd:turnpike")) continue;
    const int fd = open(entry.path().c_str(), O_RDWR | O_CLOEXEC);
    if (fd >= 0) return shm::Region::attach(fd);
  }
  return Error{"process " + pid + " has no shared region: give the PID of turnpike-dataplane"};
}

// What the scheduler says of a thread.
struct Schedule {
  std::uint64_t ran_ns = 0;
  std::uint64_t waited_ns = 0;
};

Schedule schedule_of(const std::string& file) {
  Schedule found;
  std::ifstream(file) >> found.ran_ns >> found.waited_ns;
  return found;
}

struct Window {
  std::uint64_t longest_us = 0;
  std::uint64_t waited_us = 0;  // for a CPU, in this window and the one before, where the pass may have begun
  std::uint64_t own_us() const { return longest_us - std::min(longest_us, waited_us); }
};

void print_counts(const char* name, const std::vector<Window>& windows, std::uint64_t (*of)(const Window&)) {
  std::printf("\"%s\": {", name);
  for (std::size_t i = 0; i < kLimitsUs.size(); ++i) {
    const auto over = std::count_if(windows.begin(), windows.end(),
                                    [&](const Window& window) { return of(window) > kLimitsUs[i]; });
    std::printf("%s\"%llu\": %lld", i == 0 ? "" : ", ", static_cast<unsigned long long>(kLimitsUs[i]),
                static_cast<long long>(over));
  }
  std::printf("}, ");
}

void print(std::vector<Window> windows) {
  const auto longest = [](const Window& window) { return window.longest_us; };
  const auto own = [](const Window& window) { return window.own_us(); };
  std::printf("{\"windows\": %zu, ", windows.size());
  print_counts("over_us", windows, longest);
  print_counts("own_over_us", windows, own);
  std::sort(windows.begin(), windows.end(),
            [](const Window& a, const Window& b) { return a.own_us() > b.own_us(); });
  windows.resize(std::min(windows.size(), kWorst));
  std::printf("\"worst\": [");
  for (const Window& window : windows) {
    std::printf("%s{\"longest_us\": %llu, \"waited_us\": %llu}", &window == windows.data() ? "" : ", ",
                static_cast<unsigned long long>(window.longest_us),
                static_cast<unsigned long long>(window.waited_us));
  }
  std::printf("]}\n");
}

std::vector<Window> watch(shm::WorkerBlock& worker, const std::string& schedule) {
  std::vector<Window> windows;
  windows.reserve(1U << 17);
  worker.max_loop_ns.exchange(0, std::memory_order_relaxed);
  Schedule before = schedule_of(schedule);
  std::uint64_t waited_before = 0;
  while (stop_asked == 0) {
    const timespec pause{0, kWindowNs};
    nanosleep(&pause, nullptr);
    const std::uint64_t longest = worker.max_loop_ns.exchange(0, std::memory_order_relaxed);
    const Schedule now = schedule_of(schedule);
    const std::uint64_t waited = now.waited_ns - before.waited_ns;
    windows.push_back({longest / 1000, (waited + waited_before) / 1000});
    waited_before = waited;
    before = now;
  }
  return windows;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: turnpike-loops DATAPLANE-PID WORKER-TID\n");
    return 2;
  }
  const std::string pid = argv[1];
  auto region = attach(pid);
  if (!region) {
    std::fprintf(stderr, "turnpike-loops: %s\n", region.error().c_str());
    return 1;
  }
  std::signal(SIGTERM, on_signal);
  std::signal(SIGINT, on_signal);
  std::fprintf(stderr, "watching\n");
  print(watch(region->worker(0), "/proc/" + pid + "/task/" + argv[2] + "/schedstat"));
  return 0;
}
