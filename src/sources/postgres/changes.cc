// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/changes.h"

#include <algorithm>

#include "sources/postgres/connection.h"
#include "sources/postgres/discover.h"
#include "sources/postgres/fence.h"
#include "sources/postgres/lsn.h"
#include "sources/postgres/receiver.h"
#include "sources/postgres/slot.h"
#include "sources/postgres/stream.h"

namespace freshet::sources::postgres {
namespace {

/// The slot's end of the agreement with the cursor: the stream can begin exactly there, or this
/// says why not.
/// Source: PostgreSQL skips silently forward to confirmed_flush when asked for an earlier start.
Status CheckSlot(const std::optional<SlotState>& slot, const std::string& name,
                 const std::optional<Position>& from) {
  if (!slot) return Error(ErrorClass::SLOT_LOST, "the replication slot is gone: {}", name);
  if (!slot->unfit.empty()) {
    return Error(ErrorClass::INVALID_ARGUMENT, "the replication slot {} cannot be used: {}", name,
                 slot->unfit);
  }
  if (slot->of_primary) return SlotOfPrimary(name);
  if (!slot->lost.empty()) return SlotLost(name, slot->lost);
  if (from && slot->confirmed > from->lsn) {
    return Error(ErrorClass::SLOT_MOVED,
                 "the replication slot {} was moved to {}, past the last durable position {}", name,
                 FormatLsn(slot->confirmed), FormatLsn(from->lsn));
  }
  return Status::Ok();
}

/// A server that was promoted, or restored at a point in time, has only the slots that were kept
/// for that.
/// Source: PostgreSQL 17, "Replication Slot Synchronization"; up to 16 no standby keeps any.
Status SlotLeftBehind(const std::string& name, int server_version) {
  std::string remedy = "Run with --refresh to read the tables again.";
  if (server_version >= 170000) {
    remedy +=
        " For the next promotion: sync_replication_slots = on, hot_standby_feedback = on, a "
        "primary_slot_name and a dbname in primary_conninfo at the standby, and that slot's name "
        "in synchronized_standby_slots at the primary.";
  }
  return Error(ErrorClass::SLOT_LOST,
               "the server was promoted or restored without the replication slot {}", name)
      .WithRemedy(std::move(remedy));
}

/// Where the server's history left an older timeline: what is after it there is not in this server.
/// Nothing when its history does not know that timeline.
/// Source: PostgreSQL, "Streaming Replication Protocol", TIMELINE_HISTORY.
Result<std::optional<Lsn>> EndOfTimeline(const Origin& origin, uint32_t timeline) {
  FRESHET_TRY(auto connection, Connection::Connect(origin.config, Connection::Mode::kReplication));
  FRESHET_TRY(Rows rows, connection->Query(fmt::format("TIMELINE_HISTORY {}", origin.epoch)));
  // One line a timeline: its number, where it ended, why; tabs in between.
  std::string_view text = rows.text(0, 1);
  std::string start = fmt::format("{}\t", timeline);
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.starts_with(start)) continue;
    line.remove_prefix(start.size());
    FRESHET_TRY(Lsn end, ParseLsn(line.substr(0, line.find('\t'))));
    return std::optional(end);
  }
  return std::optional<Lsn>();
}

Result<std::optional<Position>> ResumeAt(const Origin& origin, const record::Cursor& from) {
  if (from.text.empty()) return std::optional<Position>();
  FRESHET_TRY(Position position, FromCursor(from));
  if (position.source != origin.identity || position.epoch > origin.epoch) {
    return Error(ErrorClass::SOURCE_CHANGED,
                 "the server is {} on timeline {}; the last position is of {} on timeline {}",
                 origin.identity, origin.epoch, position.source, position.epoch);
  }
  if (position.epoch < origin.epoch) {
    FRESHET_TRY(auto end, EndOfTimeline(origin, position.epoch));
    if (!end || position.lsn > *end) {
      return Error(ErrorClass::SOURCE_CHANGED,
                   "the server was promoted or restored at {} of timeline {}, before the last "
                   "position {}: what came in between is at the destination but not in it",
                   end ? FormatLsn(*end) : "an unknown place", position.epoch,
                   FormatLsn(position.lsn));
    }
  }
  return std::optional(std::move(position));
}

