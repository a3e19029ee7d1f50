// SPDX-License-Identifier: Apache-2.0
#include "capture/sealed_report.h"

#include <algorithm>

namespace freshet::capture {
namespace {

constexpr std::chrono::seconds kTellInterval{1};

}  // namespace

void SealedReport::OnSealed(record::SegmentNumber number, UtcMicros committed_at,
                            const sources::ChangeStream& stream) {
  const UtcMicros now = context_.clock->WallNow();
  auto lag_ms = [now](UtcMicros committed) {
    return committed == 0 ? 0 : std::max<int64_t>(0, (now - committed) / 1000);
  };
  int64_t rows = 0, bytes = 0;
  for (const auto& run : context_.writer->sealed_runs()) {
    rows += run.rows;
    bytes += run.length;
    Sum& sum = sums_[run.table];
    sum.upserts += run.inserts + run.updates;
    sum.deletes += run.deletes;
    sum.bytes += run.length;
    sum.committed_at = std::max(sum.committed_at, run.committed_last);
    sum.lag_ms = lag_ms(run.committed_last);
  }
  context_.Tell("segment_sealed", {{"number", number.value()},
                                   {"rows", rows},
                                   {"bytes", bytes},
                                   {"lag_ms", lag_ms(committed_at)},
                                   {"bytes_behind", stream.BytesBehind()}});
  const int64_t nulled = stream.values_nulled();
  if (nulled > nulled_told_) {
    context_.Tell("values_nulled", {{"values", nulled - nulled_told_}});
    nulled_told_ = nulled;
  }
}

void SealedReport::TellDue() {
  if (sums_.empty() || context_.clock->Now() - told_ < kTellInterval) return;
  TellRest();
}

void SealedReport::TellRest() {
  told_ = context_.clock->Now();
  for (const auto& [table, sum] : std::exchange(sums_, {})) {
    const auto& name = context_.writer->checkpoint().tables.at(table).name;
    context_.Tell("changes_staged", {{"table", name.ToString()},
                                     {"upserted", sum.upserts},
                                     {"deleted", sum.deletes},
                                     {"bytes", sum.bytes},
                                     {"committed_at", sum.committed_at},
                                     {"lag_ms", sum.lag_ms}});
  }
}

}  // namespace freshet::capture
