// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "record/sequence.h"
#include "sources/postgres/cursor_query.h"
#include "sources/postgres/lsn.h"

namespace freshet::sources::postgres {

/// What a session is asked for the place in the log by now, at a primary or a standby, in SQL.
inline constexpr char kLogPlace[] =
    "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() "
    "END";
/// And for the server's history, which grows with every promotion and point-in-time recovery.
inline constexpr char kTimeline[] =
    "CASE WHEN pg_is_in_recovery() THEN (SELECT greatest(c.timeline_id, "
    "r.min_recovery_end_timeline) FROM pg_control_checkpoint() c, pg_control_recovery() r) ELSE "
    "('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int8 END";

/// When rows that are gone were last looked for, by the source's clock, and how many there were.
struct Swept {
  int64_t at_seconds = 0;
  int64_t rows = 0;
};

/// What is kept of one table, as its memo: JSON, empty where there is nothing to keep.
struct TableNotes {
  std::optional<CursorMark> mark;   // of a table that is read by mark
  std::optional<Swept> swept;       // of one that is swept
  std::optional<ReadMoment> since;  // of one that the last reads left out: what it was read at last
};
std::string ToMemo(const TableNotes& notes);
/// Errors: STAGING_CORRUPT (the text is none of ours).
Result<TableNotes> NotesFromMemo(const std::string& memo);

/// What a cursor of capture by queries says: everything through read `read` was returned, which saw
/// `moment`. As text it is JSON with `"queries": 1` in front.
struct QueriedPosition {
  std::string source;
  uint64_t read = 0;
  Lsn lsn = 0;
  ReadMoment moment;
  /// By table id; older cursors held them, now they are the tables' memos.
  std::map<std::string, TableNotes> notes;
};
record::Cursor ToCursor(const QueriedPosition& position);
/// Errors: STAGING_CORRUPT (the text is none of ours).
Result<QueriedPosition> QueriedFromCursor(const record::Cursor& cursor);

}  // namespace freshet::sources::postgres
