// SPDX-License-Identifier: BSD-3-Clause
// Stream framing: however a stream is cut into reads, the messages, the end and the bytes left over are the
// same. Input: one byte for the size limit, one that seeds the chunk sizes, then the stream.
#include <algorithm>
#include <vector>

#include "common/stun/channel_data.hpp"
#include "common/stun/stream_framer.hpp"
#include "common/wire/endian.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using namespace turnpike;
using namespace turnpike::stun;

using Buffer = std::vector<std::uint8_t>;

struct Outcome {
  std::vector<Buffer> messages;
  FrameStatus end = FrameStatus::kNeedMore;
  std::size_t buffered = 0;  // of a stream that is still in step
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

void check_message(Bytes message, std::size_t limit) {
  FUZZ_CHECK(message.size() >= 4 && message.size() <= limit && message.size() % 4 == 0);
  const std::size_t length = wire::load_be16(message.data() + 2);
  if (message[0] < 0x40) {
    FUZZ_CHECK(message.size() == kHeaderSize + length && wire::load_be32(message.data() + 4) == kMagicCookie);
  } else {
    const auto view = parse_channel_data(message);
    FUZZ_CHECK(view && view->data.size() == length && message.size() == 4 + padded_size(length));
  }
}

// seed 0: everything in one piece.
Outcome run(Bytes stream, std::size_t limit, unsigned seed) {
  StreamFramer framer(limit);
  Outcome outcome;
  do {
    seed = seed * 1103515245 + 12345;
    const std::size_t wanted = seed == 12345 ? stream.size() : 1 + (seed >> 16) % 37;
    const Buffer chunk(stream.begin(),
                       stream.begin() + static_cast<std::ptrdiff_t>(std::min(wanted, stream.size())));
    stream = stream.subspan(chunk.size());
    Bytes input(chunk);
    Bytes message;
    while ((outcome.end = framer.next(input, message)) == FrameStatus::kMessage) {
      check_message(message, limit);
      outcome.messages.emplace_back(message.begin(), message.end());
    }
    FUZZ_CHECK(framer.buffered() <= limit + 8);
    if (outcome.end != FrameStatus::kNeedMore) return outcome;
    FUZZ_CHECK(input.empty());
  } while (!stream.empty());
  outcome.buffered = framer.buffered();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t limit = data[0] == 0 ? StreamFramer::kLargestMessage : data[0] * std::size_t{8};
  const Bytes stream(data + 2, size - 2);
  const Outcome whole = run(stream, limit, 0);
  std::size_t total = whole.buffered;
  for (const auto& message : whole.messages) total += message.size();
  FUZZ_CHECK(whole.end != FrameStatus::kNeedMore || total == stream.size());
  FUZZ_CHECK(run(stream, limit, 1U + data[1]) == whole);
  return 0;
}
