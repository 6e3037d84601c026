// SPDX-License-Identifier: BSD-3-Clause
// Where the TLS of a connection writes: to the end of a queue of bytes.
#pragma once

#include <openssl/bio.h>

#include <cstdint>
#include <vector>

namespace turnpike::control {

// The queue must live as long as the BIO. Null: out of memory.
BIO* make_queue_bio(std::vector<std::uint8_t>& queue);

}  // namespace turnpike::control
