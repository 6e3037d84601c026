// SPDX-License-Identifier: BSD-3-Clause
// What clients write into USERNAME and ORIGIN, and what databases hold as keys.
#include <algorithm>
#include <string>
#include <string_view>

#include "control/auth/ephemeral.hpp"
#include "control/auth/origin.hpp"
#include "control/auth/user_name.hpp"
#include "control/store/key_text.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using namespace turnpike;

bool lies_in(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

bool same_digits(char left, char right) {
  return left == (right >= 'A' && right <= 'F' ? right + ('a' - 'A') : right);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (control::is_user_name(text)) FUZZ_CHECK(size >= 1 && size <= 508);
  for (const char separator : {':', '_'}) {
    if (const auto name = control::parse_ephemeral(text, separator)) {
      FUZZ_CHECK(name->expires >= 0 && lies_in(name->account, text));
    }
  }
  const std::string origin = control::canonical_origin(text);
  FUZZ_CHECK(control::canonical_origin(origin) == origin);
  if (const auto keys = control::parse_key_text(text)) {
    const std::string written = control::key_text(*keys);
    FUZZ_CHECK(written.size() <= size &&
               std::equal(written.begin(), written.end(), text.begin(), same_digits));
  }
  return 0;
}
