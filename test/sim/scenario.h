// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "model/world.h"

namespace freshet::sim {

/// One thing that happens: at the source (always whole), or a run of a process (which may crash and
/// is then run again).
struct Step {
  enum class Kind : uint8_t { kSource, kCapture, kWish, kRefresh, kApply } kind = Kind::kSource;
  std::function<Status(model::World&)> happen;  // of kSource
};

using Scenario = std::vector<Step>;

/// A row of these texts; "?" is a value that is not sent.
model::Row Of(std::initializer_list<std::string> texts);

/// A keyed and a keyless table: snapshot in chunks with one abandoned half applied, changes of
/// every kind in several segments, a column added, three applies.
Scenario FixedScenario();
/// The same tables, read again while changes go on.
Scenario RefreshScenario();
/// The same tables: columns that are followed, columns and types that make them read again, one
/// that is made again.
Scenario ChangingTablesScenario();
/// A table that the log does not tell of: read again and again, with and without an apply in
/// between.
Scenario UnloggedScenario();
/// A table that keeps every version of its rows, and is read again in the middle.
Scenario HistoryScenario();
/// A table with these properties over so many commits that files, log and all are cleaned up: rows
/// and columns change, one is filled, files are rewritten, it changes names with another, and is
/// read again.
Scenario ProfileScenario(const std::map<std::string, std::string>& properties);
/// The properties of the profiles full and classic.
std::map<std::string, std::string> FullProperties();
std::map<std::string, std::string> ClassicProperties();
/// A table with columns that no change fills: added with a default, selected later, while rows
/// change.
Scenario FilledScenario();
/// The same while the tables are read again.
Scenario FilledAndRefreshedScenario();
/// Tables, transactions and steps drawn from a seed.
Scenario RandomScenario(uint64_t seed);

}  // namespace freshet::sim
