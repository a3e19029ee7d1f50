// SPDX-License-Identifier: Apache-2.0
#include "pipeline/gateway_run.h"

#include <algorithm>

#include "base/log.h"
#include "catalog/secret_box.h"
#include "pipeline/event_line.h"
#include "pipeline/gateway_place.h"
#include "pipeline/run_options.h"
#include "pipeline/update_plan.h"

namespace freshet::pipeline {
namespace {

/// Between two looks at whether somebody asks for something by now.
constexpr std::chrono::milliseconds kLookInterval{200};
/// Between two looks at whether the connection was edited.
constexpr std::chrono::seconds kConnectionInterval{5};

record::TableName NameIn(const std::string& text) {
  auto dot = text.rfind('.');
  if (dot == std::string::npos) return {"", text};
  return {text.substr(0, dot), text.substr(dot + 1)};
}

}  // namespace

void GatewayRun::Wait(std::chrono::milliseconds wait) const {
  auto& clock = *parts_.update_parts->clock;
  auto until = clock.Now() + wait;
  while (!parts_.stopping() && clock.Now() < until)
    clock.WaitUntil(std::min(until, clock.Now() + std::chrono::milliseconds(100)), parts_.ending);
}

void GatewayRun::WaitForNews() const {
  auto seen = parts_.update_parts->book->revision();
  if (seen != looked_at_) return;
  while (!parts_.stopping() && parts_.update_parts->book->revision() == seen) Wait(kLookInterval);
}

Result<std::optional<IngestOptions>> GatewayRun::Plan() {
  const auto& server = *parts_.update_parts;
  looked_at_ = server.book->revision();
  FRESHET_TRY(auto record, server.book->Get(pipeline_.id));
  progress_.Configure(ConfigurationOf(record));
  FRESHET_TRY(auto definition, BegunGateway(server.data, record));
  FRESHET_TRY(auto followers, FollowersOf(*server.book, pipeline_.id));
  FRESHET_TRY(auto plan, PlanCapture(definition, std::move(followers)));
  if (plan.database.empty()) return std::optional<IngestOptions>();
  IngestOptions options;
  options.halves = Halves::kCapture;
  options.directory = FolderOfPipeline(server.data, pipeline_.id);
  options.database = plan.database;
  options.spec = std::move(plan.spec);
  options.continuous = true;
  options.update = parts_.update;
  FRESHET_TRY(options.source,
              ReachSource(*server.catalog, server.data, definition.connection_name, plan.database));
  FRESHET_CHECK_OK(CompleteSource(&options));
  for (const auto& follower : plan.followers) options.pipelines.push_back(follower.record.id);
  database_ = plan.database;
  followers_ = std::move(plan.followers);
  return std::optional(std::move(options));
}

Result<std::optional<IngestOptions>> GatewayRun::PrepareAndPlan() {
  if (log_file_.empty()) {
    FRESHET_TRY(log_file_, parts_.prepare());
  }
  return Plan();
}

void GatewayRun::WaitAfter(const Status& why, const record::Event& event) {
  auto wait = backoff_.OnFailure(parts_.update_parts->clock->Now(), jitter_.Next());
  spdlog::warn("gateway={} tries again: {}", pipeline_.id, why.ToString());
  // The log may be what fails.
  if (auto told = parts_.log->Take(event); !told.ok())
    spdlog::warn("gateway={} {}", pipeline_.id, told.ToString());
  Wait(wait.value_or(std::chrono::seconds(15)));
}

Status GatewayRun::Run() {
  while (!parts_.stopping()) {
    auto planned = PrepareAndPlan();
    if (planned.status().retry() == Retry::kBackoff) {
      WaitAfter(planned.status(), {"warning",
                                   {{"reason", "the gateway cannot begin yet, and tries again: " +
                                                   planned.status().ToString()}}});
      continue;
    }
    FRESHET_TRY(auto options, std::move(planned));
    if (!options) {
      WaitForNews();
      continue;
    }
    planned_ = catalog::HashOf(ToLine(*options));
    options->revision = ++revision_;
    asked_ = {{revision_, followers_}};
    auto end = RunProcesses(*options);
    parts_.update_parts->gateways->Close(pipeline_.id);
    if (auto told = Tell(progress_.Rest()); !told.ok())
      spdlog::warn("gateway={} {}", pipeline_.id, told.ToString());
    if (parts_.stopping()) break;
    if (outdated_) continue;
    bool mended_by_waiting = !end.said || end.status.ok() || end.status.retry() == Retry::kBackoff;
    if (!mended_by_waiting) return end.status;
    WaitAfter(end.status, WithStatus({"worker_restarted", {}}, end.status));
  }
  return Status::Ok();
}

RunEnd GatewayRun::RunProcesses(const IngestOptions& options) {
  capturing_ = outdated_ = false;
  left_out_.clear();
  listed_.clear();
  RunProcess::Parts parts{.clock = parts_.update_parts->clock,
                          .program = parts_.update_parts->program,
                          .log = log_file_,
                          .stopping = parts_.stopping,
                          .take = [this](const record::Event& event) { return Take(event); },
                          .tick = [this](RunProcess& process) { return Tick(process); }};
  return RunProcess::Run(parts, options);
}

Status GatewayRun::Tick(RunProcess& process) {
  const auto& server = *parts_.update_parts;
  // One that still looks for its source hears nothing.
  auto ended = [] { return Error(ErrorClass::CANCELLED, "it has not reached its source"); };
  if (parts_.stopping() && !capturing_) return ended();
  if (capturing_) FRESHET_CHECK_OK(Tell(progress_.Due(server.clock->Now())));
  if (server.book->revision() == looked_at_ && server.clock->Now() < look_at_) return Status::Ok();
  look_at_ = server.clock->Now() + kConnectionInterval;
  auto options = Plan();
  if (!options.ok()) {
    // It goes on with what it has: what was authored is checked where it is authored.
    spdlog::warn("gateway={} {}", pipeline_.id, options.status().ToString());
    return Status::Ok();
  }
  if (!*options) return Status::Ok();
  auto planned = catalog::HashOf(ToLine(**options));
  outdated_ = planned != planned_ && !capturing_;
  if (outdated_) return ended();
  if (planned != planned_) {
    planned_ = std::move(planned);
    (*options)->revision = ++revision_;
    asked_[revision_] = followers_;
    process.Send(**options);
  } else if (asked_.empty()) {
    // Edits that change nothing of what is captured: the same process serves them.
    server.gateways->Serve(pipeline_.id, followers_, left_out_);
  } else {
    asked_.rbegin()->second = followers_;
  }
  return Status::Ok();
}

Status GatewayRun::Take(const record::Event& event) {
  if (event.name == "segment_sealed") backoff_.OnProgress();
  if (event.name == "capturing") {
    TakeCapturing(NumberOf(event, "revision"));
    return Status::Ok();
  }
  if (event.name == "table_left_out") TakeLeftOut(event);
  FRESHET_CHECK_OK(followers_log_.Tell(followers_, event));
  return Tell(progress_.Take(event, parts_.update_parts->clock->Now()));
}

Status GatewayRun::Tell(const std::vector<record::Event>& events) {
  for (const auto& event : events) {
    auto named = event;
    for (auto& [field, value] : named.fields) {
      // Source: the published names of a gateway's flows begin with the database.
      if (field == "table") value = database_ + "." + TextOf(event, "table");
    }
    FRESHET_CHECK_OK(parts_.log->Take(named));
  }
  return Status::Ok();
}

/// What was there when it began is told before it says that it captures; the rest is found later.
void GatewayRun::TakeLeftOut(const record::Event& event) {
  auto& among = Has(event, "listed") ? listed_ : left_out_;
  among.insert_or_assign(NameIn(TextOf(event, "table")), StatusOf(event));
  if (!Has(event, "listed") && asked_.empty())
    parts_.update_parts->gateways->Serve(pipeline_.id, followers_, left_out_);
}

void GatewayRun::TakeCapturing(int64_t revision) {
  capturing_ = true;
  left_out_ = std::exchange(listed_, {});
  auto served = asked_.find(revision);
  if (served != asked_.end()) {
    parts_.update_parts->gateways->Serve(pipeline_.id, served->second, left_out_);
    asked_.erase(asked_.begin(), std::next(served));
  } else if (asked_.empty()) {
    parts_.update_parts->gateways->Serve(pipeline_.id, followers_, left_out_);
  }
}

}  // namespace freshet::pipeline
