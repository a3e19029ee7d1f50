// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "sources/source.h"

namespace freshet::capture {

/// Tells when everything that was committed at the source at some moment has been captured: `Ask`
/// at that moment, `Passed` once the stream has said Idle for a fence set after it. One thread.
class StreamFence {
 public:
  using Ticket = int64_t;
  explicit StreamFence(sources::ChangeStream* stream) : stream_(stream) {}

  /// An Idle on its way for an earlier fence answers only that one, so a later question waits its
  /// turn.
  Result<Ticket> Ask() {
    if (!waiting_) {
      FRESHET_CHECK_OK(stream_->Fence());
      waiting_ = true;
      asked_ = ++set_;
    } else {
      asked_ = set_ + 1;
    }
    return asked_;
  }
  bool Passed(Ticket ticket) const { return passed_ >= ticket; }

  /// The stream returned Idle.
  Status OnIdle() {
    if (!waiting_) return Status::Ok();
    passed_ = set_;
    waiting_ = false;
    if (asked_ == passed_) return Status::Ok();
    return Ask().status();
  }

 private:
  sources::ChangeStream* const stream_;
  Ticket set_ = 0;     // the newest fence set at the stream
  Ticket asked_ = 0;   // the newest asked for
  Ticket passed_ = 0;  // the newest answered
  bool waiting_ = false;
};

}  // namespace freshet::capture
