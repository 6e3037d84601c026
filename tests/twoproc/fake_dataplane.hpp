// SPDX-License-Identifier: BSD-3-Clause
// Plays turnpike-dataplane over a real region, without packets: takes commands, gives events, applies or
// refuses facts as the test says.
#pragma once

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/shm/handover.hpp"
#include "common/shm/region.hpp"
#include "common/turn/effects.hpp"
#include "tests/twoproc/process.hpp"

namespace turnpike::test {

inline constexpr shm::MacAddress kPortMac{0x02, 0, 0, 0, 0, 0xAA};
inline constexpr shm::MacAddress kClientMac{0x02, 0, 0, 0, 0, 0xC1};

struct TakenCommand {
  shm::Command kind{};
  std::uint64_t seq = 0;
  std::vector<std::uint8_t> body;

  // The fixed part; the test fails when the body is shorter.
  template <typename T>
  T as() const {
    T value;
    if (body.size() < sizeof value) throw std::runtime_error("command body too short");
    std::memcpy(&value, body.data(), sizeof value);
    return value;
  }
  // What follows SendDatagram.
  Bytes payload() const { return Bytes(body).subspan(sizeof(shm::SendDatagram)); }
};

class FakeDataplane {
public:
  // Makes a directory of its own with INSTANCE "t"; `port_name` is a port without netdev.
  explicit FakeDataplane(std::uint16_t workers = 1,
                         const std::string& port_name = "memif:/run/test.sock,role=server");
  ~FakeDataplane();

  const std::string& runtime_dir() const { return directory_; }
  std::string socket_path(const char* name) const { return directory_ + "/t/" + name; }
  shm::Region& region() { return *region_; }

  void publish() { region_->publish(); }
  // Accepts one control and answers its greeting. False when none came in time.
  bool serve_control(shm::HandoverStatus status = shm::HandoverStatus::kAccepted);
  void hang_up();

  // Workers 0.., then the main lcore's ring.
  std::optional<TakenCommand> take(WorkerIndex ring, milliseconds timeout = seconds(5));
  // Takes until a command of that kind comes; the others are forgotten.
  std::optional<TakenCommand> take_until(WorkerIndex ring, shm::Command kind,
                                         milliseconds timeout = seconds(5));
  // Waits for a first command and takes what follows closely.
  std::vector<TakenCommand> take_burst(WorkerIndex ring, milliseconds quiet = milliseconds(300));
  // Swallows what is there and what comes within `quiet`.
  std::vector<TakenCommand> take_all(WorkerIndex ring, milliseconds quiet = milliseconds(100));

  bool push_event(WorkerIndex ring, shm::Event kind, std::uint64_t seq, Bytes first, Bytes second = {});
  bool push_request(WorkerIndex worker, const turn::FiveTuple& from, Bytes message);
  bool refuse(WorkerIndex worker, std::uint64_t seq);
  void apply(WorkerIndex worker, std::uint64_t seq);
  void wake_control(WorkerIndex ring = 0);

private:
  std::string directory_;
  std::unique_ptr<shm::Region> region_;
  std::vector<shm::Consumer> commands_;
  std::vector<shm::Producer> events_;
  std::unique_ptr<shm::Message> message_ = std::make_unique<shm::Message>();
  int listener_ = -1;
  int connection_ = -1;
  int wake_main_ = -1;
  std::vector<int> wake_control_;  // by event ring
};

}  // namespace turnpike::test
