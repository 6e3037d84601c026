// SPDX-License-Identifier: BSD-3-Clause
// rtnetlink messages: the first byte says which kind, the rest is what lies behind the header.
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cstring>
#include <vector>

#include "control/netlink/parse.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using namespace turnpike::control;

constexpr std::array kTypes{RTM_NEWLINK,  RTM_DELLINK,  RTM_NEWADDR,  RTM_DELADDR,
                            RTM_NEWNEIGH, RTM_DELNEIGH, RTM_NEWROUTE, RTM_DELROUTE};

bool is_address(const IpAddress& address) { return address.is_v4() || address.is_v6(); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // As large as its header says, as the kernel's are; on the heap, where one byte too many is seen.
  std::vector<std::uint8_t> bytes(sizeof(nlmsghdr) + size - 1);
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(bytes.size());
  header.nlmsg_type = kTypes[data[0] % kTypes.size()];
  std::memcpy(bytes.data(), &header, sizeof header);
  if (size > 1) std::memcpy(bytes.data() + sizeof header, data + 1, size - 1);
  const auto* message = reinterpret_cast<const nlmsghdr*>(bytes.data());

  const auto link = netlink::parse_link(message);
  FUZZ_CHECK(!link || link->ifindex != 0);
  const auto address = netlink::parse_address(message);
  FUZZ_CHECK(!address ||
             (is_address(address->address) && address->prefix_length <= 8 * address->address.size()));
  const auto neighbour = netlink::parse_neighbour(message);
  FUZZ_CHECK(!neighbour || is_address(neighbour->address));
  const auto route = netlink::parse_route(message);
  FUZZ_CHECK(link.has_value() + address.has_value() + neighbour.has_value() + route.has_value() <= 1);
  return 0;
}
