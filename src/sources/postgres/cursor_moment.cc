// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/cursor_moment.h"

#include "base/json.h"
#include "base/limits.h"

namespace freshet::sources::postgres {

using Json = nlohmann::ordered_json;

Result<record::Cursor> ToCursor(const QueriedPosition& position) {
  Json marks = Json::object(), swept = Json::object();
  for (const auto& [table, mark] : position.marks) marks[table] = mark;
  for (const auto& [table, each] : position.swept) swept[table] = {each.at_seconds, each.rows};
  Json json{{"queries", 1},
            {"source", position.source},
            {"read", position.read},
            {"lsn", FormatLsn(position.lsn)},
            {"xmin", position.moment.xmin},
            {"xmax", position.moment.xmax},
            {"timeline", position.moment.timeline},
            {"marks", marks},
            {"swept", swept}};
  record::Cursor cursor{JsonText(json)};
  if (cursor.text.size() <= limits::kCursorBytesMax) return cursor;
  return Error(ErrorClass::INVALID_ARGUMENT,
               "the marks of {} tables do not fit a position's {} bytes", position.marks.size(),
               limits::kCursorBytesMax)
      .WithRemedy("Ingest some of the views, or tables with late_commit_window, elsewhere.");
}

Result<QueriedPosition> QueriedFromCursor(const record::Cursor& cursor) {
  try {
    auto json = ParseJsonOrThrow<Json>(cursor.text);
    QueriedPosition position;
    position.source = json.at("source");
    position.read = json.at("read");
    FRESHET_TRY(position.lsn, ParseLsn(json.at("lsn").get<std::string>()));
    position.moment = {
        .xmin = json.at("xmin"), .xmax = json.at("xmax"), .timeline = json.at("timeline")};
    for (const auto& [table, mark] : json.at("marks").items()) position.marks[table] = mark;
    for (const auto& [table, each] : json.at("swept").items())
      position.swept[table] = {each.at(0), each.at(1)};
    return position;
  } catch (const std::exception&) {
    return Error(ErrorClass::STAGING_CORRUPT, "not a position of capture by queries: {}",
                 cursor.text);
  }
}

}  // namespace freshet::sources::postgres
