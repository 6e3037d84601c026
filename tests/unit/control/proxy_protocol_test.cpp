// SPDX-License-Identifier: BSD-3-Clause
// PROXY headers: whole, in pieces, and wrong ones.
#include "control/listeners/proxy_protocol.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace turnpike::control {
namespace {

ProxyHeader parse(std::string_view text) {
  return parse_proxy_header({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

std::string v2(unsigned char command, unsigned char family, std::string_view addresses) {
  std::string text;
  text.reserve(16 + addresses.size());
  text.append("\r\n\r\n\0\r\nQUIT\n", 12);
  text.push_back(static_cast<char>(command));
  text.push_back(static_cast<char>(family));
  text.push_back(static_cast<char>(addresses.size() >> 8));
  text.push_back(static_cast<char>(addresses.size()));
  text.append(addresses);
  return text;
}

constexpr std::string_view kV4("\xC0\x00\x02\x07\x0A\x00\x01\x01\x0F\xA0\x0D\x96", 12);
constexpr std::string_view kV4AndMore("\xC0\x00\x02\x07\x0A\x00\x01\x01\x0F\xA0\x0D\x96more", 16);

TEST(ProxyProtocol, version_1) {
  const std::string text = "PROXY TCP4 192.0.2.7 10.0.1.1 4000 3478\r\n";
  const ProxyHeader header = parse(text + "rest");
  ASSERT_EQ(header.status, ProxyStatus::kDone);
  EXPECT_EQ(header.size, text.size());
  EXPECT_EQ(wire::to_string(header.source.value()), "192.0.2.7:4000");
  EXPECT_EQ(wire::to_string(header.destination.value()), "10.0.1.1:3478");
  const ProxyHeader six = parse("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n");
  EXPECT_EQ(wire::to_string(six.source.value()), "[2001:db8::1]:1");
  const ProxyHeader unknown = parse("PROXY UNKNOWN whatever it says\r\n");
  EXPECT_EQ(unknown.status, ProxyStatus::kDone);
  EXPECT_FALSE(unknown.source);
}

TEST(ProxyProtocol, version_2) {
  const std::string text = v2(0x21, 0x11, kV4AndMore);
  const ProxyHeader header = parse(text + "rest");
  ASSERT_EQ(header.status, ProxyStatus::kDone);
  EXPECT_EQ(header.size, text.size());
  EXPECT_EQ(wire::to_string(header.source.value()), "192.0.2.7:4000");
  EXPECT_EQ(wire::to_string(header.destination.value()), "10.0.1.1:3478");
  const std::string six(36, '\x01');
  EXPECT_EQ(wire::to_string(parse(v2(0x21, 0x21, six)).source.value()),
            "[101:101:101:101:101:101:101:101]:257");
  const ProxyHeader local = parse(v2(0x20, 0x00, ""));
  EXPECT_EQ(local.status, ProxyStatus::kDone);
  EXPECT_FALSE(local.source);
}

TEST(ProxyProtocol, pieces_are_waited_for) {
  for (const std::string& text :
       {std::string("PROXY TCP4 192.0.2.7 10.0.1.1 4000 3478\r\n"), v2(0x21, 0x11, kV4)}) {
    for (std::size_t size = 0; size < text.size(); ++size) {
      EXPECT_EQ(parse(text.substr(0, size)).status, ProxyStatus::kNeedMore) << size;
    }
  }
}

TEST(ProxyProtocol, wrong_ones) {
  for (const char* text :
       {"GET / HTTP/1.1\r\n", "PROXY UDP4 192.0.2.7 10.0.1.1 4000 3478\r\n",
        "PROXY TCP4 192.0.2.7 10.0.1.1 4000\r\n", "PROXY TCP4 192.0.2.7 10.0.1.1 4000 66000\r\n",
        "PROXY TCP4 2001:db8::1 10.0.1.1 4000 3478\r\n", "PROXY TCP4 192.0.2.7 10.0.1.1 4000 3478 x\r\n",
        "\x01"}) {
    EXPECT_EQ(parse(text).status, ProxyStatus::kInvalid) << text;
  }
  EXPECT_EQ(parse("PROXY " + std::string(200, 'x')).status, ProxyStatus::kInvalid);
  EXPECT_EQ(parse(v2(0x11, 0x11, kV4)).status, ProxyStatus::kInvalid) << "version";
  EXPECT_EQ(parse(v2(0x22, 0x11, kV4)).status, ProxyStatus::kInvalid) << "command";
  EXPECT_EQ(parse(v2(0x21, 0x11, "short")).status, ProxyStatus::kInvalid);
  EXPECT_EQ(parse(v2(0x21, 0x11, std::string(1000, 'x'))).status, ProxyStatus::kInvalid) << "too long";
}

}  // namespace
}  // namespace turnpike::control
