// SPDX-License-Identifier: Apache-2.0
// Source: Delta protocol, "Per-file Statistics".
#include "delta/stats.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <optional>

#include "delta/action_json.h"

namespace freshet::delta {
namespace {

constexpr size_t kColumnsMax = 32;     // delta.dataSkippingNumIndexedCols, the default
constexpr size_t kCharactersMax = 32;  // of a string bound, as Delta's own writer cuts
constexpr char32_t kLastCharacter = 0x10FFFF;

enum class Side : uint8_t { kMin, kMax };

std::string Quoted(std::string_view text) { return JsonText(Json(text)); }

// --- strings

/// Decode UTF-8; nothing when it is not valid.
std::optional<std::u32string> Characters(std::string_view text) {
  std::u32string out;
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80                   ? 1
                          : lead >= 0xC2 && lead < 0xE0 ? 2
                          : lead >= 0xE0 && lead < 0xF0 ? 3
                          : lead >= 0xF0 && lead < 0xF5 ? 4
                                                        : 0;
    if (length == 0 || i + length > text.size()) return std::nullopt;
    char32_t character = length == 1 ? lead : lead & (0x7FU >> length);
    for (size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xC0U) != 0x80) return std::nullopt;
      character = (character << 6U) | (next & 0x3FU);
    }
    const bool overlong =
        (length == 3 && character < 0x800) || (length == 4 && character < 0x10000);
    if (overlong || character > kLastCharacter || (character >= 0xD800 && character < 0xE000))
      return std::nullopt;
    out += character;
    i += length;
  }
  return out;
}

std::string Utf8(std::u32string_view characters) {
  std::string out;
  for (char32_t c : characters) {
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else if (c < 0x800) {
      out += {static_cast<char>(0xC0U | (c >> 6U)), static_cast<char>(0x80U | (c & 0x3FU))};
    } else if (c < 0x10000) {
      out += {static_cast<char>(0xE0U | (c >> 12U)), static_cast<char>(0x80U | ((c >> 6U) & 0x3FU)),
              static_cast<char>(0x80U | (c & 0x3FU))};
    } else {
      out +=
          {static_cast<char>(0xF0U | (c >> 18U)), static_cast<char>(0x80U | ((c >> 12U) & 0x3FU)),
           static_cast<char>(0x80U | ((c >> 6U) & 0x3FU)), static_cast<char>(0x80U | (c & 0x3FU))};
    }
  }
  return out;
}

/// The least string of at most 32 characters above everything that begins with these: UTF-8 bytes
/// order as code points do.
std::optional<std::u32string> Raise(std::u32string characters) {
  while (!characters.empty() && characters.back() == kLastCharacter) characters.pop_back();
  if (characters.empty()) return std::nullopt;
  characters.back() = characters.back() == 0xD7FF ? 0xE000 : characters.back() + 1;
  return characters;
}

std::optional<std::string> StringBound(const std::string& value, Side side) {
  auto characters = Characters(value);
  if (!characters) return std::nullopt;
  if (characters->size() <= kCharactersMax) return Quoted(value);
  characters->resize(kCharactersMax);
  if (side == Side::kMin) return Quoted(Utf8(*characters));
  auto raised = Raise(std::move(*characters));
  return raised ? std::optional(Quoted(Utf8(*raised))) : std::nullopt;
}

// --- numbers and times

/// Put the point into an unscaled integer's digits.
std::string DecimalText(std::string digits, int scale) {
  if (scale == 0) return digits;
  const bool negative = digits[0] == '-';
  if (negative) digits.erase(0, 1);
  const auto places = static_cast<size_t>(scale);
  if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
  digits.insert(digits.size() - places, ".");
  return (negative ? "-" : "") + digits;
}

std::optional<std::string> DateText(int64_t days) {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{days}}};
  // Years of other than four digits are not read alike everywhere.
  if (days < -719162 || days > 2932896) return std::nullopt;  // 0001-01-01 … 9999-12-31
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

