// SPDX-License-Identifier: BSD-3-Clause
// fork, exec, two pipes.
#include "tests/twoproc/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

namespace turnpike::test {
namespace {

using Clock = std::chrono::steady_clock;

bool append_from(int& fd, std::string& text) {
  std::array<char, 4096> buffer;
  const ssize_t size = read(fd, buffer.data(), buffer.size());
  if (size > 0) text.append(buffer.data(), static_cast<std::size_t>(size));
  if (size == 0) {
    close(fd);
    fd = -1;
  }
  return size > 0;
}

}  // namespace

Process::Process(const std::vector<std::string>& command) {
  int output[2];
  int errors[2];
  if (pipe2(output, O_CLOEXEC | O_NONBLOCK) != 0 || pipe2(errors, O_CLOEXEC | O_NONBLOCK) != 0) {
    throw std::runtime_error("pipe");
  }
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(output[1], STDOUT_FILENO);
    dup2(errors[1], STDERR_FILENO);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  close(output[1]);
  close(errors[1]);
  output_fd_ = output[0];
  errors_fd_ = errors[0];
  if (pid_ < 0) throw std::runtime_error("fork");
}

Process::~Process() {
  if (!code_) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (output_fd_ >= 0) close(output_fd_);
  if (errors_fd_ >= 0) close(errors_fd_);
}

bool Process::read_more(milliseconds timeout) {
  std::array<pollfd, 2> fds{pollfd{output_fd_, POLLIN, 0}, pollfd{errors_fd_, POLLIN, 0}};
  if (poll(fds.data(), fds.size(), static_cast<int>(timeout.count())) <= 0) return false;
  bool more = false;
  if (fds[0].revents != 0) more |= append_from(output_fd_, output_);
  if (fds[1].revents != 0) more |= append_from(errors_fd_, errors_);
  return more;
}

std::optional<std::string> Process::output_line(milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  for (;;) {
    if (const std::size_t end = output_.find('\n', line_at_); end != std::string::npos) {
      const std::string line = output_.substr(line_at_, end - line_at_);
      line_at_ = end + 1;
      return line;
    }
    if (Clock::now() >= deadline || (output_fd_ < 0 && errors_fd_ < 0)) return std::nullopt;
    read_more(milliseconds(20));
  }
}

void Process::signal(int number) const { kill(pid_, number); }

std::optional<int> Process::exit_code(milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  while (!code_) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      break;
    }
    if (Clock::now() >= deadline) return std::nullopt;
    if (!read_more(milliseconds(10))) usleep(2000);
  }
  while (read_more(milliseconds(0))) {
  }
  return code_;
}

const std::string& Process::output() {
  while (read_more(milliseconds(0))) {
  }
  return output_;
}

const std::string& Process::errors() {
  while (read_more(milliseconds(0))) {
  }
  return errors_;
}

}  // namespace turnpike::test
