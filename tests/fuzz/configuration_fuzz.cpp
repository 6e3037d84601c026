// SPDX-License-Identifier: BSD-3-Clause
// A configuration file, ours or coturn's: it is taken or refused with a reason, by either program. What was
// made of coturn's is text of ours: no line of it is unknown.
#include <string>
#include <string_view>

#include "common/config/options.hpp"
#include "control/coturn/translation.hpp"
#include "control/crypto/openssl_crypto.hpp"
#include "control/options.hpp"
#include "dataplane/options.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using namespace turnpike;

// Files that a configuration names would be read; those of this machine are not the fuzzer's.
bool names_files(std::string_view text) { return text.find('/') != std::string_view::npos; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static auto* const crypto = new control::OpensslCrypto;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto options = config::Options::parse_text(text, "fuzz");
  FUZZ_CHECK(options || !options.error().empty());
  if (options && !names_files(text)) {
    const auto control = control::ControlOptions::read(*options, *crypto);
    FUZZ_CHECK(control || !control.error().empty());
    const auto dataplane = dataplane::start_options(*options);
    FUZZ_CHECK(dataplane || !dataplane.error().empty());
  }
  const auto translation = control::translate_turnserver_conf(text);
  const auto translated = config::Options::parse_text(translation.text, "fuzz");
  FUZZ_CHECK(translated || !translated.error().ends_with(": unknown option; see --help"));
  return 0;
}