std::optional<std::string> TimestampBound(int64_t micros, bool utc, Side side) {
  int64_t millis = micros / 1000;
  if (micros % 1000 < 0) --millis;
  if (side == Side::kMax && micros % 1000 != 0) ++millis;
  constexpr int64_t kDay = 86'400'000;
  int64_t days = millis / kDay;
  if (millis % kDay < 0) --days;
  const int64_t rest = millis - days * kDay;
  auto date = DateText(days);
  if (!date) return std::nullopt;
  return fmt::format("\"{}T{:02}:{:02}:{:02}.{:03}{}\"", *date, rest / 3'600'000,
                     rest / 60'000 % 60, rest / 1000 % 60, rest % 1000, utc ? "Z" : "");
}

std::optional<std::string> RealBound(double value, bool single) {
  if (!std::isfinite(value)) return std::nullopt;
  return single ? fmt::format("{}", static_cast<float>(value)) : fmt::format("{}", value);
}

/// Return a bound as JSON text, or nothing where it cannot be said exactly (or Delta keeps none:
/// booleans, bytes, arrays).
std::optional<std::string> BoundText(const parquet::StatValue& value, const arrow::DataType& type,
                                     Side side) {
  const auto* integer = std::get_if<int64_t>(&value);
  const auto* real = std::get_if<double>(&value);
  const auto* text = std::get_if<std::string>(&value);
  switch (type.id()) {
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::INT64:
      return integer != nullptr ? std::optional(std::to_string(*integer)) : std::nullopt;
    case arrow::Type::FLOAT:
    case arrow::Type::DOUBLE:
      return real != nullptr ? RealBound(*real, type.id() == arrow::Type::FLOAT) : std::nullopt;
    case arrow::Type::DATE32: {
      auto date = integer != nullptr ? DateText(*integer) : std::nullopt;
      return date ? std::optional(Quoted(*date)) : std::nullopt;
    }
    case arrow::Type::TIMESTAMP:
      if (integer == nullptr) return std::nullopt;
      return TimestampBound(
          *integer, !static_cast<const arrow::TimestampType&>(type).timezone().empty(), side);
    case arrow::Type::DECIMAL128: {
      const int scale = static_cast<const arrow::Decimal128Type&>(type).scale();
      if (integer != nullptr) return DecimalText(std::to_string(*integer), scale);
      return text != nullptr ? std::optional(DecimalText(*text, scale)) : std::nullopt;
    }
    case arrow::Type::STRING:
      return text != nullptr ? StringBound(*text, side) : std::nullopt;
    default:
      return std::nullopt;
  }
}

void AddMember(std::string* object, const std::string& name, const std::string& value) {
  if (!object->empty()) *object += ",";
  *object += Quoted(name) + ":" + value;
}

// --- text surgery: parsing would turn exact decimals into doubles

struct Member {
  std::string_view name, value;
};

/// The end of the JSON value that begins at `from`: the first ',' or '}' outside of it.
size_t ValueEnd(std::string_view json, size_t from) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = from; i < json.size(); ++i) {
    const char c = json[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
      continue;
    }
    if (c == '"') quoted = true;
    if (depth == 0 && (c == ',' || c == '}')) return i;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
  }
  return json.size();
}

std::vector<Member> Members(std::string_view json) {
  std::vector<Member> members;
  size_t at = json.find('{');
  while (at != std::string_view::npos && at < json.size() && json[at] != '}') {
    const size_t open = json.find('"', at);
    if (open == std::string_view::npos) break;
    const size_t close = json.find('"', open + 1);
    if (close == std::string_view::npos) break;
    const size_t colon = json.find(':', close);
    if (colon == std::string_view::npos) break;
    const size_t end = ValueEnd(json, colon + 1);
    std::string_view value = json.substr(colon + 1, end - colon - 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    members.push_back({json.substr(open + 1, close - open - 1), value});
    at = end;
  }
  return members;
}

}  // namespace

std::string StatsJson(const parquet::FileStatistics& statistics, const std::vector<Column>& columns,
                      bool tight_bounds) {
  std::map<std::string, const parquet::ColumnStatistics*> by_name;
  for (const auto& column : statistics.columns) by_name[column.name] = &column;
  std::string min, max, nulls;
  for (size_t i = 0; i < columns.size() && i < kColumnsMax; ++i) {
    auto found = by_name.find(columns[i].physical);
    if (found == by_name.end() || !found->second->type->Equals(*columns[i].type)) continue;
    const auto& column = *found->second;
    auto low = column.min ? BoundText(*column.min, *column.type, Side::kMin) : std::nullopt;
    auto high = column.max ? BoundText(*column.max, *column.type, Side::kMax) : std::nullopt;
    if (low) AddMember(&min, column.name, *low);
    if (high) AddMember(&max, column.name, *high);
    if (column.null_count) AddMember(&nulls, column.name, std::to_string(*column.null_count));
  }
  return fmt::format(
      R"({{"numRecords":{},"minValues":{{{}}},"maxValues":{{{}}},"nullCount":{{{}}},"tightBounds":{}}})",
      statistics.rows, min, max, nulls, tight_bounds);
}

std::string WithoutTightBounds(const std::string& stats_json) {
  std::string out;
  for (const auto& member : Members(stats_json)) {
    if (member.name == "tightBounds") continue;
    out += fmt::format("{}\"{}\":{}", out.empty() ? "" : ",", member.name, member.value);
  }
  if (out.empty()) return stats_json;
  return "{" + out + ",\"tightBounds\":false}";
}

int64_t RowsOf(const std::string& stats_json) {
  for (const auto& member : Members(stats_json)) {
    if (member.name != "numRecords") continue;
    int64_t rows = -1;
    std::from_chars(member.value.data(), member.value.data() + member.value.size(), rows);
    return rows;
  }
  return -1;
}

}  // namespace freshet::delta
