// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "delta/table.h"

namespace freshet::delta {

/// Folds actions into a table's state, commit after commit. A value used once, by one thread.
/// Source: Delta protocol, "Action Reconciliation".
class Replay {
 public:
  /// Begin with nothing (null), or go on from a state.
  explicit Replay(const std::shared_ptr<const Snapshot>& base);
  /// Fold the actions of one commit, or some of a checkpoint's (whose order doesn't matter).
  void Apply(std::vector<Action> actions);
  /// Return the state as of `version`. Errors: DELTA_CORRUPT (no protocol or metadata),
  /// DELTA_UNSUPPORTED.
  Result<std::shared_ptr<const Snapshot>> Finish(int64_t version, int64_t checkpoint_version);

 private:
  void Add(AddFile add);
  void Remove(RemoveFile remove);

  std::shared_ptr<Snapshot> state_;
  bool metadata_changed_ = false;
};

/// The tombstones a checkpoint still has to hold: those younger than the table's retention, counted
/// back from the youngest, so that no clock is asked and an idle table forgets nothing too early.
void DropExpired(Snapshot* snapshot);

}  // namespace freshet::delta
