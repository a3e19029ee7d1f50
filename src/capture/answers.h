// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "capture/context.h"
#include "capture/stream_fence.h"
#include "staging/questions.h"

namespace freshet::capture {

/// Tells whoever asks through which segment everything is staged that was committed at the source
/// when the question was heard. Several that come together share one fence. The capture thread's.
///
///   Poll   hears the questions that stand
///   heard  → the tables are looked at once more, then Ask; TakeUnseen: not all of them could be
///   due    → all is sealed, then Give
class Answers {
 public:
  Answers(Context context, StreamFence* fence) : context_(context), fence_(fence) {}

  Status Poll();
  /// Whether somebody waits and no fence is on its way.
  bool heard() const { return !heard_.empty() && !ticket_; }
  /// The last look at the tables left these out, or all if none are named, for somebody holds them
  /// locked; OK: none.
  void TakeUnseen(staging::Unseen unseen) { unseen_ = std::move(unseen); }
  /// Set the fence for all that were heard.
  Status Ask();
  /// Whether the stream has passed the fence.
  bool due() const { return ticket_ && fence_->Passed(*ticket_); }
  /// `unseen`: what waits by now, beside what the look before the fence left out.
  /// REQUIRES: due(), and everything captured so far is sealed, through this segment.
  Status Give(staging::SegmentNumber through, const staging::Unseen& unseen);

 private:
  const Context context_;
  StreamFence* const fence_;
  std::vector<staging::Question> heard_;
  std::vector<staging::Question> asked_;  // those that the fence is for
  std::optional<StreamFence::Ticket> ticket_;
  staging::Unseen unseen_, left_out_;  // at the last look; at the one before the fence
};

}  // namespace freshet::capture
