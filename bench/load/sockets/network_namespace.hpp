// SPDX-License-Identifier: BSD-3-Clause
// Work done in another network namespace.
#pragma once

#include <functional>
#include <string>

#include "common/base/result.hpp"

namespace turnpike::load {

// The calling thread is in the namespace for the time of `work`; a socket made meanwhile stays there for
// good. An empty name is the namespace the thread is in already.
Status in_namespace(const std::string& name, const std::function<Status()>& work);

}  // namespace turnpike::load
