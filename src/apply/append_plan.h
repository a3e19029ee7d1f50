// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apply/change_plan.h"

namespace freshet::apply {

/// Plans what changes make of a table that only grows: each state that an insert or an update gave
/// a row is a row of its own. Deletions and truncates take nothing back. Nothing is looked up, so a
/// value that was not sent has to be in an earlier change of the commit.
class AppendPlanner final : public ChangePlanner {
 public:
  using ChangePlanner::ChangePlanner;

 protected:
  Status PlanSlice(const std::vector<FoldItem>& items, bool goes_on) override;
  Status Write(const KeyedRows& rows) override;

 private:
  Status Append(const FoldBatch& batch);
};

}  // namespace freshet::apply
