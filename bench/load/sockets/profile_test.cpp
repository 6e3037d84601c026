// SPDX-License-Identifier: BSD-3-Clause
// A profile is what its name promises, on the command line and in the messages.
#include "bench/load/sockets/profile.hpp"

#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "bench/load/options.hpp"
#include "bench/load/sockets/messages.hpp"

namespace turnpike::load {
namespace {

Result<std::optional<Options>> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), {"turnpike-load", "--sockets"});
  return parse_options(static_cast<int>(arguments.size()), arguments.data());
}

Options parsed(const std::vector<const char*>& arguments) {
  const auto options = parse(arguments);
  EXPECT_TRUE(options) << options.error();
  return options ? **options : Options{};
}

TEST(Profile, imix_is_seven_to_four_to_one) {
  std::map<unsigned, unsigned> counts;
  const auto imix = find_profile("imix");
  ASSERT_TRUE(imix);
  for (const auto size : imix->sizes) ++counts[size];
  EXPECT_EQ(counts, (std::map<unsigned, unsigned>{{64, 7}, {570, 4}, {1400, 1}}));
  const Options options = parsed({"--profile", "imix", "--rate", "5000"});
  EXPECT_EQ(options.rate, 5000U);
  EXPECT_EQ(options.payload, 1400U);
  EXPECT_EQ(options.burst, 32U);
}

TEST(Profile, g711_is_fifty_small_packets_a_second_for_each_call) {
  const Options options = parsed({"--profile", "g711", "--sessions", "30", "--direction", "both"});
  EXPECT_EQ(options.rate, 30U * 50 * 2);
  EXPECT_EQ(options.payload, 172U);
  EXPECT_EQ(options.burst, 1U);
  EXPECT_EQ(options.sockets.train, 1U);
}

TEST(Profile, video_is_thirty_frames_of_two_megabits) {
  const Options options = parsed({"--profile", "video", "--sessions", "10"});
  const Profile& video = options.sockets.profile;
  EXPECT_EQ(options.sockets.train, video.sizes.size());
  EXPECT_EQ(options.burst, options.sockets.train);
  EXPECT_EQ(options.rate, 10U * 30 * options.sockets.train);
  for (const auto size : video.sizes) EXPECT_TRUE(size >= 1100 && size <= 1200) << size;
  const auto frame = std::accumulate(video.sizes.begin(), video.sizes.end(), 0U);
  EXPECT_NEAR(frame * 8 * 30, 2e6, 1e5);
}

TEST(Profile, what_it_says_cannot_be_said_twice) {
  EXPECT_FALSE(parse({"--profile", "voice", "--rate", "1"}));
  EXPECT_FALSE(parse({"--profile", "imix", "--rate", "1", "--payload", "100"}));
  EXPECT_FALSE(parse({"--profile", "g711", "--rate", "1"}));
  EXPECT_FALSE(parse({"--profile", "video", "--train", "2"}));
  EXPECT_FALSE(parse({"--profile", "imix", "--rate", "1", "--transport", "tcp"}));  // 570 bytes
  EXPECT_FALSE(parse({"--profile", "imix"}));                                       // at which rate?
  EXPECT_TRUE(parse({"--profile", "g711", "--transport", "tcp"}));
}

TEST(Profile, messages_have_the_sizes_in_order_in_every_framing) {
  for (const bool indications : {false, true}) {
    Options options = parsed({"--profile", "imix", "--rate", "1", "--sessions", "3"});
    options.indications = indications;
    const auto sessions = make_sessions(options);
    const auto& sizes = options.sockets.profile.sizes;
    for (const Direction direction : {kToPeer, kToClient}) {
      const Messages messages(options, sessions, direction);
      std::vector<std::uint8_t> out(messages.largest());
      for (std::uint32_t sequence = 0; sequence < 2 * sizes.size(); ++sequence) {
        const Bytes expected = messages.payload(2, sequence);
        EXPECT_EQ(expected.size(), sizes[(2 + sequence) % sizes.size()]);
        const std::size_t size = messages.write(2, sequence, 7, out.data());
        const std::size_t begin = direction == kToPeer ? prefix_size(options) : 0;
        ASSERT_LE(begin + expected.size(), size);
        EXPECT_TRUE(std::equal(expected.begin() + sizeof(Stamp), expected.end(),
                               out.begin() + static_cast<std::ptrdiff_t>(begin + sizeof(Stamp))));
      }
    }
  }
}

}  // namespace
}  // namespace turnpike::load
