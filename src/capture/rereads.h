// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "capture/context.h"
#include "capture/tables.h"

namespace freshet::capture {

/// When tables that the log does not tell of are read again: as soon as a gateway begins, then each
/// time the interval is over. One thread.
class Rereads {
 public:
  using Key = std::pair<TableId, staging::FlowId>;
  using Selects = std::function<bool(const record::TableName&)>;
  /// `interval`: the longest there is means once a gateway. `selects`: which tables are wanted now;
  /// null: all.
  Rereads(Context context, const Tables* tables, std::chrono::milliseconds interval,
          Selects selects);

  /// Add the generations that are due now.
  void AddDue(std::map<Key, staging::Generation>* wanted) const;
  /// Whether the flow's next generation is to be compared with an earlier one that was complete.
  bool IsDifference(const Key& key) const;
  /// Whether the table is left alone for now: it was read, or could not be, or is not wanted.
  /// `asked`: somebody wishes it, so that it may be read before its time if that succeeded last.
  bool Rests(const Key& key, bool asked = false) const;

  /// All of it was read. It rests at least as long as that took, so that whoever applies it keeps
  /// up.
  void OnRead(const Key& key, MonotonicTime::duration took);
  /// It could not be read.
  void OnFailed(const Key& key);
  /// Which could not be read the last time they were tried.
  const std::set<Key>& failed() const { return failed_; }
  /// Somebody who knows that it failed asks for it once more.
  void AskAgain(const Key& key);
  /// It was found rewritten under its reading, or that was interrupted: true as long as that is not
  /// too often since it was last read.
  bool MayBeginAnew(const Key& key);
  /// Whether the reading may well succeed if it begins anew, which one of a table that the log
  /// tells of does with the gateway.
  bool IsInterrupted(const Key& key, const Status& why) const;
  /// Whether a failed reading is the table's own matter: its definition, a server behind it, a
  /// right, with `settled` a lock too.
  bool IsOfTable(const Key& key, const Status& why, bool settled) const;

  /// See the table as it is followed: a key that came since tells its rows apart no better.
  static void FitKey(const record::TableShape& followed, record::TableShape* shown);

 private:
  void Rest(const Key& key, MonotonicTime::duration took);

  const Context context_;
  const Tables* const tables_;
  const std::chrono::milliseconds interval_;
  const Selects selects_;
  std::map<Key, MonotonicTime> rest_until_;
  std::set<Key> failed_;      // the last time it was tried
  std::map<Key, int> stale_;  // how often a reading began anew since it was last read
};

}  // namespace freshet::capture
