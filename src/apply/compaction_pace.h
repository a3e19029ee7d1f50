// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "apply/compaction.h"
#include "base/clock.h"

namespace freshet::apply {

/// When a table's files are looked through for some worth rewriting, and how much has to be dead in
/// one by then. Its changes wait meanwhile, so a table that changes without a break has that
/// seldom, and for much; one that had nothing to do before its last changes will have nothing after
/// them either, and is kept near a fresh one. One thread.
class CompactionPace {
 public:
  /// Of a table just opened, which may need it: nobody waited for it so far.
  CompactionPace(const CompactionRules& rules, Clock* clock)
      : rules_(rules),
        clock_(clock),
        commits_(rules.commits_min),
        resting_since_(clock->Now() - rules.rest_min) {}

  /// Changes are about to be applied.
  void Begin();
  /// Changes were committed.
  void Committed() { ++commits_; }
  /// There is nothing more to apply for now.
  void Rest();
  /// Files were looked through; where some were rewritten there may be more.
  void Looked(bool found) { commits_ = found ? rules_.commits_min : 0; }

  /// Whether a look is due. `waits`: there are changes that wait for it.
  bool IsDue(bool waits, size_t files) const;
  /// What that look goes by.
  CompactionRules RulesFor(bool waits) const;

 private:
  bool HasLeisure() const;

  const CompactionRules rules_;
  Clock* const clock_;
  int64_t commits_;  // since the last look
  std::optional<Deadline> resting_since_;
  bool rested_ = false;  // before the last changes
};

}  // namespace freshet::apply
