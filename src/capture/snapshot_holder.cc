// SPDX-License-Identifier: Apache-2.0
#include "capture/snapshot_holder.h"

namespace freshet::capture {
namespace {

constexpr size_t kHandleBytesMax = 1024;

}  // namespace

Result<std::string> HeldSnapshots::Take() {
  FRESHET_TRY(auto snapshot, source_->BeginSnapshot());
  std::string handle = snapshot->Handle();
  FRESHET_ASSERT(!handle.empty() && handle.size() <= kHandleBytesMax);
  held_[handle] = std::move(snapshot);
  return handle;
}

void HeldSnapshots::KeepOnly(const std::set<std::string>& handles) {
  std::erase_if(held_, [&](const auto& each) { return !handles.contains(each.first); });
}

}  // namespace freshet::capture
