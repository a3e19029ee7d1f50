// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "capture/context.h"
#include "capture/mending.h"
#include "capture/tables.h"

namespace freshet::capture {

/// Looks at the source's tables: finds new ones, ones that are gone, and ones that are no longer
/// what they were. One thread.
class Discovery {
 public:
  using Selects = std::function<bool(const record::TableName&)>;
  /// `names`: which tables are asked for by their own names; null: every one.
  Discovery(Context context, Tables* tables, Selects selects, Selects names);

  struct Found {
    /// New tables with their numbered shapes, and some that broke once: follow them in the stream,
    /// then note them.
    std::vector<Tables::Fresh> fresh;
    /// Which of those broke once, and why they are followed again.
    std::vector<std::pair<TableId, Status>> mended;
    /// Followed tables that the log did not tell of and does by now: follow them in the stream,
    /// then take their numbered shapes and read them again.
    std::vector<Tables::Fresh> joined;
    /// Followed tables that are no longer there; their last changes may still be on their way.
    std::vector<TableId> missing;
    /// Followed tables that cannot be followed as they are.
    std::vector<std::pair<TableId, Status>> problems;
    /// Followed tables that the log did not tell of for a while.
    std::vector<std::pair<TableId, Status>> lost;
    /// Followed tables that have another name by now, and which.
    std::vector<std::pair<TableId, record::TableName>> renamed;
    /// Followed tables whose columns are others than the stream has told by now.
    std::vector<record::TableShape> ahead;
    /// Followed tables that have to be read again, and why. It is noted that they consist of other
    /// partitions: begin it before the next seal.
    std::vector<std::pair<TableId, std::string>> untold;

    /// These are not followed yet; the next look finds them again.
    void LeaveForLater(const std::set<TableId>& tables);
    std::vector<Tables::Fresh> coming() const {
      auto coming = fresh;
      coming.insert(coming.end(), joined.begin(), joined.end());
      return coming;
    }
  };
  enum class Depth : uint8_t {
    kFollowed,  // only the followed tables
    kAll,
    kThorough,  // also compare the followed tables' columns where nothing else tells, a query each
  };
  Result<Found> Look(Depth depth);

 private:
  Status LookAtNew(const sources::TableListing& listing, Found* found);
  bool Takes(const sources::TableListing& listing) const;
  /// Whether another table has this name and no place of its own, and so has that of this name.
  bool IsTaken(const record::TableName& name) const;
  /// Whether another table took its place over: it has none any more.
  bool IsSucceeded(const TableId& table) const;
  /// Whether the log told of a followed table all the time.
  Status CheckMemo(const sources::TableListing& listing) const;
  /// Whether its rows come as those of the table that it is a partition of.
  bool IsPart(const sources::TableListing& listing) const;
  /// Why a followed table whose name is another cannot go on under it; OK: it can, or need not.
  Status CheckName(const sources::TableListing& listing) const;
  Status LookAtJoined(const sources::TableListing& listing, Found* found);
  Status LookAtFollowed(const sources::TableListing& listing, bool thorough, Found* found);
  /// Compare a table's columns and key with those it is followed by.
  Status Compare(const sources::TableListing& listing, Found* found);
  /// Why a table that broke is read again, if it is.
  Result<std::optional<Status>> MendedBy(const sources::TableListing& listing);
  /// Whether a table may be followed again by itself now: the more often it was, the later.
  bool MayMend(const TableId& table);
  /// The staged table that had this name before.
  std::optional<TableId> FormerOf(const sources::TableListing& listing) const;
  void TellRenamed(const sources::TableListing& listing);
  void LeaveOut(const sources::TableListing& listing, const Status& why);
  void Warn(const sources::TableListing& listing, const Status& why);

  const Context context_;
  Tables* const tables_;
  const Selects selects_, names_;
  std::map<record::TableName, TableId> there_;   // all tables at the last look
  std::set<TableId> taken_;                      // the selected ones that are nobody's part
  std::map<TableId, ErrorClass> left_out_;       // told already
  std::map<TableId, std::string> fingerprints_;  // of what was compared last
  std::map<TableId, MendingPause> mended_;       // followed again by itself
};

}  // namespace freshet::capture
