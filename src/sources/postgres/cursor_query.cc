// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/cursor_query.h"

#include <fmt/ranges.h>

#include "sources/postgres/connection.h"

namespace freshet::sources::postgres {
namespace {

/// The server compares transaction numbers modulo 2^32: what is further apart is not told apart.
constexpr uint64_t kComparable = uint64_t{1} << 31U;

std::vector<std::string> Names(const CursorPlan& plan) {
  std::vector<std::string> names;
  for (const auto& column : plan.cursor) names.push_back(QuoteIdentifier(column.name));
  return names;
}

std::string Value(const CursorColumn& column, const std::string& text) {
  return fmt::format("CAST({} AS {})", QuoteLiteral(text), column.type_name);
}

std::string AtOrAbove(const CursorPlan& plan, const CursorMark& mark) {
  const CursorColumn& first = plan.cursor[0];
  std::string name = QuoteIdentifier(first.name), value = Value(first, mark[0]);
  // What lies below in the leading column may be anything in the others.
  switch (first.unit) {
    case CursorUnit::kSeconds:
      return fmt::format("{} >= {} - interval '{} s'", name, value, plan.window);
    case CursorUnit::kDays:
    case CursorUnit::kNumber:
      return fmt::format("{} >= {} - {}", name, value, plan.window);
    case CursorUnit::kNone:
      break;
  }
  std::vector<std::string> values;
  for (size_t i = 0; i < plan.cursor.size(); ++i) values.push_back(Value(plan.cursor[i], mark[i]));
  return fmt::format("({}) >= ({})", fmt::join(Names(plan), ", "), fmt::join(values, ", "));
}

}  // namespace

CursorPlan PlanOf(const CursorRule& rule, std::vector<CursorColumn> cursor, bool has_transactions) {
  CursorPlan plan{.cursor = std::move(cursor),
                  .deletion_condition = rule.deletion_condition,
                  .by_transaction = has_transactions && rule.window < 0};
  constexpr int64_t kSecondsDefault = 600, kSecondsPerDay = 86400, kNumberDefault = 1000;
  switch (plan.cursor[0].unit) {
    case CursorUnit::kSeconds:
      plan.window = rule.window < 0 ? kSecondsDefault : rule.window;
      break;
    case CursorUnit::kDays:
      plan.window = rule.window < 0 ? 1 : (rule.window + kSecondsPerDay - 1) / kSecondsPerDay;
      break;
    case CursorUnit::kNumber:
      plan.window = rule.window < 0 ? kNumberDefault : rule.window;
      break;
    case CursorUnit::kNone:
      break;
  }
  // Late commits are told by their transaction: the window would only read rows again.
  if (plan.by_transaction) plan.window = 0;
  return plan;
}

std::string ChangedCondition(const CursorPlan& plan, const std::optional<CursorMark>& mark,
                             const std::optional<ReadMoment>& before, const ReadMoment& now) {
  if (plan.by_transaction) {
    // A history that was left may have given the same numbers to other transactions.
    if (!before || before->timeline != now.timeline || now.xmax - before->xmin >= kComparable)
      return "true";
    // A row's transaction is the low half of its number; subtransactions come after their parent's
    // and are no less than the oldest one running. The frozen of old servers are 2.
    return fmt::format("((xmin::text::int8 - {}) & 4294967295) < 2147483648 AND xmin::text <> '2'",
                       before->xmin & 0xFFFFFFFFU);
  }
  if (!mark) return "true";
  std::vector<std::string> nulls;
  for (const auto& name : Names(plan)) nulls.push_back(name + " IS NULL");
  return fmt::format("({} OR {})", AtOrAbove(plan, *mark), fmt::join(nulls, " OR "));
}

std::string MarkQuery(const CursorPlan& plan, const std::string& from) {
  std::vector<std::string> texts, order, conditions;
  for (const auto& column : plan.cursor) {
    std::string name = QuoteIdentifier(column.name);
    // Not under the column's own name: ORDER BY would take the text for the column.
    texts.push_back(fmt::format("{}::text AS __freshet_{}", name, texts.size()));
    order.push_back(name + " DESC");
    conditions.push_back(name + " IS NOT NULL");
    if (column.may_be_endless) {
      conditions.push_back(column.unit == CursorUnit::kNumber
                               ? fmt::format("{0}::text <> 'NaN' AND {0}::text <> 'Infinity'", name)
                               : fmt::format("isfinite({})", name));
    }
    if (column.is_clock) conditions.push_back(name + " <= clock_timestamp()");
  }
  return fmt::format("SELECT {} FROM {} WHERE {} ORDER BY {} LIMIT 1", fmt::join(texts, ", "), from,
                     fmt::join(conditions, " AND "), fmt::join(order, ", "));
}

std::string AliveCondition(const std::string& deletion_condition) {
  if (deletion_condition.empty()) return "";
  // The line ends, so that a comment does too.
  return fmt::format("NOT coalesce(({}\n), false)", deletion_condition);
}

}  // namespace freshet::sources::postgres
