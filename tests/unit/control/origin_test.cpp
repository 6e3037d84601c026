// SPDX-License-Identifier: BSD-3-Clause
// One spelling for an ORIGIN.
#include "control/auth/origin.hpp"

#include <gtest/gtest.h>

namespace turnpike::control {
namespace {

TEST(Origin, canonical) {
  EXPECT_EQ(canonical_origin("https://Example.ORG"), "https://example.org:443");
  EXPECT_EQ(canonical_origin("HTTP://example.org/path?x"), "http://example.org:80");
  EXPECT_EQ(canonical_origin("https://example.org:8443"), "https://example.org:8443");
  EXPECT_EQ(canonical_origin("https://user@example.org:"), "https://example.org:443");
  EXPECT_EQ(canonical_origin("https://[2001:db8::1]"), "https://[2001:db8::1]:443");
  EXPECT_EQ(canonical_origin("https://[2001:DB8::1]:9"), "https://[2001:db8::1]:9");
  EXPECT_EQ(canonical_origin("app://thing"), "app://thing");
  for (const char* odd :
       {"", "null", "://x", "https://", "example.org", "x://a::", "x://:80", "x://[::1", "x://[::1]a:1"})
    EXPECT_EQ(canonical_origin(odd), odd);
}

}  // namespace
}  // namespace turnpike::control
