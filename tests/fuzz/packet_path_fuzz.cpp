// SPDX-License-Identifier: BSD-3-Clause
// The packet path as a whole: arbitrary frames into a worker that has an allocation, permissions and channels
// of both families. Input: records of {flags, length (2 bytes), frame}. Flags choose the port, whether
// checksums are repaired (so that fuzzing gets past them) and whether time passes. Properties: no sanitizer
// report, every buffer comes back, whatever leaves is a whole IP packet with a right header checksum.
#include "tests/fuzz/fuzz.hpp"
#include "tests/stages/stage_fixture.hpp"

namespace turnpike::test {
namespace {

class FuzzedRelay : public StageTest {
public:
  FuzzedRelay() {
    SetUp();
    facts();
  }
  void TestBody() override {}

  void run(Bytes input) {
    facts();
    while (input.size() >= 3) {
      const std::uint8_t flags = input[0];
      const std::size_t size =
          std::min<std::size_t>({wire::load_be16(input.data() + 1), input.size() - 3, 1900});
      ByteVector frame(input.begin() + 3, input.begin() + 3 + static_cast<std::ptrdiff_t>(size));
      input = input.subspan(3 + size);
      if ((flags & 2) != 0) repair(frame);
      if ((flags & 4) != 0) advance(flags >> 3);
      receive(frame, flags & 1);
      for (std::uint16_t port = 0; port < 2; ++port) {
        for (const ByteVector& out : sent(port)) check(out);
      }
      while (events_.pop(*event_) == shm::PopResult::kMessage) {
      }
    }
    advance(1000);  // every deadline has passed, and with the next facts all is as before
  }

private:
  void facts() {
    install_allocation();
    install_permission("10.0.2.2");
    command(shm::Command::kInstallPermission, permission("fd00:2::2", 1), ++seq_);
    command(shm::Command::kInstallPermission, permission("10.0.2.1", 2), ++seq_);
    install_channel("10.0.2.2:5000", 0x4001, 0);
    install_channel("[fd00:2::2]:5000", 0x4002, 1);
    shm::Challenge challenge;
    challenge.realm = {'x'};
    challenge.realm_size = 1;
    command(shm::Command::kSetChallenge, challenge);
    install_channel("10.0.2.1:50000", 0x4003, 2);  // the relayed address itself: a loop of one
  }
  // IPv4 header and UDP checksum of a frame that has room for them.
  static void repair(ByteVector& frame) {
    constexpr std::size_t kIp = 14;
    if (frame.size() < kIp + 28 || wire::load_be16(frame.data() + 12) != wire::kEtherTypeIpv4) return;
    std::uint8_t* ip = frame.data() + kIp;
    const std::size_t header = (ip[0] & 15) * 4u;
    if (header < 20 || kIp + header + 8 > frame.size()) return;
    wire::store_be16(ip + 10, 0);
    wire::store_be16(ip + 10, wire::ipv4_header_checksum(Bytes(ip, header)).host());
    if (ip[9] == wire::kProtocolUdp) wire::store_be16(ip + header + 6, 0);
  }
  static void check(const ByteVector& frame) {
    FUZZ_CHECK(frame.size() >= 14 + 20);
    std::size_t at = 12;
    while (wire::is_vlan_type(wire::load_be16(frame.data() + at))) at += 4;
    const std::uint8_t* ip = frame.data() + at + 2;
    const std::size_t size = frame.size() - at - 2;
    if (ip[0] == 0x45) {
      FUZZ_CHECK(wire::load_be16(ip + 2) == size);
      FUZZ_CHECK(wire::sum(Bytes(ip, 20)).fold() == 0xFFFF);
    } else {
      FUZZ_CHECK(ip[0] >> 4 == 6 && wire::load_be16(ip + 4) + 40u == size);
    }
  }
};

}  // namespace
}  // namespace turnpike::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static auto* relay = new turnpike::test::FuzzedRelay();  // EAL starts once and ends with the process
  relay->run({data, size});
  return 0;
}
