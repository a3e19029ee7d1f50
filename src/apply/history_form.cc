// SPDX-License-Identifier: Apache-2.0
#include "apply/history_form.h"

#include <algorithm>
#include <charconv>

namespace freshet::apply {
namespace {

constexpr std::string_view kBy = " by ", kSoft = " soft";

bool IsOurs(const delta::Column& column) {
  return column.id == kStartId || column.id == kEndId || column.id == kDeletedId;
}

/// For people.
std::string Described(const HistoryMark& mark) {
  return fmt::format("{}{}{}", NameOf(mark.scd_type),
                     mark.sequence_by.empty() ? "" : " with sequence_by",
                     mark.soft_delete ? " with soft_delete" : "");
}

bool SameButForCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

const delta::Column& ColumnOf(const std::vector<delta::Column>& columns, record::ColumnId id) {
  auto found = std::ranges::find(columns, id, &delta::Column::id);
  FRESHET_ASSERT(found != columns.end());
  return *found;
}

/// The type of the moments between which a version is in force.
std::shared_ptr<arrow::DataType> MomentType(const HistoryMark& mark,
                                            const std::vector<delta::Column>& columns) {
  if (mark.sequence_by.empty()) return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  if (mark.sequence_by.size() == 1) return ColumnOf(columns, mark.sequence_by[0]).type;
  arrow::FieldVector fields;
  for (const auto& id : mark.sequence_by) {
    const auto& column = ColumnOf(columns, id);
    fields.push_back(arrow::field(column.name, column.type));
  }
  return arrow::struct_(fields);
}

Status AddColumn(std::string_view name, record::ColumnId id, std::shared_ptr<arrow::DataType> type,
                 std::vector<delta::Column>* columns) {
  for (const auto& column : *columns) {
    if (!SameButForCase(column.name, name)) continue;
    return Error(ErrorClass::COLUMN_NAME_CONFLICT,
                 "the source has a column {}, which the table's history needs", column.name)
        .WithRemedy("Rename the column, or leave this table at SCD_TYPE_1 without soft_delete.");
  }
  delta::Column column;
  column.name = column.physical = std::string(name);
  column.id = id;
  column.type = std::move(type);
  columns->push_back(std::move(column));
  return Status::Ok();
}

}  // namespace

std::string_view NameOf(ScdType type) {
  switch (type) {
    case ScdType::kType2:
      return "SCD_TYPE_2";
    case ScdType::kAppendOnly:
      return "APPEND_ONLY";
    default:
      return "SCD_TYPE_1";
  }
}

std::optional<ScdType> ScdTypeOf(std::string_view name) {
  for (auto type : {ScdType::kType1, ScdType::kType2, ScdType::kAppendOnly}) {
    if (NameOf(type) == name) return type;
  }
  return std::nullopt;
}

std::string HistoryMark::ToText() const {
  std::string text(NameOf(scd_type));
  for (size_t i = 0; i < sequence_by.size(); ++i)
    text += fmt::format("{}{}", i == 0 ? kBy : ",", sequence_by[i].value());
  if (soft_delete) text += kSoft;
  return text;
}

std::optional<HistoryMark> HistoryMark::FromText(std::string_view text) {
  HistoryMark mark;
  if (text.empty()) return mark;
  if (text.ends_with(kSoft)) {
    mark.soft_delete = true;
    text.remove_suffix(kSoft.size());
  }
  const size_t by = std::min(text.find(kBy), text.size());
  auto type = ScdTypeOf(text.substr(0, by));
  if (!type) return std::nullopt;
  mark.scd_type = *type;
  text.remove_prefix(std::min(by + kBy.size(), text.size()));
  while (!text.empty()) {
    int32_t id = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error != std::errc()) return std::nullopt;
    mark.sequence_by.emplace_back(id);
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    if (!text.empty()) text.remove_prefix(1);
  }
  return mark;
}

