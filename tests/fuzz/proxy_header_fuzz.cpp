// SPDX-License-Identifier: BSD-3-Clause
// PROXY headers, versions 1 and 2: what was decided from some bytes stays decided when more come, and less
// than the header decides nothing else.
#include <algorithm>

#include "control/listeners/proxy_protocol.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using namespace turnpike;
using control::ProxyHeader;
using control::ProxyStatus;

bool same(const ProxyHeader& left, const ProxyHeader& right) {
  return left.status == right.status && left.size == right.size && left.source == right.source &&
         left.destination == right.destination;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes(data, size);
  const ProxyHeader whole = control::parse_proxy_header(bytes);
  FUZZ_CHECK(whole.status != ProxyStatus::kNeedMore || size < control::kMaxProxyHeader);
  FUZZ_CHECK(whole.status == ProxyStatus::kDone
                 ? whole.size >= 8 && whole.size <= std::min(size, control::kMaxProxyHeader)
                 : !whole.source && !whole.destination);
  FUZZ_CHECK(whole.source.has_value() == whole.destination.has_value());
  ProxyHeader decided;
  for (std::size_t length = 0; length <= std::min(size, control::kMaxProxyHeader); ++length) {
    const ProxyHeader part = control::parse_proxy_header(bytes.first(length));
    FUZZ_CHECK(decided.status == ProxyStatus::kNeedMore || same(part, decided));
    decided = part;
  }
  FUZZ_CHECK(same(decided, whole));
  return 0;
}
