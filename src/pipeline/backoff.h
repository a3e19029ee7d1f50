// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/status.h"

namespace freshet::pipeline {

/// When a failed worker starts again: after 0.5 s, twice as long each time up to 15 s, less a
/// random quarter, until it has failed for `retry_for` without any progress. Not thread-safe.
class Backoff {
 public:
  explicit Backoff(std::chrono::milliseconds retry_for) : retry_for_(retry_for) {}

  /// Return how long to wait before the next start; nothing: give up. `jitter` is in [0, 1).
  std::optional<std::chrono::milliseconds> OnFailure(MonotonicTime now, double jitter);
  void OnProgress() {
    failing_since_.reset();
    attempts_ = 0;
  }
  int attempts() const { return attempts_; }

 private:
  const std::chrono::milliseconds retry_for_;
  std::optional<MonotonicTime> failing_since_;
  int attempts_ = 0;
};

/// Numbers in [0, 1), others for other seeds: so that what failed together is not tried together.
class Jitter {
 public:
  explicit Jitter(uint64_t seed) : state_(seed) {}
  double Next();

 private:
  uint64_t state_;
};

/// How a worker ended, as far as it decides what is done about it.
enum class Verdict : uint8_t { kDone, kRestart, kFatal };
/// Judge a worker's end: `why` is what it said, `killed` that a signal ended it.
Verdict Judge(const Status& why, bool killed, bool continuous);

}  // namespace freshet::pipeline
