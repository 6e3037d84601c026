// SPDX-License-Identifier: BSD-3-Clause
// How the clients' requests leave and responses come in.
#pragma once

#include <functional>

#include "common/base/result.hpp"
#include "common/base/types.hpp"

namespace turnpike::load {

class RequestPath {
public:
  using Take = std::function<void(std::uint32_t session, Bytes message)>;

  virtual ~RequestPath() = default;
  // A full buffer loses the message like any network would: no error, it is repeated.
  virtual Status send(std::uint32_t session, Bytes message) = 0;
  // What the server sent to clients since; a moment is waited when there is nothing.
  virtual void receive(const Take& take) = 0;
  // The session has no request under way any more.
  virtual void rest(std::uint32_t session) { static_cast<void>(session); }
};

}  // namespace turnpike::load