/// A server whose log ends before the position was put back to an earlier state. It would send
/// nothing until its new log has grown that far, and skip what is in there.
Status CheckLogReaches(Connection* side, Lsn from) {
  // A standby that was restarted may answer before it is again where it was.
  FRESHET_TRY(Rows rows, side->Query("SELECT CASE WHEN NOT pg_is_in_recovery() THEN "
                                     "pg_current_wal_insert_lsn() END"));
  if (rows.null(0, 0)) return Status::Ok();
  FRESHET_TRY(Lsn end, ParseLsn(rows.text(0, 0)));
  if (Passes(end, from)) return Status::Ok();
  return Error(ErrorClass::SOURCE_CHANGED,
               "the server's log ends at {}, before the last durable position {}: the server was "
               "restored from an earlier state",
               FormatLsn(end), FormatLsn(from));
}

/// Find the slot, or make it when following begins. Returns where to start.
Result<Lsn> PrepareSlot(Connection* side, const Origin& origin, const std::optional<Position>& from,
                        bool publication_is_new) {
  const Config& config = origin.config;
  FRESHET_TRY(std::optional<SlotState> slot, ReadSlot(side, config.slot));
  bool fresh = !from && !config.slot_given;
  if (fresh && slot && publication_is_new) {
    // A leftover that would be read from before its publication existed, which the server refuses.
    FRESHET_CHECK_OK(DropSlot(side, config.slot));
    slot.reset();
  }
  if (!from && slot) {
    // A session, even one that has lost its client, may still be making it: until it is made it has
    // no position, and with the session's end it may be gone.
    FRESHET_CHECK_OK(CheckSlot(slot, config.slot, from));
    FRESHET_CHECK_OK(FreeSlot(side, config.slot, !config.slot_given));
    FRESHET_TRY(slot, ReadSlot(side, config.slot));
  }
  if (fresh && !slot) {
    FRESHET_TRY(auto observer, Connection::Connect(config, Connection::Mode::kQuery));
    return MakeSlot(side, observer.get(), config);
  }
  if (!slot && from && from->epoch < origin.epoch)
    return SlotLeftBehind(config.slot, side->server_version());
  Status good = CheckSlot(slot, config.slot, from);
  if (!slot && !from) {
    return std::move(good).WithRemedy(fmt::format(
        "SELECT pg_create_logical_replication_slot({}, 'pgoutput');", QuoteLiteral(config.slot)));
  }
  FRESHET_CHECK_OK(good);
  FRESHET_CHECK_OK(FreeSlot(side, config.slot, !config.slot_given));
  return from ? from->lsn : slot->confirmed;
}

/// How often we tell the server that we live, and how long it may say nothing.
struct Patience {
  std::chrono::milliseconds status_interval, silence_max;
};

/// Well below what the server waits for a sign of life, and above; 0 means it waits for ever.
Result<Patience> PatienceOf(Connection* side, const Config& config) {
  FRESHET_TRY(Rows rows,
              side->Query("SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout'"));
  int64_t timeout = rows.empty() ? 0 : rows.number(0, 0);
  int64_t interval = timeout == 0 ? 10'000 : std::clamp<int64_t>(timeout / 4, 50, 10'000);
  return Patience{.status_interval = std::chrono::milliseconds(interval),
                  .silence_max = config.silence_max};
}

/// The newest protocol the server has. Of those after 2 we ask for nothing more: prepared
/// transactions come at their COMMIT PREPARED, and who applies one after the other has no use for
/// where and when an abort was.
/// Source: PostgreSQL, "Logical Streaming Replication Parameters".
std::string ProtocolOf(const Connection& connection, const Config& config) {
  constexpr int kFirst = 13, kStreaming = 14, kNewest = 4;
  int version = connection.server_version() / 10000;
  bool streaming = version >= kStreaming && !config.scratch_folder.empty();
  return fmt::format("proto_version '{}'{}", std::min(version - kFirst + 1, kNewest),
                     streaming ? ", streaming 'on'" : "");
}

