// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "client/api.h"

namespace freshet::client {

/// A column of a table: what stands above it, and the field that it shows (`a.b.0`: within).
struct Column {
  std::string title, field;
};

/// Return a value as people read it, on one line: `-` where there is none, times as times.
std::string Shown(std::string_view field, const Json* value);

/// Return rows under their columns' titles, each as wide as it has to be.
std::string TableText(const std::vector<Column>& columns, const std::vector<const Json*>& rows);
/// Return one object, a field a line. Without columns: all of its fields.
std::string FieldsText(const std::vector<Column>& columns, const Json& object);

/// Return JSON as it is printed.
std::string PrintedJson(const Json& json);

}  // namespace freshet::client
