// SPDX-License-Identifier: BSD-3-Clause
// The two lists as one.
#include "common/config/client_filter.hpp"

#include <utility>

namespace turnpike::config {

Result<wire::AddressFilter> client_filter(const Options& options) {
  std::vector<wire::AddressFilter::Rule> rules;
  for (const auto& [name, denied] :
       {std::pair{OptionName("denied-client-ip"), true}, std::pair{OptionName("allowed-client-ip"), false}}) {
    for (const std::string& text : options.list(name)) {
      const auto range = wire::AddressRange::parse(text);
      if (!range) {
        return Error{std::string(kOptionTable[name.index].name) + "=" + text + ": " + range.error()};
      }
      rules.push_back({*range, denied});
    }
  }
  return wire::AddressFilter(rules);
}

}  // namespace turnpike::config
