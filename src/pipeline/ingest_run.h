// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pipeline/destination.h"
#include "pipeline/display.h"
#include "pipeline/run_progress.h"
#include "pipeline/supervisor.h"
#include "pipeline/worker_channel.h"

namespace freshet::pipeline {

inline constexpr char kGatewayRole[] = "gateway";
inline constexpr char kUpdateRole[] = "update";
inline constexpr char kHolderRole[] = "holder";

/// What a run's workers say, brought together: progress, display, status files, and how a run
/// comes to its end. One thread, the supervisor's.
///
///   gateway: discovered all, through D       → update: has wished everything staged through W >= D
///   → gateway: drain                         → finishes the wished snapshots, captures its fence:
///                                            captured through N
///   → update: drain through N                → applies through N and ends
///
/// The holder of the gateway's snapshots is started at the first question for one. An update may
/// find that a table has to be read anew when nobody reads any more: then all of it is done once
/// more.
class IngestRun final : public Supervisor::Listener {
 public:
  IngestRun(Clock* clock, Display* display, const Destination* destination, WorkerStart start);

  void SetSupervisor(Supervisor* supervisor) { supervisor_ = supervisor; }
  /// Ask for another start of the gateway several times a second: it is then started anew with
  /// that, and the holder keeps its snapshots meanwhile.
  void SetNews(std::function<std::optional<WorkerStart>(const WorkerStart&)> news) {
    news_ = std::move(news);
  }
  /// What is done once all that an update over somebody else's gateway waits for is staged.
  void SetOnStaged(std::function<void()> on_staged) { on_staged_ = std::move(on_staged); }
  /// Take an event of the command's own.
  void Tell(const record::Event& event);
  const RunProgress& progress() const { return progress_; }
  /// The workers have ended: whether tables failed that are to be read anew, as the update asked
  /// for. They count as failed no more, and the run may be begun again.
  bool BeginAgain();

  std::vector<std::string> Greeting(const std::string& role) override;
  bool OnEvent(const std::string& role, const record::Event& event) override;
  void OnRestart(const std::string& role, const Status& why,
                 std::chrono::milliseconds wait) override;
  void OnTick() override;
  /// Write the status files a last time, with how the run ended.
  void SaveStatus(bool running, const Status& ended);

 private:
  bool IsLeftOut(const std::string& table) const;
  void FollowGateway(const record::Event& event);
  void FollowUpdate(const record::Event& event);
  void FollowHolder(const record::Event& event);
  void DrainWhenWished();
  Status SaveTables();

  Clock* const clock_;
  Display* const display_;
  const Destination* const destination_;
  WorkerStart start_;
  Supervisor* supervisor_ = nullptr;
  RunProgress progress_;
  /// What is known of the workers since the run began, or began again.
  struct Lap {
    std::optional<int64_t> discovered, wished, captured;
    std::optional<record::Event> wanted;  // the gateway's question to the holder, until its answer
    bool draining = false;
    std::set<std::string> asked;  // tables that the update wants read anew
  };
  Lap lap_;
  MonotonicTime save_at_{};
  std::function<std::optional<WorkerStart>(const WorkerStart&)> news_;
  std::function<void()> on_staged_;
};

}  // namespace freshet::pipeline
