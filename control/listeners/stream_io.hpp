// SPDX-License-Identifier: BSD-3-Clause
// The raw bytes of one non-blocking connection: what the kernel gives and takes.
#pragma once

#include <openssl/bio.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace turnpike::control {

struct StreamIo {
  int fd = -1;
  std::vector<std::uint8_t> out;  // from out_at on: not yet sent
  std::size_t out_at = 0;
  unsigned reads_left = 0;  // calls of the kernel until somebody else has his turn; 0: "would block"

  // As recv() says it. After a call that did not fill its buffer the connection is taken to be empty: whoever
  // waits for it with a level-triggered epoll misses nothing, and saves the call that only says so.
  ssize_t receive(void* into, std::size_t size);

  // A BIO that reads by receive() and writes to the end of `out`, where there is always room. This object
  // must outlive it. Null: out of memory.
  BIO* make_bio();
};

}  // namespace turnpike::control