Result<HistoryForm> HistoryForm::Of(const HistoryMark& mark,
                                    const std::vector<delta::Column>& columns) {
  HistoryForm form;
  form.scd_type = mark.scd_type;
  form.soft_delete = mark.soft_delete;
  auto find = [&](record::ColumnId id) -> Result<int> {
    auto found = std::ranges::find(columns, id, &delta::Column::id);
    if (found == columns.end())
      return Error(ErrorClass::POSITION_LOST, "the table lost its column {}", id.value());
    return static_cast<int>(found - columns.begin());
  };
  for (const auto& id : mark.sequence_by) {
    FRESHET_TRY(int ordinal, find(id));
    form.sequence.push_back(ordinal);
  }
  if (form.keeps_versions()) {
    FRESHET_TRY(form.start, find(kStartId));
  }
  if (form.keeps_versions() || form.soft_delete) {
    FRESHET_TRY(form.end, find(form.soft_delete ? kDeletedId : kEndId));
  }
  return form;
}

Result<HistoryMark> MarkHistory(const HistoryRules& rules,
                                const std::vector<delta::Column>& columns, bool keyless,
                                bool logged) {
  HistoryMark mark{.scd_type = rules.scd_type, .sequence_by = {}, .soft_delete = rules.soft_delete};
  if (!logged && !rules.plain()) {
    return Error(ErrorClass::HISTORY_NEEDS_KEY,
                 "{} needs the table's changes, and no log tells of them", NameOf(rules.scd_type));
  }
  if (keyless && !rules.plain() && rules.scd_type != ScdType::kAppendOnly) {
    return Error(ErrorClass::HISTORY_NEEDS_KEY, "{}{}{} needs a key, and the table has none",
                 NameOf(rules.scd_type), rules.sequence_by.empty() ? "" : " with sequence_by",
                 rules.soft_delete ? " with soft_delete" : "");
  }
  if (rules.scd_type == ScdType::kAppendOnly) return mark;
  for (const auto& name : rules.sequence_by) {
    auto found = std::ranges::find(columns, name, &delta::Column::name);
    if (found == columns.end() || IsOurs(*found)) {
      return Error(ErrorClass::SEQUENCE_COLUMN_UNSUITABLE, "the table has no column {}", name);
    }
    if (!HasMoments(*found->type)) {
      return Error(ErrorClass::SEQUENCE_COLUMN_UNSUITABLE, "the values of {} have no order: {}",
                   name, delta::TypeName(*found->type));
    }
    mark.sequence_by.push_back(found->id);
  }
  return mark;
}

Status AddHistoryColumns(const HistoryMark& mark, std::vector<delta::Column>* columns) {
  std::vector<delta::Column> ours;
  std::ranges::copy_if(*columns, std::back_inserter(ours), IsOurs);
  std::erase_if(*columns, IsOurs);
  if (!ours.empty()) {
    std::ranges::move(ours, std::back_inserter(*columns));
    return Status::Ok();
  }
  if (mark.scd_type == ScdType::kType2) {
    auto type = MomentType(mark, *columns);
    FRESHET_CHECK_OK(AddColumn(kStartColumn, kStartId, type, columns));
    return AddColumn(kEndColumn, kEndId, type, columns);
  }
  if (!mark.soft_delete) return Status::Ok();
  return AddColumn(kDeletedColumn, kDeletedId, arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                   columns);
}

Result<bool> RewritesOnSwitch(const HistoryMark& from, const HistoryMark& to) {
  if (from == to) return false;
  const bool from_type_1 = from.scd_type == ScdType::kType1;
  const bool same_columns = from.soft_delete == to.soft_delete || !from.soft_delete;
  if (from_type_1 && to.scd_type == ScdType::kType1 && same_columns) return false;
  if (from_type_1 && to.scd_type == ScdType::kType2 && !from.soft_delete) return true;
  return Error(ErrorClass::HISTORY_MODE_CHANGED, "the table is kept as {} and cannot become {}{}",
               Described(from), Described(to),
               Described(from) == Described(to) ? " of other columns" : "");
}

}  // namespace freshet::apply
