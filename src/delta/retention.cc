// SPDX-License-Identifier: Apache-2.0
#include "delta/retention.h"

#include <charconv>

namespace freshet::delta {
namespace {

constexpr int64_t kHourMs = 3'600'000;
constexpr int64_t kDayMs = 24 * kHourMs;

/// Read `interval 3 days` and its like; INT64_MAX: it has another form.
int64_t MillisOf(std::string_view text) {
  if (text.starts_with("interval ")) text.remove_prefix(9);
  int64_t count = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || count < 0 || count > INT32_MAX) return INT64_MAX;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  if (text.starts_with(" hour")) return count * kHourMs;
  if (text.starts_with(" day")) return count * kDayMs;
  if (text.starts_with(" week")) return count * 7 * kDayMs;
  return INT64_MAX;
}

int64_t IntervalMs(const Metadata& metadata, const char* property, int64_t otherwise) {
  auto found = metadata.configuration.find(property);
  return found == metadata.configuration.end() ? otherwise : MillisOf(found->second);
}

}  // namespace

bool IsInterval(std::string_view text) { return MillisOf(text) != INT64_MAX; }

int64_t DeletedFileRetentionMs(const Metadata& metadata) {
  return IntervalMs(metadata, "delta.deletedFileRetentionDuration", 7 * kDayMs);
}

int64_t LogRetentionMs(const Metadata& metadata) {
  auto cleanup = metadata.configuration.find("delta.enableExpiredLogCleanup");
  if (cleanup != metadata.configuration.end() && cleanup->second == "false") return INT64_MAX;
  return IntervalMs(metadata, "delta.logRetentionDuration", 30 * kDayMs);
}

}  // namespace freshet::delta
