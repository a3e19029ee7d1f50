// SPDX-License-Identifier: Apache-2.0
#include "api/rate_limiter.h"

#include <algorithm>
#include <cmath>

#include "base/server_limits.h"

namespace freshet::api {
namespace {

constexpr double kSecondsPerMinute = 60;

}  // namespace

double RateLimiter::Refilled(const Bucket& bucket, MonotonicTime now) const {
  auto seconds = std::chrono::duration<double>(now - bucket.at).count();
  auto most = static_cast<double>(per_minute_);
  return std::min(most, bucket.left + seconds * most / kSecondsPerMinute);
}

/// Who has not asked for a minute is as if he never had.
void RateLimiter::Forget(MonotonicTime now) {
  auto most = static_cast<double>(per_minute_);
  std::erase_if(buckets_, [&](const auto& each) { return Refilled(each.second, now) >= most; });
  // More clients than that at once: they all begin anew.
  if (buckets_.size() >= limits::kClientsMax) buckets_.clear();
}

std::optional<int64_t> RateLimiter::Take(const std::string& client) {
  if (per_minute_ == 0) return std::nullopt;
  auto now = clock_->Now();
  std::lock_guard lock(mutex_);
  if (buckets_.size() >= limits::kClientsMax && !buckets_.contains(client)) Forget(now);
  auto most = static_cast<double>(per_minute_);
  auto& bucket = buckets_.try_emplace(client, Bucket{.left = most, .at = now}).first->second;
  bucket = {.left = Refilled(bucket, now), .at = now};
  if (bucket.left >= 1) {
    bucket.left -= 1;
    return std::nullopt;
  }
  auto seconds = (1 - bucket.left) * kSecondsPerMinute / most;
  return std::max<int64_t>(1, static_cast<int64_t>(std::ceil(seconds)));
}

}  // namespace freshet::api
