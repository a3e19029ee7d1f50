// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "capture/context.h"
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
    /// New tables with their numbered shapes: follow them in the stream, then note them.
    std::vector<Tables::Fresh> fresh;
    /// Followed tables that the log did not tell of and does by now: follow them in the stream,
    /// then take their numbered shapes and read them again.
    std::vector<Tables::Fresh> joined;
    /// Followed tables that are no longer there; their last changes may still be on their way.
    std::vector<TableId> missing;
    /// Followed tables that broke.
    std::vector<TableId> broken;
    /// Followed tables that have to be read again, and why. It is noted that they consist of other
    /// partitions: begin it before the next seal.
    std::vector<std::pair<TableId, std::string>> untold;

    /// Whether the stream is to follow more tables.
    bool comes() const { return !fresh.empty() || !joined.empty(); }
  };
  enum class Depth : uint8_t {
    kFollowed,  // only the followed tables
    kAll,
    kThorough,  // also compare the followed tables' keys, a query each
  };
  Result<Found> Look(Depth depth);

 private:
  Status LookAtNew(const sources::TableListing& listing, Found* found);
  bool Takes(const sources::TableListing& listing) const;
  Status LookAtJoined(const sources::TableListing& listing, Found* found);
  Status LookAtFollowed(const sources::TableListing& listing, bool thorough, Found* found);
  /// The staged table that has or had this name under another id.
  bool NameIsTaken(const sources::TableListing& listing) const;
  void LeaveOut(const sources::TableListing& listing, const Status& why);
  void Warn(const sources::TableListing& listing, const Status& why);

  const Context context_;
  Tables* const tables_;
  const Selects selects_, names_;
  std::map<TableId, ErrorClass> left_out_;  // told already
};

}  // namespace freshet::capture
