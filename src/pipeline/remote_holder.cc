// SPDX-License-Identifier: Apache-2.0
#include "pipeline/remote_holder.h"

#include <fmt/ranges.h>

#include "base/random.h"
#include "pipeline/event_line.h"

namespace freshet::pipeline {
namespace {

constexpr int kTicketBytes = 8;
constexpr std::chrono::seconds kLookInterval{10};

}  // namespace

Result<std::string> RemoteHolder::Take() {
  // A former gateway's question may be answered yet: that answer is not ours.
  std::string ticket = RandomHex(kTicketBytes);
  channel_->OnEvent({"snapshot_wanted", {{"ticket", ticket}}});
  while (!channel_->stop().stop_requested()) {
    auto command = channel_->NextCommand();
    if (!command) {
      channel_->WaitForCommand(clock_->Now() + kLookInterval);
      continue;
    }
    if (command->name != "snapshot_taken" || TextOf(*command, "ticket") != ticket) continue;
    FRESHET_CHECK_OK(StatusOf(*command));
    return TextOf(*command, "handle");
  }
  return Error(ErrorClass::CANCELLED, "the gateway was stopped while a snapshot was taken");
}

void RemoteHolder::KeepOnly(const std::set<std::string>& handles) {
  channel_->OnEvent({"snapshots_read", {{"handles", JoinHandles(handles)}}});
}

std::string JoinHandles(const std::set<std::string>& handles) {
  return fmt::format("{}", fmt::join(handles, "\n"));
}

std::set<std::string> SplitHandles(std::string_view text) {
  std::set<std::string> handles;
  while (!text.empty()) {
    auto handle = text.substr(0, text.find('\n'));
    handles.emplace(handle);
    text.remove_prefix(std::min(text.size(), handle.size() + 1));
  }
  return handles;
}

}  // namespace freshet::pipeline
