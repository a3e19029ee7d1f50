// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>

#include "base/limits.h"
#include "base/log.h"
#include "capture/gateway.h"
#include "pipeline/destination.h"
#include "pipeline/event_line.h"
#include "pipeline/remote_holder.h"
#include "pipeline/spec_index.h"
#include "pipeline/worker_channel.h"
#include "pipeline/workers.h"
#include "store/file_store.h"

namespace freshet::pipeline {
namespace {

staging::StagingWriter::ExpiryRules RulesOf(const StagingLimits& limits) {
  staging::StagingWriter::ExpiryRules rules{.retention = limits.retention,
                                            .bytes_max = limits.bytes_max};
  // Its maximum means that there is none; in microseconds it would not fit.
  if (limits.age_max != std::chrono::seconds::max()) rules.age_max = limits.age_max;
  return rules;
}

/// REQUIRES: the specification lives longer.
capture::TablePolicies PoliciesOf(const PipelineSpec* spec) {
  capture::TablePolicies policies;
  const auto* rules = &spec->table_rules;
  policies.on_schema_change = [rules](const record::TableName& name) {
    return RuleOf(*rules, name).on_schema_change.value_or(capture::OnSchemaChange::kEvolve);
  };
  policies.refresh_lost = [rules](const record::TableName& name) {
    return RefreshInterval(RuleOf(*rules, name));
  };
  return policies;
}

/// What is selected and cannot be ingested, which nobody who reads the staging can tell from what
/// is not there.
Status TellLeftOut(WorkerChannel& channel, const WorkerStart& start, const SpecIndex& index,
                   sources::Source& source) {
  FRESHET_TRY(auto listings, source.ListTables());
  for (const auto& listing : listings) {
    bool taken = index.Selects(listing.name) && (!listing.derived || index.Names(listing.name));
    if (!taken || listing.problem.ok()) continue;
    channel.OnEvent(
        WithStatus({"table_left_out", {{"table", listing.name.ToString()}, {"listed", true}}},
                   listing.problem));
  }
  channel.OnEvent({"capturing", {{"revision", start.revision}}});
  return Status::Ok();
}

/// REQUIRES: the start lives longer.
void ServeOthers(const WorkerStart* start, capture::GatewayOptions* options) {
  options->answers = true;
  options->serves = [start](const record::FlowId& flow) {
    return std::ranges::any_of(start->pipelines, [&](const std::string& pipeline) {
      return IsFlowOf(record::PipelineId(pipeline), flow);
    });
  };
}

Status Capture(WorkerChannel& channel, const OpenSource& open_source) {
  FRESHET_TRY(auto start, channel.ReadStart());
  channel.Start();
  FRESHET_TRY(auto destination, Destination::Open(start.destination));
  FRESHET_TRY(auto store, store::OpenLocalStore(destination.staging()));
  start.source.scratch_folder = destination.staging();
  FRESHET_TRY(auto source, open_source(start.source));
  SystemClock clock;
  RemoteHolder holder(&channel, &clock);
  capture::GatewayOptions options;
  options.holder = &holder;
  const SpecIndex index(start.spec);
  options.selects = [&index](const record::TableName& name) { return index.Selects(name); };
  options.policies = PoliciesOf(&start.spec);
  options.names = [&index](const record::TableName& name) { return index.Names(name); };
  // A run that ends reads them once.
  options.reread_interval = start.continuous ? std::chrono::milliseconds(start.spec.reread_interval)
                                             : std::chrono::milliseconds::max();
  options.snapshot_readers = limits::kSnapshotReadersMax;
  options.expiry = RulesOf(start.spec.staging);
  options.drain_requested = [&channel] { return channel.drain_requested(); };
  if (start.apart) {
    FRESHET_CHECK_OK(TellLeftOut(channel, start, index, *source));
    ServeOthers(&start, &options);
  }
  capture::Gateway gateway(source.get(), store, &clock, &channel, std::move(options));
  FRESHET_TRY(auto captured, gateway.Run(channel.stop()));
  channel.OnEvent({"captured", {{"through", captured.through.value()}}});
  return Status::Ok();
}

}  // namespace

int RunGatewayWorker(const OpenSource& open_source) {
  SetUpLog("gateway", "info");
  auto channel = WorkerChannel::Open();
  if (!channel.ok()) {
    spdlog::error("{}", channel.status().ToString());
    return 1;
  }
  auto status = Capture(**channel, open_source);
  if (!status.ok()) spdlog::error("{}", status.ToString());
  return (*channel)->End(status);
}

}  // namespace freshet::pipeline
