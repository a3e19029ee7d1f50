// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"

namespace freshet::api {

/// How many requests each client may send: as many at once as in a minute, and then at that rate.
/// Thread-safe.
class RateLimiter {
 public:
  /// 0: any number.
  RateLimiter(const Clock* clock, int64_t per_minute) : clock_(clock), per_minute_(per_minute) {}

  /// Count a request; nothing: it may go on. Else after how many seconds the next one may.
  std::optional<int64_t> Take(const std::string& client);

 private:
  struct Bucket {
    double left = 0;
    MonotonicTime at;
  };
  double Refilled(const Bucket& bucket, MonotonicTime now) const;
  void Forget(MonotonicTime now);

  const Clock* const clock_;
  const int64_t per_minute_;
  std::mutex mutex_;
  std::map<std::string, Bucket> buckets_;  // protected by mutex_
};

}  // namespace freshet::api
