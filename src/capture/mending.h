// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "capture/context.h"
#include "capture/stream_fence.h"
#include "capture/tables.h"

namespace freshet::capture {

/// A table that has to be read again and again waits in between, ever longer.
struct MendingPause {
  MonotonicTime until{};
  int times = 0;
  void Begin(MonotonicTime now);
};

/// Whether a table that lost changes is read again by itself now: at most once in a while, by the
/// time of its newest snapshot.
bool MayRefresh(const Context& context, const staging::TableState& state);
/// Whether a table that lost changes may be read again: by itself, or because somebody wishes it.
/// Errors: the store's.
Result<bool> MayReadLost(const Context& context, const TableId& table);
/// Whether somebody wishes a generation of the table beyond those that were begun.
/// Errors: the store's.
Result<bool> IsWished(const Context& context, const TableId& table,
                      const staging::TableState& state);

/// Open the stream at the cursor. Where the source cannot, and some table may be read again for it,
/// the stream begins anew, without a cursor, and `lost` says why.
/// Errors: the source's.
Result<std::unique_ptr<sources::ChangeStream>> OpenOrBeginAnew(const Context& context,
                                                               const Tables& tables,
                                                               record::Cursor* cursor,
                                                               Status* lost);

/// Tables that the catalog shows in another way than the stream has told. The catalog is ahead of
/// the stream, so each waits until the stream has passed the moment it was noticed. One thread.
///
///   put off    it is not what it was read as: nothing of it is followed; then it is described
///              anew, and followed and read as that
///   expected   its columns can be followed on, but no row has come that announces them; if the
///              stream still has not, the table was quiet, and they are taken as they are
///
/// One that somebody holds locked at the source waits alone.
class Mending {
 public:
  Mending(Context context, Tables* tables, StreamFence* fence)
      : context_(context), tables_(tables), fence_(fence) {}

  /// Whether reading the table again puts this right.
  static bool Mends(const Status& why);
  /// Whether a table that was given up for this is read again once nothing is wrong with it.
  static bool MendsLater(ErrorClass error_class);
  /// Whether it says that changes of the table were lost.
  static bool IsLoss(ErrorClass error_class);

  Status PutOff(const TableId& table);
  Status Expect(record::TableShape shown);
  /// What the stream has passed.
  struct Due {
    std::vector<Tables::Fresh> fresh;                  // put off: follow them, say Done
    std::vector<TableId> gone;                         // put off, and no longer there
    std::vector<TableId> changed;                      // took the columns that were expected
    std::vector<std::pair<TableId, Status>> problems;  // cannot be followed
    Status blocked;                                    // some have to wait: SOURCE_BLOCKED
  };
  /// `hurry`: a table that is put off again and again waits no longer than the stream takes.
  /// Errors: the source's.
  Result<Due> Passed(bool hurry);
  /// The table is followed again, or no longer at all.
  void Done(const TableId& table);
  bool empty() const { return waiting_.empty(); }
  /// The table was due, and somebody held it locked. REQUIRES: it waits.
  void Block(const TableId& table) { waiting_.at(table).blocked = true; }
  /// Those that were locked when they were last tried.
  std::vector<record::TableName> blocked() const;
  /// Whether there is none but those.
  bool stuck() const;

 private:
  struct Waiting {
    StreamFence::Ticket ticket = 0;
    std::optional<record::TableShape> expected = {};  // none: it is put off
    bool blocked = false;                             // when it was last tried
  };
  /// Put off or expected, and the stream has passed them: those that were not locked come first.
  std::vector<TableId> Ready(bool hurry) const;
  /// Try one of them.
  Status Take(const TableId& table, Due* due);
  Status TakePutOff(const TableId& table, Due* due);
  Status TakeExpected(const record::TableShape& expected, Due* due);

  const Context context_;
  Tables* const tables_;
  StreamFence* const fence_;
  std::map<TableId, Waiting> waiting_;
  std::map<TableId, MendingPause> pauses_;
};

}  // namespace freshet::capture
