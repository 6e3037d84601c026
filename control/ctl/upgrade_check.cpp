// SPDX-License-Identifier: BSD-3-Clause
// Asking the binary, and comparing what it says.
#include "control/ctl/upgrade_check.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/config/options.hpp"

extern char** environ;

namespace turnpike::ctl {
namespace {

constexpr int kTimeoutMs = 10'000;
constexpr std::size_t kLongestAnswer = 4096;

Status check_file(const std::string& binary) {
  struct stat info {};
  if (stat(binary.c_str(), &info) != 0) return Error{binary + ": " + std::strerror(errno)};
  if (!S_ISREG(info.st_mode)) return Error{binary + ": not a file; name the program itself"};
  if (access(binary.c_str(), X_OK) != 0) return Error{binary + ": not executable; type: chmod +x " + binary};
  return Unit{};
}

// What comes until the other end is closed, nobody writes for a while, or it is too much.
std::string read_all(int fd) {
  std::string text;
  std::array<char, 512> buffer;
  while (text.size() < kLongestAnswer) {
    pollfd waiting{fd, POLLIN, 0};
    if (poll(&waiting, 1, kTimeoutMs) <= 0) break;
    const ssize_t size = read(fd, buffer.data(), buffer.size());
    if (size <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  return text;
}

}  // namespace

Result<shm::AbiLine> ask_binary(const std::string& binary) {
  if (auto checked = check_file(binary); !checked) return Error{checked.error()};
  std::array<int, 2> ends{-1, -1};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return Error{std::string("pipe: ") + std::strerror(errno)};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::string argument = "--abi";
  std::string name = binary;
  std::array<char*, 3> arguments{name.data(), argument.data(), nullptr};
  pid_t pid = 0;
  const int error = posix_spawn(&pid, binary.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  const std::string answer = error == 0 ? read_all(ends[0]) : std::string();
  close(ends[0]);
  if (error != 0) return Error{binary + ": does not start: " + std::strerror(error)};
  kill(pid, SIGKILL);  // one that has answered is ending anyway
  waitpid(pid, nullptr, 0);
  auto line = shm::parse_abi_line(answer);
  if (!line) {
    return Error{
        binary +
        ": no turnpike-dataplane or turnpike-control that knows --abi; if it is an older one, drain, "
        "then stop both programs and start both of one release"};
  }
  return std::move(*line);
}

UpgradeVerdict judge_upgrade(const std::string& binary, const shm::AbiLine& found,
                             const std::optional<nlohmann::ordered_json>& status) {
  shm::AbiLine running;
  running.program = found.program;
  running.version = config::version();
  if (status) {
    const auto abi = status->value("abi", nlohmann::ordered_json::object());
    running.abi = abi.value("region", 0u);
    running.ledger = abi.value("ledger", 0u);
    const bool dataplane = found.program == "turnpike-dataplane";
    running.version = dataplane ? status->at("dataplane").at("version") : status->at("version");
  }
  const std::string where = status ? "the running " + running.program + " " + running.version
                                   : "this release, " + running.version + " (no turnpike-control runs here)";
  const auto numbers = [](const shm::AbiLine& line) {
    return "ABI " + std::to_string(line.abi) + ", ledger " + std::to_string(line.ledger);
  };
  const std::string who = binary + " is " + found.program + " " + found.version + " (" + numbers(found) + ")";
  if (found.abi == running.abi && found.ledger == running.ledger) {
    return {true, who + ": can replace " + where + " in place"};
  }
  return {false, who + ": cannot replace " + where + " (" + numbers(running) +
                     ") in place; drain, then stop both programs and start both of the new release"};
}

}  // namespace turnpike::ctl
