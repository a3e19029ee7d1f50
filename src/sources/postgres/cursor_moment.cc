// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/cursor_moment.h"

#include "base/json.h"

namespace freshet::sources::postgres {
namespace {

using Json = nlohmann::ordered_json;

Swept SweptIn(const Json& json) {
  return {.at_seconds = json.at(0).get<int64_t>(), .rows = json.at(1).get<int64_t>()};
}

}  // namespace

std::string ToMemo(const TableNotes& notes) {
  Json json = Json::object();
  if (notes.mark) json["mark"] = *notes.mark;
  if (notes.swept) json["swept"] = {notes.swept->at_seconds, notes.swept->rows};
  if (notes.since) json["since"] = {notes.since->xmin, notes.since->xmax, notes.since->timeline};
  return json.empty() ? "" : JsonText(json);
}

Result<TableNotes> NotesFromMemo(const std::string& memo) {
  TableNotes notes;
  if (memo.empty()) return notes;
  try {
    auto json = ParseJsonOrThrow<Json>(memo);
    if (json.contains("mark")) notes.mark = json["mark"].get<CursorMark>();
    if (json.contains("swept")) notes.swept = SweptIn(json["swept"]);
    if (json.contains("since")) {
      const Json& since = json["since"];
      notes.since = ReadMoment{.xmin = since.at(0).get<uint64_t>(),
                               .xmax = since.at(1).get<uint64_t>(),
                               .timeline = since.at(2).get<uint32_t>()};
    }
    return notes;
  } catch (const std::exception&) {
    return Error(ErrorClass::STAGING_CORRUPT, "not a memo of capture by queries: {}", memo);
  }
}

record::Cursor ToCursor(const QueriedPosition& position) {
  return {JsonText(Json{{"queries", 1},
                        {"source", position.source},
                        {"read", position.read},
                        {"lsn", FormatLsn(position.lsn)},
                        {"xmin", position.moment.xmin},
                        {"xmax", position.moment.xmax},
                        {"timeline", position.moment.timeline}})};
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
    const Json none = Json::object();
    const Json marks = json.value("marks", none), swept = json.value("swept", none);
    for (const auto& [table, mark] : marks.items())
      position.notes[table].mark = mark.get<CursorMark>();
    for (const auto& [table, each] : swept.items()) position.notes[table].swept = SweptIn(each);
    return position;
  } catch (const std::exception&) {
    return Error(ErrorClass::STAGING_CORRUPT, "not a position of capture by queries: {}",
                 cursor.text);
  }
}

}  // namespace freshet::sources::postgres
