// SPDX-License-Identifier: Apache-2.0
#include "capture/snapshot_taker.h"

#include <exception>

namespace freshet::capture {

SnapshotTaker::~SnapshotTaker() = default;

void SnapshotTaker::Start() {
  FRESHET_ASSERT(!busy_);
  busy_ = true;
  auto take = [this] {
    try {
      Taken taken = take_();
      std::lock_guard lock(mutex_);
      taken_ = std::move(taken);
    } catch (const std::exception& error) {
      AssertFailed("taking a snapshot never throws", __FILE__, __LINE__, error.what());
    }
  };
  if (threaded_) {
    thread_ = std::jthread(take);
  } else {
    take();
  }
}

std::optional<SnapshotTaker::Taken> SnapshotTaker::Take() {
  std::optional<Taken> taken;
  {
    std::lock_guard lock(mutex_);
    taken.swap(taken_);
  }
  if (taken) busy_ = false;
  return taken;
}

}  // namespace freshet::capture
