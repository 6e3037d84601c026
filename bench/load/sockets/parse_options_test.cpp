// SPDX-License-Identifier: BSD-3-Clause
// What cannot be meant is refused, with the option's name; what each process sends follows from its role.
#include "bench/load/sockets/parse_options.hpp"

#include <gtest/gtest.h>

#include "bench/load/options.hpp"

namespace turnpike::load {
namespace {

Result<std::optional<Options>> parse_sockets(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), {"turnpike-load", "--sockets", "--rate", "100"});
  return parse_options(static_cast<int>(arguments.size()), arguments.data());
}

std::string complaint_about(const std::vector<const char*>& arguments) {
  const auto options = parse_sockets(arguments);
  return options ? "" : options.error().substr(0, options.error().find(':'));
}

TEST(SocketOptionsParser, names_what_it_does_not_understand) {
  const std::vector<std::pair<const char*, std::vector<const char*>>> cases{
      {"mode", {"--mode", "ramp"}},
      {"role", {"--role", "server"}},
      {"role", {"--role", "peer", "--mode", "soak"}},
      {"direction", {"--echo", "--direction", "both"}},
      {"transport", {"--transport", "sctp"}},
      {"transport", {"--mode", "invalid", "--transport", "tcp"}},
      {"receiver-threads", {"--sender-threads", "2", "--receiver-threads", "0"}},
      {"receiver-threads", {"--transport", "dtls", "--receiver-threads", "1"}},
      {"receiver-threads", {"--mode", "soak", "--receiver-threads", "1"}},
      {"receiver-threads", {"--role", "peer", "--direction", "both", "--receiver-threads", "1"}},
      {"peers-per-client", {"--peers-per-client", "4097"}},
      {"flood", {"--mode", "invalid", "--flood", "syn"}},
      {"even-port", {"--even-port", "--no-even-port"}},
      {"secret", {"--secret", "north", "--password", "hidden"}},
      {"refresh", {"--refresh", "300"}},
      {"sessions", {"--sessions", "300000", "--peers-per-client", "4"}},
  };
  for (const auto& [option, arguments] : cases) EXPECT_EQ(complaint_about(arguments), option);
}

TEST(SocketOptionsParser, each_role_sends_in_its_own_direction) {
  const auto directions = [](const char* role, const char* direction) {
    const auto options = parse_sockets({"--role", role, "--direction", direction});
    EXPECT_TRUE(options) << options.error();
    return sending_directions((*options)->sockets);
  };
  EXPECT_EQ(directions("both", "both"), (std::vector{kToPeer, kToClient}));
  EXPECT_EQ(directions("client", "both"), std::vector{kToPeer});
  EXPECT_EQ(directions("peer", "both"), std::vector{kToClient});
  EXPECT_TRUE(directions("client", "to-client").empty());
  EXPECT_TRUE(directions("peer", "to-peer").empty());
}

TEST(SocketOptionsParser, peers_of_another_process_stay_until_they_are_told_to_go) {
  EXPECT_EQ((*parse_sockets({"--role", "peer"}))->seconds, 0U);
  EXPECT_EQ((*parse_sockets({"--role", "peer", "--seconds", "7"}))->seconds, 7U);
  EXPECT_EQ((*parse_sockets({"--role", "client"}))->seconds, 10U);
}

TEST(SocketOptionsParser, rest_credentials_are_good_for_the_run) {
  const auto options = parse_sockets({"--secret", "north", "--user", "carol", "--seconds", "100000"});
  ASSERT_TRUE(options) << options.error();
  const std::string& user = (*options)->user;
  EXPECT_GT(std::stoll(user), std::time(nullptr) + 100'000);
  EXPECT_TRUE(user.ends_with(":carol"));
  EXPECT_EQ((*options)->password.size(), 28U);
}

}  // namespace
}  // namespace turnpike::load
