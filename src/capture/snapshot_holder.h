// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "sources/source.h"

namespace freshet::capture {

/// Holds snapshots of the source open for a gateway that reads from them by their handles. One that
/// lives in another process outlives the gateway's crash, and so do its snapshots. One call at a
/// time, from any thread.
class SnapshotHolder {
 public:
  virtual ~SnapshotHolder() = default;
  /// Take a snapshot and hold it; return its handle. Errors: as Source::BeginSnapshot.
  virtual Result<std::string> Take() = 0;
  /// Let go of every snapshot but these.
  virtual void KeepOnly(const std::set<std::string>& handles) = 0;
};

/// Holds them in this process.
class HeldSnapshots final : public SnapshotHolder {
 public:
  explicit HeldSnapshots(sources::Source* source) : source_(source) {}
  Result<std::string> Take() override;
  void KeepOnly(const std::set<std::string>& handles) override;
  bool empty() const { return held_.empty(); }

 private:
  sources::Source* const source_;
  std::map<std::string, std::unique_ptr<sources::Snapshot>> held_;
};

}  // namespace freshet::capture