Result<std::unique_ptr<Connection>> StartReplication(const Config& config, Lsn start) {
  FRESHET_TRY(auto connection, Connection::Connect(config, Connection::Mode::kReplication));
  // Names are a list of identifiers within a text.
  std::string sql =
      fmt::format("START_REPLICATION SLOT {} LOGICAL {} ({}, publication_names {})",
                  QuoteIdentifier(config.slot), FormatLsn(start), ProtocolOf(*connection, config),
                  QuoteLiteral(QuoteIdentifier(config.publication)));
  auto begun = connection->Query(sql);
  if (!begun.ok()) return StreamError(begun.status(), *connection).With("slot", config.slot);
  return connection;
}

/// Tables that were followed up to the cursor and that our publication no longer holds, though they
/// are there: someone took them out of it, and what changed since is lost.
Result<std::vector<record::TableId>> TakenOut(
    Connection* side, const Config& config,
    const std::vector<std::shared_ptr<const record::TableShape>>& shapes) {
  FRESHET_TRY(std::set<uint32_t> published, PublishedTables(side, config.publication));
  std::vector<std::string> absent;
  for (const auto& shape : shapes) {
    FRESHET_TRY(uint32_t oid, OidOf(shape->id));
    if (!published.contains(oid)) absent.push_back(std::to_string(oid));
  }
  std::vector<record::TableId> taken_out;
  if (absent.empty()) return taken_out;
  FRESHET_TRY(Rows rows, side->Query("SELECT oid FROM pg_class WHERE oid = ANY ($1::oid[])",
                                     {ArrayParameter(absent)}));
  for (int row = 0; row < rows.size(); ++row)
    taken_out.emplace_back(std::string(rows.text(row, 0)));
  return taken_out;
}

/// What was kept of tables says nothing of a stream that begins anew.
std::vector<std::shared_ptr<const record::TableShape>> WithoutMemos(
    std::vector<std::shared_ptr<const record::TableShape>> shapes) {
  for (auto& shape : shapes) {
    if (shape->memo.empty()) continue;
    auto anew = std::make_shared<record::TableShape>(*shape);
    anew->memo.clear();
    shape = std::move(anew);
  }
  return shapes;
}

}  // namespace

Result<std::unique_ptr<ChangeStream>> OpenChanges(
    Origin origin, std::vector<std::shared_ptr<const record::TableShape>> shapes,
    const record::Cursor& from) {
  FRESHET_TRY(std::optional<Position> resume, ResumeAt(origin, from));
  FRESHET_TRY(auto side, Connection::Connect(origin.config, Connection::Mode::kQuery));
  // The publication first: the slot's changes are read with the catalog of their own time, and it
  // must be in there.
  FRESHET_TRY(bool publication_is_new, EnsurePublication(side.get(), origin.config));
  if (publication_is_new && resume) {
    FRESHET_CHECK_OK(DropPublication(side.get(), origin.config.publication));
    return Error(ErrorClass::SLOT_LOST,
                 "the publication is gone, and with it changes since the last position: {}",
                 origin.config.publication);
  }
  if (resume) FRESHET_CHECK_OK(CheckLogReaches(side.get(), resume->lsn));
  FRESHET_TRY(Lsn start, PrepareSlot(side.get(), origin, resume, publication_is_new));
  // From here on: to make a slot is to wait for transactions.
  FRESHET_CHECK_OK(side->LimitLockWaits());
  std::vector<record::TableId> taken_out;
  if (resume && !origin.config.publication_given) {
    FRESHET_TRY(taken_out, TakenOut(side.get(), origin.config, shapes));
  }
  FRESHET_TRY(Patience patience, PatienceOf(side.get(), origin.config));
  FRESHET_TRY(auto connection, StartReplication(origin.config, start));
  auto receiver = std::make_unique<Receiver>(std::move(connection), patience.status_interval,
                                             patience.silence_max, resume ? resume->lsn : 0);
  FRESHET_CHECK_OK(receiver->Start());
  std::string publication = origin.config.publication;
  auto stream = std::make_unique<PostgresStream>(std::move(origin), start, std::move(side),
                                                 std::move(receiver));
  if (!resume) shapes = WithoutMemos(std::move(shapes));
  FRESHET_CHECK_OK(stream->Watch(std::move(shapes)));
  for (const auto& table : taken_out)
    FRESHET_CHECK_OK(stream->GiveUp(table, LostChanges(publication)));
  return std::unique_ptr<ChangeStream>(std::move(stream));
}

}  // namespace freshet::sources::postgres
