// SPDX-License-Identifier: Apache-2.0
#include "pipeline/run_process.h"

#include <poll.h>

#include "pipeline/event_digest.h"
#include "pipeline/event_line.h"
#include "pipeline/run_options.h"

namespace freshet::pipeline {
namespace {

constexpr char kRunRole[] = "run";
constexpr int kPollMs = 100;
/// What a run has to end in once it is asked to; its own workers have a little less.
constexpr std::chrono::seconds kStopWithin{30};

}  // namespace

RunEnd RunProcess::Run(const Parts& parts, const IngestOptions& options) {
  auto arguments = parts.program;
  arguments.emplace_back(kRunRole);
  auto process = WorkerProcess::Run({.arguments = std::move(arguments), .log = parts.log});
  if (!process.ok()) return {process.status(), false};
  RunProcess run(parts, std::move(process).value());
  run.Send(options);
  return run.Watch();
}

void RunProcess::Send(const IngestOptions& options) { process_->Send(ToLine(options)); }

Status RunProcess::TakeAll(const std::vector<record::Event>& events) const {
  for (const auto& event : events) FRESHET_CHECK_OK(parts_.take(event));
  return Status::Ok();
}

RunEnd RunProcess::Watch() {
  RunEnd end{Error(ErrorClass::INTERNAL, "the update's process ended without a word"), false};
  auto refuse = [](const Status& why) { return RunEnd{why, true}; };
  EventDigest digest;
  std::optional<MonotonicTime> kill_at;
  for (bool open = true; open;) {
    pollfd output{process_->output(), POLLIN, 0};
    poll(&output, 1, kPollMs);
    std::vector<std::string> lines;
    open = process_->Read(&lines);
    for (const auto& line : lines) {
      auto event = EventFromLine(line);
      if (!event.ok()) continue;
      if (event->name == "run_finished") {
        // Stopped by somebody else's signal it goes on, as after a crash.
        end = {StatusOf(*event), !StatusOf(*event).Is(ErrorClass::CANCELLED)};
      }
      auto taken = TakeAll(digest.Take(*event, parts_.clock->Now()));
      if (!taken.ok()) return refuse(taken);
    }
    if (auto told = TakeAll(digest.Due(parts_.clock->Now())); !told.ok()) return refuse(told);
    if (parts_.tick && open) {
      if (auto ticked = parts_.tick(*this); !ticked.ok()) return refuse(ticked);
    }
    if (parts_.stopping() && !kill_at) {
      kill_at = parts_.clock->Now() + kStopWithin;
      process_->CloseInput();
    }
    if (kill_at && parts_.clock->Now() >= *kill_at) process_->Kill();
  }
  process_->Wait();
  if (auto told = TakeAll(digest.Rest()); !told.ok()) return refuse(told);
  return end;
}

}  // namespace freshet::pipeline
