// SPDX-License-Identifier: Apache-2.0
// Snapshots that cannot be taken now.
#include <algorithm>

#include "capture/snapshots.h"

namespace freshet::capture {
namespace {

/// What could not be had of the source is asked for again after this.
constexpr std::chrono::seconds kBlockedInterval{5};

}  // namespace

bool Snapshots::OthersGoOn() const {
  return std::ranges::any_of(context_.writer->checkpoint().tables, [&](const auto& table) {
    return tables_->follows(table.first) &&
           std::ranges::any_of(table.second.generations, [&](const auto& generation) {
             return generation.second.ended && !taking_.contains({table.first, generation.first});
           });
  });
}

/// What keeps a snapshot from being taken (a transaction or a lock that does not end, no free slot,
/// a right that is gone) holds up the tables that wait for one, not the changes of all others: it
/// is asked for again. A run that is to end reports it instead.
Status Snapshots::HoldOff(const Status& why) {
  bool others_wait = settled_ && running_.empty();
  bool of_source = !why.Is(ErrorClass::CANCELLED) && !why.Is(ErrorClass::INTERNAL);
  bool waits = why.Is(ErrorClass::SOURCE_BLOCKED) || (of_source && OthersGoOn());
  if (!waits || others_wait) return why;
  begin_after_ = context_.clock->Now() + kBlockedInterval;
  if (!std::exchange(blocked_told_, true)) {
    context_.Tell(
        "warning",
        {{"reason", fmt::format("a snapshot has to wait: {}; {}", why.ToString(), why.remedy())}});
  }
  return Status::Ok();
}

}  // namespace freshet::capture
