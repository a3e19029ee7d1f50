// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <utility>

namespace freshet {

/// A value that only fits where its kind is asked for: no implicit conversion in or out.
template <typename Tag, typename T>
class StrongId {
 public:
  StrongId() = default;
  explicit StrongId(T value) : value_(std::move(value)) {}
  const T& value() const { return value_; }
  auto operator<=>(const StrongId&) const = default;

 private:
  T value_{};
};

}  // namespace freshet

template <typename Tag, typename T>
struct std::hash<freshet::StrongId<Tag, T>> {
  size_t operator()(const freshet::StrongId<Tag, T>& id) const {
    return std::hash<T>{}(id.value());
  }
};
