// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "record/shape.h"
#include "sources/postgres/connection.h"
#include "sources/postgres/lsn.h"

// What Freshet keeps at the server: one replication slot and one publication, made by us or given
// by the user.

namespace freshet::sources::postgres {

/// Where a slot stands. Source: PostgreSQL, pg_replication_slots.
struct SlotState {
  /// The stream goes on from here at the earliest.
  Lsn confirmed = 0;
  /// Why the server will not read on from it, in its own words (wal_removed, idle_timeout …);
  /// empty: it will.
  std::string lost;
  /// The process that reads it; 0: nobody.
  int active_process = 0;
  /// Whether that process says it is Freshet's, or is just ending, whoever's it was.
  bool active_ours = false;
  /// Why it cannot be used here, if so: another database, another plugin.
  std::string unfit;
  /// The server is a standby and keeps it in step with the primary's: nobody may read it here.
  bool of_primary = false;
};
Result<std::optional<SlotState>> ReadSlot(Connection* connection, const std::string& name);
/// What it means that a slot is the primary's.
Status SlotOfPrimary(const std::string& name);
/// The SLOT_LOST that such a slot stands for, with what keeps it from happening again.
Status SlotLost(const std::string& name, std::string_view why);
/// From version 17 on the slot is one that standbys keep up with, so that it outlives the primary.
/// Errors: SOURCE_NOT_LOGICAL, SOURCE_NO_FREE_SLOT, SOURCE_PRIVILEGE, SOURCE_BLOCKED. `observer`
/// finds out who blocks.
Result<Lsn> MakeSlot(Connection* connection, Connection* observer, const Config& config);
/// Give the errors of making any slot their class and remedy.
Status SlotError(Status status, const Connection& connection);
/// Give the errors of streaming from a slot their class. Errors: SLOT_LOST, SLOT_IN_USE,
/// PUBLICATION_MISSING …
Status StreamError(Status status, const Connection& connection);
/// Wait until nobody reads the slot. `ours`: the slot is one destination's own, so a session of
/// Freshet's that still reads it belongs to a dead process, and is ended. Errors: SLOT_IN_USE.
Status FreeSlot(Connection* connection, const std::string& name, bool ours);
/// Drop a slot of our own; OK when it is gone already.
Status DropSlot(Connection* connection, const std::string& name);

/// Make the publication if it is ours and absent; true: it was made just now. Errors:
/// PUBLICATION_MISSING, SOURCE_PRIVILEGE.
Result<bool> EnsurePublication(Connection* connection, const Config& config);
/// What came of publishing tables.
struct Published {
  /// Why each of these is not: TABLE_NO_IDENTITY, PUBLICATION_MISSING, NOT_FOUND …
  std::map<record::TableId, Status> left_out;
  /// They are not put in, or not taken out, for somebody holds them locked.
  std::set<record::TableId> locked;
};
/// Make our publication hold exactly these tables of `shapes` that can be published, or look what
/// the given one holds.
Result<Published> PublishTables(
    Connection* connection, const Config& config,
    const std::vector<std::shared_ptr<const record::TableShape>>& shapes);
/// By what each table is in a publication, in words that are others once it was taken out and put
/// in again, or the publication was made again; tables that are not in it have none.
Result<std::map<uint32_t, std::string>> ReadMemos(Connection* connection,
                                                  const std::string& publication);
/// What it means that a table was out of it.
Status LostChanges(const std::string& publication);
/// The tables that a publication names one by one.
Result<std::set<uint32_t>> PublishedTables(Connection* connection, const std::string& name);
/// What is wrong with a given publication as a whole, and with each of these tables in it.
struct PublicationProblems {
  std::vector<Status> whole;
  std::map<uint32_t, Status> tables;
};
Result<PublicationProblems> CheckGivenPublication(
    Connection* connection, const Config& config,
    const std::map<uint32_t, record::TableName>& tables);
/// OK when it is gone already.
Status DropPublication(Connection* connection, const std::string& name);

}  // namespace freshet::sources::postgres
