// SPDX-License-Identifier: BSD-3-Clause
// Words separated by blanks.
#include "common/shm/abi_line.hpp"

#include <sstream>

namespace turnpike::shm {

std::string to_text(const AbiLine& line) {
  return line.program + " " + line.version + " abi " + std::to_string(line.abi) + " ledger " +
         std::to_string(line.ledger);
}

std::optional<AbiLine> parse_abi_line(std::string_view text) {
  std::istringstream words{std::string(text.substr(0, text.find('\n')))};
  AbiLine line;
  std::string abi;
  std::string ledger;
  if (!(words >> line.program >> line.version >> abi >> line.abi >> ledger >> line.ledger))
    return std::nullopt;
  const bool ours = line.program == "turnpike-dataplane" || line.program == "turnpike-control";
  if (!ours || abi != "abi" || ledger != "ledger") return std::nullopt;
  return line;
}

}  // namespace turnpike::shm
