// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "apply/shadow.h"
#include "apply/staging_applier.h"

namespace freshet::apply {

/// A table, and while a later generation of it is read the shadow in which that is built: a Delta
/// table of its own, by the same steps. The table goes on meanwhile; readers see the shadow's rows
/// all at once or not at all.
///
///   look     at the first call: a shadow that is not newer than the table is removed. The table
///            may
///            be that of a flow whose source table had the name before: it stays, as it is at the
///            end of that flow, until the first generation of this one takes its place
///   step     the table's and the shadow's in turn
///   swap     once the shadow is complete and lacks no change that the table has: its files are
///            linked into the table's folder, and one commit removes the old and adds the new
///            (a table that keeps its rows' past takes the difference instead)
///   after    a file that somebody took away in between is linked again; the shadow is removed
class RefreshingApplier final : public TableApplier {
 public:
  RefreshingApplier(Flow flow, Context context);

  Result<Positions> Current() override;
  Result<Applied> Apply(record::SegmentNumber through, const std::stop_token& stop) override;

 private:
  Status Look();
  /// Find out whose the table is.
  Status FindHolder();
  Status LookAtShadow();
  /// Whether a generation later than the table's has begun.
  Result<bool> IsRefreshing();
  Result<Applied> StepOfTable(record::SegmentNumber through, const std::stop_token& stop);
  /// Nothing: the shadow can do no more with what is staged.
  Result<std::optional<Applied>> StepOfShadow(record::SegmentNumber through, bool table_is_current,
                                              const std::stop_token& stop);
  Result<Applied> Swap(const std::stop_token& stop);
  Result<Applied> TakeShadow(const std::stop_token& stop);
  Status AfterSwap(const KeyIndex::Mark& shadows, int64_t version);
  void TellRefreshed(int64_t version) const;
  Status PlaceAgain() const;
  Status ForgetEntries(const record::FlowId& name);
  Status DropShadow();
  /// Begin anew with a shadow that somebody damaged, a few times. Returns `why` beyond that.
  Result<Applied> BuildAgain(const Status& why);

  const Flow flow_;
  const Context context_;
  const ShadowFiles files_;
  std::unique_ptr<StagingApplier> table_;
  bool former_ = false;                     // the table is that of a former flow
  std::unique_ptr<StagingApplier> shadow_;  // null: none is looked at
  bool looked_ = false;
  bool shadows_turn_ = false;
  int built_again_ = 0;
};

}  // namespace freshet::apply
