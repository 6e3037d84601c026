// SPDX-License-Identifier: BSD-3-Clause
// One signal after the other to each entry of /proc/self/task.
#include "common/process/every_thread.hpp"

#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace turnpike::process {
namespace {

constexpr int kUnanswered = -1;
constexpr int kMilliseconds = 1000;  // that a thread has for its answer

// Of the one broadcast that may run.
int (*current_act)(const void*) = nullptr;
const void* current_argument = nullptr;
std::atomic<int> current_answer{kUnanswered};
static_assert(std::atomic<int>::is_always_lock_free);

void handle(int) {
  const int saved = errno;
  current_answer.store(current_act(current_argument), std::memory_order_release);
  errno = saved;
}

std::vector<pid_t> other_threads() {
  std::vector<pid_t> threads;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/task"), closedir);
  const pid_t self = gettid();
  while (const dirent* entry = directory ? readdir(directory.get()) : nullptr) {
    const pid_t thread = std::atoi(entry->d_name);
    if (thread > 0 && thread != self) threads.push_back(thread);
  }
  return threads;
}

// ESRCH: it has ended, and holds nothing any more.
int ask(pid_t thread, int signal_number) {
  current_answer.store(kUnanswered, std::memory_order_relaxed);
  if (syscall(SYS_tgkill, getpid(), thread, signal_number) != 0) return errno == ESRCH ? 0 : errno;
  for (int waited = 0; waited < 10 * kMilliseconds; ++waited) {
    if (const int answer = current_answer.load(std::memory_order_acquire); answer != kUnanswered)
      return answer;
    const timespec pause{0, 100'000};
    nanosleep(&pause, nullptr);
  }
  return ETIMEDOUT;
}

}  // namespace

Status on_every_thread(int (*act)(const void* argument), const void* argument) {
  if (const int error = act(argument); error != 0) return Error{std::strerror(error)};
  const int signal_number = SIGRTMAX;
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = handle;
  action.sa_flags = SA_RESTART;
  current_act = act;
  current_argument = argument;
  if (sigaction(signal_number, &action, &before) != 0) return Error{std::strerror(errno)};
  Status status = Unit{};
  for (const pid_t thread : other_threads()) {
    if (const int error = ask(thread, signal_number); error != 0) {
      status = Error{"thread " + std::to_string(thread) + ": " + std::strerror(error)};
      break;
    }
  }
  // A late signal must not end the program.
  if (status) sigaction(signal_number, &before, nullptr);
  return status;
}

}  // namespace turnpike::process
