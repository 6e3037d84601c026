// SPDX-License-Identifier: BSD-3-Clause
// A program under test: started, its output read, ended with the object.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace turnpike::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Process {
public:
  explicit Process(const std::vector<std::string>& command);
  Process(const Process&) = delete;
  ~Process();  // kills what still runs

  // The next line of standard output; nothing when none comes in time.
  std::optional<std::string> output_line(milliseconds timeout = seconds(10));
  void signal(int number) const;
  // The exit code, 128 + N after signal N; nothing when it still runs after `timeout`.
  std::optional<int> exit_code(milliseconds timeout = seconds(10));
  // What came on either channel so far; complete after exit_code().
  const std::string& output();
  const std::string& errors();
  pid_t pid() const { return pid_; }

private:
  bool read_more(milliseconds timeout);

  pid_t pid_ = -1;
  int output_fd_ = -1;
  int errors_fd_ = -1;
  std::string output_;
  std::string errors_;
  std::size_t line_at_ = 0;
  std::optional<int> code_;
};

}  // namespace turnpike::test
