// SPDX-License-Identifier: Apache-2.0
#include "pipeline/backoff.h"

#include <algorithm>

namespace freshet::pipeline {
namespace {

constexpr std::chrono::milliseconds kBase{500};
constexpr std::chrono::milliseconds kCap{15'000};

}  // namespace

std::optional<std::chrono::milliseconds> Backoff::OnFailure(MonotonicTime now, double jitter) {
  if (!failing_since_) failing_since_ = now;
  if (now - *failing_since_ >= retry_for_) return std::nullopt;
  auto wait = std::min(kCap, kBase * (1 << std::min(attempts_, 5)));
  ++attempts_;
  return std::chrono::duration_cast<std::chrono::milliseconds>(wait * (1.0 - 0.25 * jitter));
}

double Jitter::Next() {
  state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
  return static_cast<double>(state_ >> 40) / (1 << 24);
}

Verdict Judge(const Status& why, bool killed, bool continuous) {
  if (killed) return Verdict::kRestart;
  if (why.ok()) return Verdict::kDone;
  // Waiting two minutes for someone to free space is right for a service, and only hides the reason
  // in a run.
  if (why.Is(ErrorClass::STORE_FULL) && !continuous) return Verdict::kFatal;
  return why.retry() == Retry::kBackoff ? Verdict::kRestart : Verdict::kFatal;
}

}  // namespace freshet::pipeline
