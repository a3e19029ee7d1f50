// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "capture/context.h"
#include "capture/tables.h"

namespace freshet::capture {

/// Looks at the source's tables: finds new ones, ones that are gone, and ones that are no longer
/// what they were. One thread.
class Discovery {
 public:
  using Selects = std::function<bool(const record::TableName&)>;
  Discovery(Context context, Tables* tables, Selects selects);

  struct Found {
    /// New tables' numbered shapes: follow them in the stream, then note them.
    std::vector<std::shared_ptr<const record::TableShape>> fresh;
    /// Followed tables that are no longer there; their last changes may still be on their way.
    std::vector<TableId> missing;
    /// Followed tables that broke.
    std::vector<TableId> broken;
  };
  /// `thorough`: also compare the followed tables' keys, a query each.
  Result<Found> Look(bool thorough);

 private:
  Status LookAtNew(const sources::TableListing& listing, Found* found);
  Status LookAtFollowed(const sources::TableListing& listing, bool thorough, Found* found);
  /// The staged table that has or had this name under another id.
  bool NameIsTaken(const sources::TableListing& listing) const;
  void LeaveOut(const sources::TableListing& listing, const Status& why);
  void Warn(const sources::TableListing& listing, const Status& why);

  const Context context_;
  Tables* const tables_;
  const Selects selects_;
  std::map<TableId, ErrorClass> left_out_;  // told already
};

}  // namespace freshet::capture
