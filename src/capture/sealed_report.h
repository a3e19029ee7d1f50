// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>

#include "base/clock.h"
#include "capture/context.h"
#include "record/ids.h"

namespace freshet::capture {

/// Tells what each sealed segment brought, and about once a second how much of each table's changes
/// was staged since the last time. One thread.
class SealedReport {
 public:
  explicit SealedReport(const Context& context) : context_(context) {}

  /// The writer sealed a segment.
  void OnSealed(record::SegmentNumber number, UtcMicros committed_at,
                const sources::ChangeStream& stream);
  /// Tell what has waited long enough.
  void TellDue();
  /// Tell all that waits: nothing more is captured.
  void TellRest();

 private:
  struct Sum {
    int64_t upserts = 0, deletes = 0, bytes = 0;
    UtcMicros committed_at = 0;
    int64_t lag_ms = 0;
  };

  const Context& context_;
  std::map<record::TableId, Sum> sums_;
  MonotonicTime told_{};
  int64_t nulled_told_ = 0;
};

}  // namespace freshet::capture
