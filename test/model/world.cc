// SPDX-License-Identifier: Apache-2.0
#include "model/world.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "apply/feed_contents.h"
#include "base/random.h"
#include "capture/gateway.h"
#include "model/faulty_index.h"
#include "model/table_rows.h"
#include "staging/reader.h"
#include "staging/wishes.h"

namespace freshet::model {
namespace {

constexpr std::string_view kStaging = "_freshet/staging";

record::FlowId FlowOf(const std::string& pipeline, const std::string& table) {
  return record::FlowId(fmt::format("{}-{}", pipeline, table));
}

std::set<record::TableId> Succeeded(const staging::Checkpoint& checkpoint) {
  std::set<record::TableId> succeeded;
  for (const auto& [id, state] : checkpoint.tables) {
    if (state.former) succeeded.insert(*state.former);
  }
  return succeeded;
}

std::string ShadowOf(const record::FlowId& flow) { return "_freshet/shadows/" + flow.value(); }

/// In memory where there is room: what is kept here is thrown away, yet synced thousands of times.
std::filesystem::path TemporaryRoot() {
  constexpr uintmax_t kRoom = uintmax_t{1} << 30;
  const std::filesystem::path memory = "/dev/shm";
  std::error_code failed;
  auto space = std::filesystem::space(memory, failed);
  return !failed && space.available >= kRoom ? memory : std::filesystem::temp_directory_path();
}

}  // namespace

TemporaryFolder::TemporaryFolder() : path_(TemporaryRoot() / ("freshet-world-" + RandomHex(6))) {
  std::filesystem::create_directories(path_);
}
TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Status Outcome::First() const {
  if (!status.ok()) return status;
  for (const auto& [table, why] : tables) {
    if (!why.ok()) return Status(why).With("table", table);
  }
  return Status::Ok();
}

World::World(std::shared_ptr<store::FileStore> whole)
    : store(std::make_shared<FaultyStore>(std::move(whole))) {}

/// A table that took another's place has a flow of its own.
record::FlowId World::FlowOf(const std::string& pipeline, const record::TableId& id,
                             const staging::TableState& state) {
  auto flow = model::FlowOf(pipeline, places_.try_emplace(id, state.name.table).first->second);
  return state.former ? record::FlowId(flow.value() + "-" + id.value()) : flow;
}

std::string World::PathOf(const std::string& pipeline, const std::string& table) const {
  auto found = database.tables().find(table);
  const auto place =
      found == database.tables().end() ? places_.end() : places_.find(found->second.first_shape.id);
  return TablePath(pipeline, place == places_.end() ? table : place->second);
}

std::string World::TablePath(const std::string& pipeline, const std::string& table) {
  return fmt::format("{}/{}", pipeline, table);
}
std::string World::ShadowPath(const std::string& pipeline, const std::string& table) {
  return ShadowOf(model::FlowOf(pipeline, table));
}
std::string World::IndexPath(const std::string& pipeline) const {
  return fmt::format("{}/{}-{}", folder_.path(), index_name, pipeline);
}
std::shared_ptr<store::FileStore> World::staging() const {
  return store::Below(store, std::string(kStaging));
}

Status World::Capture() {
  record::SilentObserver observer;
  capture::GatewayOptions options;
  options.selects = [](const record::TableName&) { return true; };
  options.policies.on_schema_change = [this](const record::TableName&) { return on_schema_change; };
  options.policies.refresh_lost = [this](const record::TableName&) {
    return rereads_lost ? std::optional(std::chrono::hours(0)) : std::nullopt;
  };
  options.snapshot_readers = 0;
  options.holder = &holder_;
  options.drain_requested = [] { return true; };
  capture::Gateway gateway(&source, staging(), &clock, &observer, std::move(options));
  return gateway.Run({}).status();
}

Result<bool> World::Wish(const std::string& pipeline, bool again,
                         std::optional<int64_t> generation) {
  auto files = staging();
  FRESHET_TRY(auto reader, staging::StagingReader::Open(files));
  FRESHET_TRY(auto checkpoint, reader->Latest());
  bool wished = false;
  for (const auto& [id, state] : checkpoint->tables) {
    if (state.dropped || (state.broken && !again)) continue;
    record::FlowId flow = FlowOf(pipeline, id, state);
    auto found = state.generations.find(flow);
    int64_t newest = found == state.generations.end() ? 0 : found->second.begun.generation.value();
    if (newest > 0 && !again) continue;
    const record::Generation next(generation.value_or(newest + 1));
    FRESHET_CHECK_OK(staging::PutWish(*files, {.flow = flow, .table = id, .generation = next}));
    wished = true;
  }
  return wished;
}

Outcome World::Apply(const std::string& pipeline) {
  Outcome outcome;
  outcome.status = [&]() -> Status {
    auto files = staging();
    FRESHET_TRY(auto reader, staging::StagingReader::Open(files));
    staging::ReaderRecord record;
    record.pipeline = record::PipelineId(pipeline);
    FRESHET_TRY(auto records, staging::ListReaders(*files));
    for (auto& known : records) {
      if (known.pipeline == record.pipeline) record = std::move(known);
    }
    FRESHET_TRY(auto checkpoint, reader->Latest());
    FRESHET_TRY(auto opened, apply::KeyIndex::Open(IndexPath(pipeline)));
    FaultyIndex index(std::move(opened), &crash_at_ingest, &index_crashed);
    size_t created = record.flows_created.size();
    const auto succeeded = Succeeded(*checkpoint);
    for (const auto& [id, state] : checkpoint->tables) {
      if (succeeded.contains(id)) continue;
      record::FlowId flow = FlowOf(pipeline, id, state);
      bool before = std::ranges::find(record.flows_created, flow) != record.flows_created.end();
      Status status = ApplyTable(pipeline, reader.get(), &index, id, *checkpoint, before, &outcome);
      if (store->crashed() || index_crashed) return status;
      auto table = store::Below(store, TablePath(pipeline, places_.at(id)));
      if (!before && delta::Table(table).Latest(nullptr).ok()) record.flows_created.push_back(flow);
      outcome.tables[state.name.table] = std::move(status);
    }
    if (created == record.flows_created.size()) return Status::Ok();
    return staging::PutReader(*files, record);
  }();
  return outcome;
}

Status World::ApplyTable(const std::string& pipeline, staging::StagingReader* reader,
                         apply::KeyIndex* index, const record::TableId& id,
                         const staging::Checkpoint& checkpoint, bool created_before,
                         Outcome* outcome) {
  const staging::TableState& state = checkpoint.tables.at(id);
  record::SilentObserver observer;
  apply::Flow flow{.id = FlowOf(pipeline, id, state), .table = id, .source = state.name};
  std::string path = TablePath(pipeline, places_.at(id));
  apply::TableApplier::Context context;
  context.staging = reader;
  context.table = store::Below(store, path);
  context.root = store;
  context.staging_prefix = std::string(kStaging);
  context.table_prefix = path;
  context.shadow_prefix = ShadowOf(flow.id);
  context.shadow = store::Below(store, context.shadow_prefix);
  for (auto former = state.former; former; former = checkpoint.tables.at(*former).former) {
    const auto& before = checkpoint.tables.at(*former);
    auto theirs = FlowOf(pipeline, *former, before);
    context.formers.push_back({{.id = theirs, .table = *former, .source = before.name},
                               store::Below(store, ShadowOf(theirs))});
  }
  context.index = index;
  context.clock = &clock;
  context.observer = &observer;
  context.scratch_folder = folder_.path();
  context.pipeline_mark = pipeline;
  context.created_before = created_before;
  context.commits_per_checkpoint = commits_per_checkpoint;
  context.compaction = compaction;
  context.history = history;
  context.properties = properties;
  context.drop_inactive_columns = drop_inactive_columns;
  FRESHET_TRY(auto applier, apply::TableApplier::Open(std::move(flow), std::move(context)));
  using State = apply::Applied::State;
  while (true) {
    FRESHET_TRY(auto applied, applier->Apply(checkpoint.through, {}));
    if (applied.state == State::kCommitted) ++outcome->commits;
    if (applied.state == State::kWaiting) outcome->waiting = true;
    if (applied.state == State::kCompacted) ++outcome->compactions;
    if (applied.state == State::kWaiting || applied.state == State::kCurrent) return Status::Ok();
  }
}

Outcome World::Update(const std::string& pipeline) {
  Outcome failed;
  failed.status = [&]() -> Status {
    FRESHET_CHECK_OK(Capture());
    FRESHET_TRY(bool wished, Wish(pipeline, false));
    return wished ? Capture() : Status::Ok();
  }();
  return failed.status.ok() ? Apply(pipeline) : failed;
}

Result<std::vector<delta::Column>> World::HistoryColumns(const std::string& pipeline,
                                                         const std::string& table) {
  const delta::Table delta(store::Below(store->whole(), PathOf(pipeline, table)));
  FRESHET_TRY(auto snapshot, delta.Latest(nullptr));
  std::vector<delta::Column> columns = snapshot->columns;
  std::erase_if(columns, [](const auto& column) {
    return column.id != apply::kStartId && column.id != apply::kEndId &&
           column.id != apply::kDeletedId;
  });
  return columns;
}

Result<std::vector<delta::Column>> World::Columns(const std::string& pipeline,
                                                  const std::string& table) {
  FRESHET_TRY(auto snapshot,
              delta::Table(store::Below(store->whole(), PathOf(pipeline, table))).Latest(nullptr));
  return snapshot->columns;
}

Status World::CheckFeed(const std::string& pipeline, const std::string& table) {
  return apply::CheckFeed(store::Below(store->whole(), PathOf(pipeline, table)));
}

Result<std::vector<Row>> World::Read(const std::string& pipeline, const std::string& table) {
  return LiveRows(store::Below(store->whole(), PathOf(pipeline, table)));
}

}  // namespace freshet::model
