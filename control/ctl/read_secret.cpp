// SPDX-License-Identifier: BSD-3-Clause
// Prompt on standard error, so that standard output stays the program's answer.
#include "control/ctl/read_secret.hpp"

#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

namespace turnpike::ctl {
namespace {

class NoEcho {
public:
  NoEcho() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
  }
  ~NoEcho() {
    if (changed_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;

private:
  termios before_{};
  bool changed_ = false;
};

std::string ask(const std::string& prompt) {
  std::string line;
  std::fputs(prompt.c_str(), stderr);
  {
    const NoEcho silent;
    std::getline(std::cin, line);
  }
  std::fputs("\n", stderr);
  return line;
}

}  // namespace

Result<std::string> read_secret(const std::string& what) {
  std::string secret;
  if (isatty(STDIN_FILENO) == 0) {
    std::getline(std::cin, secret);
  } else {
    secret = ask(what + ": ");
    if (ask(what + " again: ") != secret) return Error{"the two are not the same; try again"};
  }
  if (secret.empty()) return Error{what + " is empty; type it, or give it as a line of standard input"};
  return secret;
}

}  // namespace turnpike::ctl
