// SPDX-License-Identifier: Apache-2.0
#include "apply/compaction_pace.h"

#include <algorithm>

#include "base/limits.h"

namespace freshet::apply {

void CompactionPace::Begin() {
  rested_ = resting_since_ && clock_->Now() - *resting_since_ >= rules_.rest_min;
  resting_since_.reset();
}

void CompactionPace::Rest() {
  if (!resting_since_) resting_since_ = clock_->Now();
}

bool CompactionPace::HasLeisure() const {
  return rested_ || (resting_since_ && clock_->Now() - *resting_since_ >= rules_.rest_min);
}

bool CompactionPace::IsDue(bool waits, size_t files) const {
  // Under load changes go first, and every so often a look comes between them.
  if (waits) return commits_ >= 2 * rules_.commits_min;
  if (!HasLeisure()) return commits_ >= rules_.commits_min;
  return commits_ >=
         std::clamp<int64_t>(static_cast<int64_t>(files) / limits::kCompactionFilesPerCommit, 1,
                             rules_.commits_min);
}

CompactionRules CompactionPace::RulesFor(bool waits) const {
  CompactionRules rules = rules_;
  if (waits || !HasLeisure()) rules.dead_share = std::max<int64_t>(rules.dead_share / 2, 1);
  return rules;
}

}  // namespace freshet::apply
