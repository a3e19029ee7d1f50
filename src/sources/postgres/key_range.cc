// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/key_range.h"

#include <algorithm>
#include <array>

#include "sources/postgres/connection.h"
#include "sources/postgres/text_scanner.h"

namespace freshet::sources::postgres {
namespace {

/// Source: PostgreSQL, src/include/catalog/pg_type.dat.
constexpr std::array<KeyType, 10> kKeyTypes = {{{20, "int8"},
                                                {21, "int2"},
                                                {23, "int4"},
                                                {700, "float4"},
                                                {701, "float8"},
                                                {1082, "date"},
                                                {1114, "timestamp"},
                                                {1184, "timestamptz"},
                                                {1700, "numeric"},
                                                {2950, "uuid"}}};

constexpr std::string_view kColumn = " column=";

/// What values of these types are written with.
bool IsKey(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view(" +-.:").find(c) != std::string_view::npos;
  });
}

/// Take a bound in quotes, if there is one.
bool TakeBound(TextScanner* scanner, std::optional<std::string>* bound) {
  if (!scanner->starts_with("'")) return true;
  scanner->Skip("'");
  *bound = std::string(scanner->TakeUntil('\''));
  return IsKey(**bound);
}

}  // namespace

std::optional<KeyType> KeyTypeOf(uint32_t oid) {
  const auto* found = std::ranges::find(kKeyTypes, oid, &KeyType::oid);
  return found == kKeyTypes.end() ? std::nullopt : std::optional(*found);
}

std::string ToText(const KeyRange& range) {
  auto quoted = [](const std::optional<std::string>& bound) {
    return bound ? "'" + *bound + "'" : std::string();
  };
  return fmt::format("table={}{}{} type={} keys={}..{} file={}", range.oid, kColumn, range.column,
                     range.type, quoted(range.from), quoted(range.below), range.file);
}

bool IsKeyRange(std::string_view text) { return text.find(kColumn) != std::string_view::npos; }

Result<KeyRange> KeyRangeFrom(const std::string& text) {
  KeyRange range;
  TextScanner scanner(text);
  scanner.Skip("table=");
  scanner.Take(&range.oid);
  scanner.Skip(kColumn);
  scanner.Take(&range.column);
  scanner.Skip(" type=");
  range.type = scanner.TakeUntil(' ');
  scanner.Skip("keys=");
  bool good = TakeBound(&scanner, &range.from);
  scanner.Skip("..");
  good = TakeBound(&scanner, &range.below) && good;
  scanner.Skip(" file=");
  scanner.Take(&range.file);
  good = good && range.column > 0 &&
         std::ranges::find(kKeyTypes, range.type, &KeyType::name) != kKeyTypes.end();
  if (!good || !scanner.good() || !scanner.at_end())
    return Error(ErrorClass::INVALID_ARGUMENT, "not a chunk of this source: {}", text);
  return range;
}

std::string ConditionOf(const KeyRange& range, std::string_view column) {
  const std::string key = QuoteIdentifier(column);
  auto bound = [&](const std::string& value) {
    return fmt::format("{}::pg_catalog.{}", QuoteLiteral(value), range.type);
  };
  if (range.from && range.below)
    return fmt::format("{} >= {} AND {} < {}", key, bound(*range.from), key, bound(*range.below));
  if (range.from) return fmt::format("{} >= {}", key, bound(*range.from));
  if (range.below) return fmt::format("({} < {} OR {} IS NULL)", key, bound(*range.below), key);
  return "true";
}

}  // namespace freshet::sources::postgres
