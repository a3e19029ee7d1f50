// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "base/limits.h"
#include "base/log.h"
#include "capture/gateway.h"
#include "pipeline/destination.h"
#include "pipeline/remote_holder.h"
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
  options.selects = [&start](const record::TableName& name) { return start.spec.Selects(name); };
  options.policies = PoliciesOf(&start.spec);
  options.names = [&start](const record::TableName& name) { return start.spec.Names(name); };
  // A run that ends reads them once.
  options.reread_interval = start.continuous ? std::chrono::milliseconds(start.spec.reread_interval)
                                             : std::chrono::milliseconds::max();
  options.snapshot_readers = limits::kSnapshotReadersMax;
  options.expiry = RulesOf(start.spec.staging);
  options.drain_requested = [&channel] { return channel.drain_requested(); };
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
