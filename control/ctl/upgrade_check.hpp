// SPDX-License-Identifier: BSD-3-Clause
// turnpikectl upgrade-check: may a binary take the place of its running counterpart?
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "common/base/result.hpp"
#include "common/shm/abi_line.hpp"

namespace turnpike::ctl {

// Runs `binary` --abi. The error says what is wrong with the file.
Result<shm::AbiLine> ask_binary(const std::string& binary);

struct UpgradeVerdict {
  bool in_place = false;
  std::string text;  // one line
};
// `status`: the running control's answer; nothing: none runs, our own release stands for it.
UpgradeVerdict judge_upgrade(const std::string& binary, const shm::AbiLine& found,
                             const std::optional<nlohmann::ordered_json>& status);

}  // namespace turnpike::ctl
