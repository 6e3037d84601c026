// SPDX-License-Identifier: BSD-3-Clause
// What goes on beside the media on the same port.
#pragma once

#include "common/base/types.hpp"

namespace turnpike::load {

class Beside {
public:
  virtual ~Beside() = default;
  // Whether frames of any size may be for it, responses for example.
  virtual bool expects() const = 0;
  // Whether this frame is for it, and no media. Only asked about odd sizes unless it expects().
  virtual bool take(Bytes frame) = 0;
  // About once a millisecond.
  virtual void tick() = 0;
};

}  // namespace turnpike::load
