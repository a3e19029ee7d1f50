// SPDX-License-Identifier: Apache-2.0
#include "pipeline/restart_windows.h"

#include "base/crc32c.h"
#include "base/log.h"
#include "base/server_limits.h"
#include "pipeline/gateway_definition.h"
#include "pipeline/update_plan.h"

namespace freshet::pipeline {
namespace {

/// The part of a window in which pipelines are begun anew, each at its own moment: all at once
/// would be too much for sources and for this machine.
constexpr std::chrono::microseconds kSpread = std::chrono::hours(1);

UtcMicros MomentOf(const std::string& pipeline) {
  return static_cast<UtcMicros>(Crc32c(pipeline)) % kSpread.count();
}

}  // namespace

void RestartWindows::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      Step();
      parts_.clock->WaitUntil(parts_.clock->Now() + limits::kRestartLook, stop);
    }
  });
}

void RestartWindows::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void RestartWindows::Step() {
  if (auto looked = Look(); !looked.ok()) spdlog::warn("restart windows: {}", looked.ToString());
  for (const auto& each : windowed_) {
    auto attended = Attend(each);
    if (!attended.ok()) spdlog::warn("pipeline={} {}", each.pipeline, attended.ToString());
  }
}

Status RestartWindows::Look() {
  const auto revision = parts_.book->revision();
  if (revision == revision_) return Status::Ok();
  FRESHET_TRY(auto pipelines, parts_.book->WithRestartWindow());
  windowed_.clear();
  for (const auto& pipeline : pipelines) {
    if (!pipeline.continuous && !IsGateway(pipeline)) continue;
    auto window = RestartWindowOf(pipeline);
    if (!window.ok()) {
      spdlog::warn("pipeline={} {}", pipeline.id, window.status().ToString());
    } else if (*window) {
      windowed_.push_back({pipeline.id, **window});
    }
  }
  revision_ = revision;
  return Status::Ok();
}

Status RestartWindows::Attend(const Windowed& windowed) {
  const auto now = parts_.clock->WallNow();
  FRESHET_TRY(auto began, WindowBegan(windowed.window, now));
  if (!began || now < *began + MomentOf(windowed.pipeline)) return Status::Ok();
  FRESHET_TRY(auto active, parts_.book->Active(windowed.pipeline));
  // One that does not run yet takes the newest definition anyway, and what it was asked for with
  // it.
  if (!active || active->state != UpdateState::kRunning || OnlyValidates(*active))
    return Status::Ok();
  const UtcMicros begun = active->created_at * 1000;
  if (begun < *began) parts_.restart(*active);
  return Status::Ok();
}

}  // namespace freshet::pipeline
