// SPDX-License-Identifier: Apache-2.0
#include "client/table_text.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "client/legible.h"

namespace freshet::client {
namespace {

/// Fields that hold milliseconds since 1970. Source: the published shapes.
constexpr std::array<std::string_view, 5> kTimes{"created_at", "updated_at", "creation_time",
                                                 "expiry_time", "last_modified"};

bool IsTime(std::string_view field) {
  auto name = field.substr(field.rfind('.') + 1);
  return std::ranges::find(kTimes, name) != kTimes.end();
}

std::string TimeText(int64_t milliseconds) {
  if (milliseconds < 0) return "never";
  const std::chrono::sys_time<std::chrono::milliseconds> at{
      std::chrono::milliseconds(milliseconds)};
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::seconds>(at - day));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count());
}

std::string Joined(const Json& list) {
  std::string text;
  for (const auto& each : list) text += (text.empty() ? "" : ", ") + Shown("", &each);
  return text.empty() ? "-" : text;
}

/// Return what an object in a list is called: an option, a privilege with where it comes from.
std::string NameIn(const Json& value) {
  auto name = TextIn(value, "name");
  if (name.empty()) name = TextIn(value, "privilege");
  auto from = TextIn(value, "inherited_from_name");
  return Legible(from.empty() ? name : name + " (" + from + ")");
}

/// Add a line: each text as wide as its column, but for the last.
void AddLine(const std::vector<std::string>& texts, const std::vector<size_t>& widths,
             std::string* table) {
  for (size_t i = 0; i < texts.size(); ++i) {
    *table += texts[i];
    if (i + 1 < texts.size()) table->append(widths[i] - WidthOf(texts[i]) + 2, ' ');
  }
  *table += '\n';
}

std::string Aligned(const std::vector<std::vector<std::string>>& lines) {
  std::vector<size_t> widths;
  for (const auto& line : lines) {
    widths.resize(std::max(widths.size(), line.size()));
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], WidthOf(line[i]));
  }
  std::string table;
  for (const auto& line : lines) AddLine(line, widths, &table);
  return table;
}

}  // namespace

std::string Shown(std::string_view field, const Json* value) {
  if (value == nullptr || value->is_null()) return "-";
  if (value->is_string()) {
    auto text = Legible(value->get<std::string>());
    return text.empty() ? "-" : text;
  }
  if (value->is_number_integer() && IsTime(field)) return TimeText(value->get<int64_t>());
  if (value->is_array()) return Joined(*value);
  auto name = NameIn(*value);
  return name.empty() ? Legible(JsonText(*value)) : name;
}

std::string TableText(const std::vector<Column>& columns, const std::vector<const Json*>& rows) {
  std::vector<std::vector<std::string>> lines(1);
  for (const auto& column : columns) lines[0].push_back(column.title);
  for (const auto* row : rows) {
    auto& line = lines.emplace_back();
    for (const auto& column : columns) line.push_back(Shown(column.field, At(*row, column.field)));
  }
  return Aligned(lines);
}

std::string FieldsText(const std::vector<Column>& columns, const Json& object) {
  std::vector<std::vector<std::string>> lines;
  for (const auto& column : columns)
    lines.push_back({column.title, Shown(column.field, At(object, column.field))});
  if (columns.empty() && object.is_object()) {
    for (const auto& [name, value] : object.items())
      lines.push_back({Legible(name), Shown(name, &value)});
  }
  return Aligned(lines);
}

std::string PrintedJson(const Json& json) {
  return LegibleJson(json.dump(2, ' ', false, Json::error_handler_t::replace)) + "\n";
}

}  // namespace freshet::client
