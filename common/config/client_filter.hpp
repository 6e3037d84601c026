// SPDX-License-Identifier: BSD-3-Clause
// denied-client-ip and allowed-client-ip, which both programs obey.
#pragma once

#include "common/config/options.hpp"
#include "common/wire/address_filter.hpp"

namespace turnpike::config {

Result<wire::AddressFilter> client_filter(const Options& options);

}  // namespace turnpike::config
