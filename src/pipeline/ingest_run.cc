// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest_run.h"

#include <algorithm>

#include "base/log.h"
#include "pipeline/event_line.h"

namespace freshet::pipeline {
namespace {

constexpr std::chrono::seconds kSaveInterval{1};

record::Event Drain() { return {"drain", {}}; }
record::Event DrainThrough(int64_t segment) { return {"drain", {{"through", segment}}}; }

/// What goes on between the workers is not shown to people. Of a gateway alone nobody else says
/// that it works.
bool IsInner(const std::string& name, bool apart) {
  const bool captures = name == "segment_sealed" || name == "changes_staged";
  return (captures && !apart) || name == "segment_seen" || name == "wished" ||
         name == "gateway_started" || name == "captured" || name == "snapshot_wanted" ||
         name == "snapshot_taken" || name == "snapshots_read";
}

/// Whether the event is about a table that this run leaves as it is.
bool IsOfAnother(const record::Event& event, const PipelineSpec& spec) {
  auto table = TextOf(event, "table");
  if (table.empty() || spec.chosen.empty()) return false;
  return std::ranges::none_of(spec.chosen,
                              [&](const auto& name) { return name.ToString() == table; });
}

}  // namespace

IngestRun::IngestRun(Clock* clock, Display* display, const Destination* destination,
                     WorkerStart start)
    : clock_(clock), display_(display), destination_(destination), start_(std::move(start)) {}

void IngestRun::Tell(const record::Event& event) {
  if (IsOfAnother(event, start_.spec)) {
    // What becomes of it meanwhile is told by the run that brings it up to date.
    if (event.name == "table_excluded") display_->OnEvent(event, progress_);
    return;
  }
  if (event.name == "table_left_out" && IsLeftOut(TextOf(event, "table"))) return;
  progress_.Take(event);
  if (!IsInner(event.name, start_.apart)) display_->OnEvent(event, progress_);
}

bool IngestRun::IsLeftOut(const std::string& table) const {
  auto known = progress_.tables().find(table);
  return known != progress_.tables().end() && known->second.state == TableProgress::State::kLeftOut;
}

std::vector<std::string> IngestRun::Greeting(const std::string& role) {
  std::vector<std::string> lines{ToLine(start_)};
  if (role == kHolderRole && lap_.wanted) lines.push_back(ToLine(*lap_.wanted));
  if (role == kHolderRole && lap_.captured) lines.push_back(ToLine(Drain()));
  if (role == kUpdateRole && lap_.captured) lines.push_back(ToLine(DrainThrough(*lap_.captured)));
  return lines;
}

bool IngestRun::OnEvent(const std::string& role, const record::Event& event) {
  Tell(event);
  if (role == kGatewayRole) FollowGateway(event);
  if (role == kUpdateRole) FollowUpdate(event);
  if (event.name == "snapshots_staged" && on_staged_) on_staged_();
  if (role == kHolderRole) FollowHolder(event);
  return event.name == "segment_sealed" || event.name == "segment_seen" ||
         event.name == "table_committed" || event.name == "captured";
}

void IngestRun::FollowGateway(const record::Event& event) {
  if (event.name == "segment_sealed")
    supervisor_->Send(kUpdateRole, ToLine(record::Event{"hint", {}}));
  if (event.name == "gateway_started") {
    // One that was started again may have found more tables than the one before.
    lap_.discovered = NumberOf(event, "through");
    lap_.draining = false;
    DrainWhenWished();
  }
  if (event.name == "captured") {
    lap_.captured = NumberOf(event, "through");
    supervisor_->Send(kUpdateRole, ToLine(DrainThrough(*lap_.captured)));
    supervisor_->Send(kHolderRole, ToLine(Drain()));
  }
  if (event.name == "snapshot_wanted") {
    lap_.wanted = event;
    supervisor_->Wake(kHolderRole);
    supervisor_->Send(kHolderRole, ToLine(event));
  }
  if (event.name == "snapshots_read") supervisor_->Send(kHolderRole, ToLine(event));
}

void IngestRun::FollowHolder(const record::Event& event) {
  if (event.name != "snapshot_taken") return;
  if (lap_.wanted && TextOf(*lap_.wanted, "ticket") == TextOf(event, "ticket")) lap_.wanted.reset();
  supervisor_->Send(kGatewayRole, ToLine(event));
}

bool IngestRun::BeginAgain() {
  bool any = false;
  for (const auto& table : lap_.asked) any = progress_.TakeUp(table) || any;
  lap_ = {};
  return any;
}

void IngestRun::FollowUpdate(const record::Event& event) {
  if (event.name == "refresh_asked") lap_.asked.insert(TextOf(event, "table"));
  if (event.name != "wished") return;
  lap_.wished = NumberOf(event, "through");
  DrainWhenWished();
}

void IngestRun::DrainWhenWished() {
  if (start_.continuous || lap_.draining || !lap_.discovered || !lap_.wished ||
      *lap_.wished < *lap_.discovered)
    return;
  lap_.draining = true;
  supervisor_->Send(kGatewayRole, ToLine(Drain()));
}

void IngestRun::OnRestart(const std::string& role, const Status& why,
                          std::chrono::milliseconds wait) {
  Tell(WithStatus({"worker_restarted", {{"worker", role}, {"wait_ms", wait.count()}}}, why));
}

void IngestRun::OnTick() {
  display_->OnTick(progress_);
  auto news = news_ ? news_(start_) : std::nullopt;
  if (news) {
    start_ = *std::move(news);
    supervisor_->Restart(kGatewayRole);
  }
  if (clock_->Now() < save_at_) return;
  save_at_ = clock_->Now() + kSaveInterval;
  SaveStatus(true, Status::Ok());
}

void IngestRun::SaveStatus(bool running, const Status& ended) {
  record::Event run{"run",
                    {{"running", running},
                     {"at", clock_->WallNow()},
                     {"sealed_at", progress_.sealed_at()},
                     {"bytes_behind", progress_.bytes_behind()}}};
  auto saved = ReplaceFile(destination_->status() + "/run.json",
                           ToLine(WithStatus(std::move(run), ended)), false);
  if (saved.ok()) saved = SaveTables();
  // Status files are for onlookers: a full disk is reported by what needs the space.
  if (!saved.ok()) spdlog::warn("{}", saved.ToString());
}

Status IngestRun::SaveTables() {
  for (auto& [name, table] : progress_.tables()) {
    if (!table.unsaved) continue;
    auto path = fmt::format("{}/table-{}.json", destination_->status(), EncodeName(name));
    // What a former run read counts until this one has read it.
    if (auto saved = ReadEventFile(path); saved && table.read_at == 0)
      table.read_at = NumberOf(*saved, "read_at");
    record::Event event{"table",
                        {{"table", name},
                         {"flow", table.flow},
                         {"state", std::string(NameOf(table.state))},
                         {"snapshot_rows", table.snapshot_rows},
                         {"rows_estimated", table.rows_estimated},
                         {"chunks", table.chunks},
                         {"chunks_done", table.chunks_done},
                         {"rows_per_second", table.rows_per_second},
                         {"seconds_left", table.seconds_left},
                         {"read_at", table.read_at},
                         {"committed_at", table.committed_at}}};
    FRESHET_CHECK_OK(ReplaceFile(path, ToLine(WithStatus(std::move(event), table.failed)), false));
    table.unsaved = false;
  }
  return Status::Ok();
}

}  // namespace freshet::pipeline
