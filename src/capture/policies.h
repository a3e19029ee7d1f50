// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

#include "record/shape.h"

namespace freshet::capture {

/// What becomes of a table whose columns or key change at the source.
enum class OnSchemaChange : uint8_t {
  kEvolve,  // it takes them; where its changes do not tell how, it is read again
  kPause,   // it waits, and says so; the others go on
  kIgnore,  // it keeps its columns: new ones are not taken, those that went are NULL
};

/// What a user says of tables, by name. A value; its functions are thread-safe.
struct TablePolicies {
  /// Null: kEvolve.
  std::function<OnSchemaChange(const record::TableName&)> on_schema_change;
  /// How long after its last snapshot a table that lost changes is read again by itself; nothing:
  /// it is not. Null: none is.
  std::function<std::optional<std::chrono::hours>(const record::TableName&)> refresh_lost;
};

}  // namespace freshet::capture
