// SPDX-License-Identifier: BSD-3-Clause
// ChannelData: what is read must lie inside the datagram and be written back the same, padded or not.
#include <algorithm>
#include <vector>

#include "common/stun/channel_data.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace turnpike;
using namespace turnpike::stun;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes datagram(data, size);
  const auto view = parse_channel_data(datagram);
  const bool whole = size >= 4 && size - 4 >= wire::load_be16(data + 2);
  FUZZ_CHECK(view.has_value() == whole);
  if (!view) return 0;
  FUZZ_CHECK(view->data.data() == data + 4 && view->data.size() <= size - 4);
  for (const ChannelPadding padding : {ChannelPadding::kNone, ChannelPadding::kStream}) {
    std::vector<std::uint8_t> room(4 + view->data.size() + 3);
    const Bytes written = write_channel_data(room, view->channel, view->data, padding);
    FUZZ_CHECK(written.size() ==
               4 + (padding == ChannelPadding::kNone ? view->data.size() : padded_size(view->data.size())));
    const auto again = parse_channel_data(written);
    FUZZ_CHECK(again && again->channel == view->channel);
    FUZZ_CHECK(std::equal(again->data.begin(), again->data.end(), view->data.begin(), view->data.end()));
  }
  return 0;
}
