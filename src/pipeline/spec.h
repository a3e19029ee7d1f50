// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/status.h"
#include "pipeline/cursor_rules.h"
#include "pipeline/history_rules.h"
#include "pipeline/pattern.h"
#include "pipeline/table_rules.h"
#include "record/shape.h"

namespace freshet::pipeline {

/// One element of a specification's `objects`: a table, or all present and future tables of a
/// schema.
struct SpecObject {
  std::string source_catalog;  // empty: not said
  std::string source_schema;
  std::string source_table;                           // empty: the whole schema
  std::string destination_schema, destination_table;  // empty: as at the source
  bool operator==(const SpecObject&) const = default;
};

/// How long staged segments are kept.
struct StagingLimits {
  /// Those that every reader is past.
  std::chrono::seconds retention = limits::kStagingRetention;
  /// Those too that are not applied: beyond one of these they go regardless.
  std::chrono::seconds age_max = std::chrono::seconds::max();
  int64_t bytes_max = std::numeric_limits<int64_t>::max();
  bool operator==(const StagingLimits&) const = default;
};

/// What a pipeline ingests and where to, in memory: from flags and a specification file. A value.
struct PipelineSpec {
  std::vector<TablePattern> tables, excludes;
  std::vector<SpecObject> objects;
  std::string slot, publication;  // empty: ours, named from the destination
  std::string type_mapping;       // lossless, databricks; empty: as the destination was begun
  std::string profile;            // portable, full, classic; empty: likewise
  /// Capture by queries instead of from the log. The rules go to the workers among the source's
  /// parameters.
  bool query_based = false;
  std::vector<CursorRule> cursor_rules;
  std::vector<HistoryRule> history_rules;
  /// What becomes of tables that change at the source, and which of their columns are ingested. The
  /// columns' part goes to the workers among the source's parameters.
  std::vector<TableRule> table_rules;
  StagingLimits staging;
  /// How long tables that the log does not tell of rest before they are read again.
  std::chrono::seconds reread_interval = limits::kRereadInterval;
  /// Source catalogs that its settings are for; checked before any worker starts.
  std::vector<std::string> catalogs;
  /// Of one run: the tables that it brings up to date, as they are called at the source; empty: all
  /// that are ingested. The others are captured with them, and stay as they are.
  std::set<record::TableName> chosen;

  /// Whether the table is ingested: named by a pattern or an object (everything, when there are
  /// neither), and not excluded.
  bool Selects(const record::TableName& name) const;
  /// Whether this run brings the table up to date: it is ingested, and chosen if any is.
  bool Updates(const record::TableName& name) const;
  /// Whether the table is named in full, by a pattern without `*` or an object of its own.
  bool Names(const record::TableName& name) const;
  /// Where the table lands; a table's object comes before its schema's.
  record::TableName DestinationOf(const record::TableName& name) const;
  /// What the table keeps of its rows' past.
  apply::HistoryRules HistoryOf(const record::TableName& name) const;
  /// The properties that its Delta table is to have.
  std::map<std::string, std::string> PropertiesOf(const record::TableName& name) const;
  /// Return what was asked for and matches none of `names`: patterns as written, objects as
  /// `schema.table`; of a run for which tables were chosen, these.
  std::vector<std::string> Unmatched(const std::vector<record::TableName>& names) const;
};

/// The form in which a specification goes to a worker.
std::string ToJson(const PipelineSpec& spec);
/// Errors: INVALID_ARGUMENT.
Result<PipelineSpec> SpecFromJson(std::string_view text);

}  // namespace freshet::pipeline
