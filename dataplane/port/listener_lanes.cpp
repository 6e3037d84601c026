// SPDX-License-Identifier: BSD-3-Clause
// Classic BPF that picks a socket of the group for each datagram (socket(7), SO_ATTACH_REUSEPORT_CBPF).
#include "dataplane/port/listener_lanes.hpp"

#include <linux/filter.h>
#include <sys/socket.h>

#include <array>

#include "common/stun/types.hpp"

namespace turnpike::dataplane {
namespace {

// Offsets are of the UDP payload, from SKF_NET_OFF on of the IP header. A datagram that is too short for a
// load ends the program with socket 0, where it is dropped.
constexpr std::uint32_t kIp = static_cast<std::uint32_t>(SKF_NET_OFF);
constexpr std::uint32_t kIpv4Source = kIp + 12;
constexpr std::uint32_t kIpv6Network = kIp + 12;  // the lower half of the source's /64
constexpr std::uint32_t kIpv6Source = kIp + 20;
constexpr std::uint32_t kIpv6Size = 40;
constexpr std::uint32_t kFirstChannelByte =
    0x40;  // RFC 8656 section 12: 0x40 to 0x4F, older clients' to 0x7F
constexpr std::uint32_t kPastChannelBytes = 0x80;
constexpr std::uint32_t kSend = stun::encode_type(stun::Method::kSend, stun::MessageClass::kIndication);
// Cells of the program's memory.
constexpr std::uint32_t kLane = 0;
constexpr std::uint32_t kSum = 1;

class Program {
public:
  void add(int code, std::uint32_t value = 0) { jump(code, value, 0, 0); }
  void jump(int code, std::uint32_t value, std::uint8_t if_true, std::uint8_t if_false) {
    lines_[size_++] = {static_cast<std::uint16_t>(code), if_true, if_false, value};
  }
  sock_fprog get() { return {size_, lines_.data()}; }

private:
  std::array<sock_filter, 40> lines_{};
  std::uint16_t size_ = 0;
};

void add_lane(Program& program) {
  program.add(BPF_LD | BPF_IMM, 0);
  program.add(BPF_ST, kLane);
  program.add(BPF_LD | BPF_B | BPF_ABS, 0);
  program.jump(BPF_JMP | BPF_JGE | BPF_K, kPastChannelBytes, 5, 0);
  program.jump(BPF_JMP | BPF_JGE | BPF_K, kFirstChannelByte, 2, 0);
  program.add(BPF_LD | BPF_H | BPF_ABS, 0);
  program.jump(BPF_JMP | BPF_JEQ | BPF_K, kSend, 0, 2);
  program.add(BPF_LD | BPF_IMM, 1);
  program.add(BPF_ST, kLane);
}

// The worker, in A: by the client's address and port, so that all lanes of a client are one worker's.
void add_worker(Program& program, bool v4, std::uint16_t workers) {
  const auto add_to_sum = [&program] {
    program.add(BPF_LDX | BPF_MEM, kSum);
    program.add(BPF_ALU | BPF_ADD | BPF_X);
    program.add(BPF_ALU | BPF_MUL | BPF_K, 0x9E3779B1);
    program.add(BPF_ST, kSum);
  };
  if (v4) {
    program.add(BPF_LD | BPF_B | BPF_ABS, kIp);
    program.add(BPF_ALU | BPF_AND | BPF_K, 0x0F);
    program.add(BPF_ALU | BPF_LSH | BPF_K, 2);
  } else {
    program.add(BPF_LD | BPF_IMM, kIpv6Size);
  }
  program.add(BPF_MISC | BPF_TAX);
  program.add(BPF_LD | BPF_H | BPF_IND, kIp);  // the source port
  program.add(BPF_ST, kSum);
  program.add(BPF_LD | BPF_W | BPF_ABS, v4 ? kIpv4Source : kIpv6Source);
  add_to_sum();
  if (!v4) {
    program.add(BPF_LD | BPF_W | BPF_ABS, kIpv6Network);
    add_to_sum();
  }
  program.add(BPF_ALU | BPF_RSH | BPF_K, 16);
  program.add(BPF_ALU | BPF_MOD | BPF_K, workers);
}

}  // namespace

bool attach_listener_lanes(int fd, bool v4, std::uint16_t workers) noexcept {
  Program program;
  add_lane(program);
  if (workers > 1) {
    add_worker(program, v4, workers);
  } else {
    program.add(BPF_LD | BPF_IMM, 0);
  }
  program.add(BPF_ALU | BPF_MUL | BPF_K, kLanes);
  program.add(BPF_LDX | BPF_MEM, kLane);
  program.add(BPF_ALU | BPF_ADD | BPF_X);
  program.add(BPF_RET | BPF_A);
  const sock_fprog lines = program.get();
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &lines, sizeof lines) == 0;
}

}  // namespace turnpike::dataplane
