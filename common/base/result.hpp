// SPDX-License-Identifier: BSD-3-Clause
// Result<T>: a value, or one line of text for the operator (what is wrong, and what mends it).
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace turnpike {

struct Error {
  std::string text;  // one line; names the option or object, its value and the remedy
};

template <typename T>
class [[nodiscard]] Result {
public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design

  explicit operator bool() const { return state_.index() == 0; }
  T& operator*() { return std::get<0>(state_); }
  const T& operator*() const { return std::get<0>(state_); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  const std::string& error() const { return std::get<1>(state_).text; }

private:
  std::variant<T, Error> state_;
};

struct Unit {};
using Status = Result<Unit>;

}  // namespace turnpike
