// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/lsn.h"

#include <charconv>

namespace freshet::sources::postgres {
namespace {

template <typename T>
bool ParseNumber(std::string_view text, int base, T* value) {
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, *value, base);
  return error == std::errc() && stop == end && !text.empty();
}

/// Take `name` off the front of `text`.
bool Take(std::string_view name, std::string_view* text) {
  if (!text->starts_with(name)) return false;
  text->remove_prefix(name.size());
  return true;
}

}  // namespace

std::string FormatLsn(Lsn lsn) { return fmt::format("{:X}/{:X}", lsn >> 32, lsn & 0xFFFFFFFF); }

Result<Lsn> ParseLsn(std::string_view text) {
  size_t slash = text.find('/');
  uint32_t high = 0;
  uint32_t low = 0;
  if (slash == std::string_view::npos || !ParseNumber(text.substr(0, slash), 16, &high) ||
      !ParseNumber(text.substr(slash + 1), 16, &low)) {
    return Error(ErrorClass::SOURCE_PROTOCOL, "not a log position: {}", text);
  }
  return static_cast<Lsn>(high) << 32 | low;
}

record::Cursor ToCursor(const Position& position) {
  return {fmt::format("{} epoch={} source={}", FormatLsn(position.lsn), position.epoch,
                      position.source)};
}

Result<Position> FromCursor(const record::Cursor& cursor) {
  std::string_view text = cursor.text;
  Position position;
  size_t space = text.find(' ');
  auto lsn = ParseLsn(text.substr(0, space));
  text.remove_prefix(space == std::string_view::npos ? text.size() : space);
  bool good = lsn.ok() && Take(" epoch=", &text);
  space = text.find(' ');
  good = good && space != std::string_view::npos &&
         ParseNumber(text.substr(0, space), 10, &position.epoch);
  if (good) text.remove_prefix(space);
  good = good && Take(" source=", &text) && !text.empty();
  if (!good)
    return Error(ErrorClass::STAGING_CORRUPT, "not a position in PostgreSQL's log: {}",
                 cursor.text);
  position.lsn = *lsn;
  position.source = text;
  return position;
}

}  // namespace freshet::sources::postgres
