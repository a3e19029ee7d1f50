// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sources/postgres/cursor_rule.h"

namespace freshet::sources::postgres {

/// What the distance between two values of a cursor column is measured in.
enum class CursorUnit : uint8_t { kNone, kNumber, kDays, kSeconds };

/// One cursor column, for SQL.
struct CursorColumn {
  std::string name;       // not quoted
  std::string type_name;  // as the server prints it
  CursorUnit unit = CursorUnit::kNone;
  bool may_be_endless = false;  // has infinity or NaN, which are above all other values
  bool is_clock = false;        // a moment: what lies in the future is no mark
};

/// What reading a table's changes takes. A value; all SQL is made of it alone.
struct CursorPlan {
  std::vector<CursorColumn> cursor;
  std::string deletion_condition;
  int64_t window = 0;  // in the leading column's unit
  /// Whether rows tell which transaction wrote them, and that is used.
  bool by_transaction = false;
};

/// The moment of a read: which transactions it saw.
struct ReadMoment {
  uint64_t xmin = 0;  // every transaction below it was over: 64 bits, with the epoch
  uint64_t xmax = 0;  // none from it on had begun to write
  uint32_t timeline = 0;
};

/// The highest values of the cursor columns that a read saw, as the server prints them.
using CursorMark = std::vector<std::string>;

/// Decide what is read anew. Windows: as the rule says, else 10 minutes of a time, 1 day of a date,
/// 1000 of a number, 0 of anything else.
CursorPlan PlanOf(const CursorRule& rule, std::vector<CursorColumn> cursor, bool has_transactions);

/// Return the SQL condition of the rows that may have changed between two reads: those at or above
/// the mark less the window, those without a cursor, and, where rows tell it, those written by a
/// transaction that the former read did not see the end of. No mark: nothing was there, or it is
/// not known; without a former moment either every row may have changed.
std::string ChangedCondition(const CursorPlan& plan, const std::optional<CursorMark>& mark,
                             const std::optional<ReadMoment>& before, const ReadMoment& now);

/// Return the query of the highest cursor in `from` (a quoted name, maybe with ONLY): one row of
/// texts, or none.
std::string MarkQuery(const CursorPlan& plan, const std::string& from);

/// Return the SQL condition of rows that are there, and not marked as deleted; empty: all.
std::string AliveCondition(const std::string& deletion_condition);

}  // namespace freshet::sources::postgres
