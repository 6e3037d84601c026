// SPDX-License-Identifier: BSD-3-Clause
// turnserver.conf to turnpike.conf: what we have is carried over, the rest becomes a comment that says why.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace turnpike::control {

struct Translation {
  std::string text;           // of the turnpike.conf
  std::size_t carried = 0;    // settings of coturn that have a line of ours
  std::size_t commented = 0;  // and those that have none
};

// Order and comments stay. Names go by the tables: an option that options.def has is carried over, one of
// foreign_options.def is commented with its text. Values are not judged here (acceptance.hpp).
Translation translate_turnserver_conf(std::string_view text);

}  // namespace turnpike::control
