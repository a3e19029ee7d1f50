// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace freshet::record {

/// One fact about the work: a name and named values, flat, so that it is one JSON line at the
/// border.
struct Event {
  using Value = std::variant<bool, int64_t, double, std::string>;
  /// `snake_case`, from docs/events.md.
  std::string name;
  std::vector<std::pair<std::string, Value>> fields;
};

/// Where events and metrics leave the engine. Implementations are thread-safe and return at once.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void OnEvent(const Event& event) = 0;
};

/// Throws every event away; for tests.
class SilentObserver final : public Observer {
 public:
  void OnEvent(const Event&) override {}
};

}  // namespace freshet::record
