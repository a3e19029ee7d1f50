// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "base/log.h"
#include "capture/snapshot_holder.h"
#include "pipeline/event_line.h"
#include "pipeline/remote_holder.h"
#include "pipeline/worker_channel.h"
#include "pipeline/workers.h"

namespace freshet::pipeline {
namespace {

constexpr std::chrono::seconds kLookInterval{60};

/// The source is open while something is held, and no longer.
class Holder {
 public:
  Holder(const OpenSource& open_source, const SourceSettings& settings, WorkerChannel* channel)
      : open_source_(open_source), settings_(settings), channel_(channel) {}

  void Do(const record::Event& command) {
    if (command.name == "snapshot_wanted") {
      record::Event answer{"snapshot_taken", {{"ticket", TextOf(command, "ticket")}}};
      auto handle = Take();
      if (handle.ok()) answer.fields.emplace_back("handle", *handle);
      channel_->OnEvent(WithStatus(std::move(answer), handle.status()));
    } else if (command.name == "snapshots_read" && held_) {
      held_->KeepOnly(SplitHandles(TextOf(command, "handles")));
    }
    if (!held_ || !held_->empty()) return;
    held_.reset();
    source_.reset();
  }

 private:
  Result<std::string> Take() {
    if (!held_) {
      FRESHET_TRY(source_, open_source_(settings_));
      held_.emplace(source_.get());
    }
    return held_->Take();
  }

  const OpenSource& open_source_;
  const SourceSettings& settings_;
  WorkerChannel* const channel_;
  std::unique_ptr<sources::Source> source_;
  std::optional<capture::HeldSnapshots> held_;
};

Status Hold(WorkerChannel& channel, const OpenSource& open_source) {
  FRESHET_TRY(auto start, channel.ReadStart());
  channel.Start();
  Holder holder(open_source, start.source, &channel);
  SystemClock clock;
  while (!channel.stop().stop_requested()) {
    if (auto command = channel.NextCommand()) {
      holder.Do(*command);
    } else if (channel.drain_requested()) {
      return Status::Ok();
    } else {
      channel.WaitForCommand(clock.Now() + kLookInterval);
    }
  }
  return Error(ErrorClass::CANCELLED, "the holder was stopped");
}

}  // namespace

int RunHolderWorker(const OpenSource& open_source) {
  SetUpLog("holder", "info");
  auto channel = WorkerChannel::Open();
  if (!channel.ok()) {
    spdlog::error("{}", channel.status().ToString());
    return 1;
  }
  auto status = Hold(**channel, open_source);
  if (!status.ok()) spdlog::error("{}", status.ToString());
  return (*channel)->End(status);
}

}  // namespace freshet::pipeline
