// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apply/versions.h"
#include "delta/table.h"
#include "record/field_ids.h"
#include "record/shape.h"

namespace freshet::apply {

/// What a table keeps of its rows' past.
enum class ScdType : uint8_t {
  kType1,      // nothing: each row as it is
  kType2,      // every version, with the time from which and until which it was in force
  kAppendOnly  // every state, one row each; nothing is taken back
};

/// The API's name of it: SCD_TYPE_1 …
std::string_view NameOf(ScdType type);
std::optional<ScdType> ScdTypeOf(std::string_view name);

/// What a pipeline asks of a table.
struct HistoryRules {
  ScdType scd_type = ScdType::kType1;
  std::vector<std::string> sequence_by = {};  // columns; empty: the order of commits
  bool soft_delete = false;                   // a deleted row stays, and says when it was deleted
  bool operator==(const HistoryRules&) const = default;

  /// Whether rows are only written over and removed, in the order of commits.
  bool plain() const { return scd_type == ScdType::kType1 && sequence_by.empty() && !soft_delete; }
};

/// The same as a table's mark has it.
struct HistoryMark {
  ScdType scd_type = ScdType::kType1;
  std::vector<record::ColumnId> sequence_by = {};
  bool soft_delete = false;
  bool operator==(const HistoryMark&) const = default;

  bool plain() const { return *this == HistoryMark{}; }
  std::string ToText() const;
  /// Nothing: not readable. No text at all is a table from before there was history.
  static std::optional<HistoryMark> FromText(std::string_view text);
};

/// The columns that are ours, behind the source's; their ids are ones that no source gives.
inline constexpr std::string_view kStartColumn = "__START_AT", kEndColumn = "__END_AT",
                                  kDeletedColumn = "__DELETED_AT";
inline const record::ColumnId kStartId{record::kNestedColumnIdMax - 1},
    kEndId{record::kNestedColumnIdMax - 2}, kDeletedId{record::kNestedColumnIdMax - 3};

/// Where the columns are that history goes by, by ordinal.
struct HistoryForm {
  ScdType scd_type = ScdType::kType1;
  bool soft_delete = false;
  std::vector<int> sequence;  // the source's columns that order versions; empty: commits do
  int start = -1, end = -1;   // when a row began, and ended or was deleted; -1: no such column

  bool keeps_versions() const { return scd_type == ScdType::kType2; }
  bool appends() const { return scd_type == ScdType::kAppendOnly; }
  bool plain() const { return scd_type == ScdType::kType1 && sequence.empty() && !soft_delete; }
  VersionOrder order() const {
    return sequence.empty() ? VersionOrder::kCommits : VersionOrder::kSequences;
  }
  /// Errors: POSITION_LOST (a column is not there).
  static Result<HistoryForm> Of(const HistoryMark& mark, const std::vector<delta::Column>& columns);
};

/// Say what is asked for in terms of a table's columns.
/// Errors: HISTORY_NEEDS_KEY, SEQUENCE_COLUMN_UNSUITABLE.
Result<HistoryMark> MarkHistory(const HistoryRules& rules,
                                const std::vector<delta::Column>& columns, bool keyless,
                                bool logged);

/// Add the columns that the mark asks for, or put them last again. REQUIRES: the columns of
/// `sequence_by` are there. Errors: COLUMN_NAME_CONFLICT.
Status AddHistoryColumns(const HistoryMark& mark, std::vector<delta::Column>* columns);

/// Check that a table of one mode can go on in another, and whether its rows have to be written
/// again for that. Errors: HISTORY_MODE_CHANGED.
Result<bool> RewritesOnSwitch(const HistoryMark& from, const HistoryMark& to);

}  // namespace freshet::apply
