// SPDX-License-Identifier: Apache-2.0
#include "sim/simulation.h"

#include <algorithm>
#include <filesystem>

#include "delta/log.h"
#include "delta/table.h"
#include "model/versions.h"
#include "staging/reader.h"
#include "store/memory_store.h"

namespace freshet::sim {
namespace {

namespace fs = std::filesystem;
using Kind = Step::Kind;

constexpr int kAttemptsMax = 6;

/// What a process may end with when the store or another process got in its way; then it is run
/// again.
bool IsExpected(const Status& status) {
  return status.Is(ErrorClass::STORE_UNAVAILABLE) || status.Is(ErrorClass::STAGING_FENCED) ||
         status.Is(ErrorClass::COMMIT_ZOMBIE) || status.Is(ErrorClass::DELTA_CONFLICT) ||
         status.Is(ErrorClass::SOURCE_UNREACHABLE) || status.Is(ErrorClass::ALREADY_EXISTS);
}

using Objects = std::map<std::string, std::shared_ptr<const std::string>>;

Result<Objects> CopyOf(store::FileStore& store) {
  Objects objects;
  FRESHET_TRY(auto files, store.List("", "", 1'000'000, true));
  for (const auto& file : files) {
    FRESHET_TRY(objects[file.path], store.Get(file.path, 0, -1));
  }
  return objects;
}

Status PutBack(store::FileStore& store, const Objects& objects) {
  FRESHET_TRY(auto files, store.List("", "", 1'000'000, true));
  for (const auto& file : files) FRESHET_CHECK_OK(store.Remove(file.path));
  for (const auto& [path, bytes] : objects)
    FRESHET_CHECK_OK(store.Put(path, *bytes, store::If::kAbsent));
  return Status::Ok();
}

std::string Listed(const std::vector<model::Row>& rows) {
  std::string text;
  for (const model::Row& row : rows) text += fmt::format("\n    {}", model::ToText(row));
  return text;
}

}  // namespace

Simulation::Simulation(Scenario scenario, Plan plan)
    : scenario_(std::move(scenario)), plan_(std::move(plan)), world_(store::MakeMemoryStore()) {
  world_.crash_at_ingest = plan_.crash_at_ingest;
  // Small tables too are rewritten whenever there is anything to rewrite.
  world_.compaction = {.files_min = 2, .bytes_min = 0, .commits_min = 1};
  // And whatever happens, what each version tells of its changes is all of them.
  world_.properties["delta.enableChangeDataFeed"] = "true";
  world_.source.script.acknowledged = [this](uint64_t position) { OnAcknowledged(position); };
}

Status Simulation::Run() {
  for (const Step& step : scenario_) {
    FRESHET_CHECK_OK(step.kind == Kind::kSource ? step.happen(world_) : RunStep(step));
    FRESHET_CHECK_OK(broken_);
  }
  FRESHET_CHECK_OK(Check());
  // What was on its way for ever so long arrives now and must change nothing.
  return world_.store->Settle() ? Check() : Status::Ok();
}

void Simulation::Arm(Kind kind) {
  world_.index_crashed = false;
  auto writes = [this, kind](int64_t, const model::WriteCall& call) {
    if (inside_) return model::Fault::kNone;
    ++writes_[kind];
    if (!plan_.fault) return model::Fault::kNone;
    inside_ = true;
    model::Fault fault = plan_.fault(world_, kind, call);
    inside_ = false;
    return fault;
  };
  auto reads = [this](int64_t) {
    return !inside_ && plan_.read_fault && plan_.read_fault(++reads_);
  };
  world_.store->Restart(writes, reads);
}

/// A process that ends with an error is started again, until it ends well.
Status Simulation::RunStep(const Step& step) {
  if (step.kind == Kind::kApply && ++applies_ == plan_.damaged_apply) FRESHET_CHECK_OK(Damage());
  Status last;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    Arm(step.kind);
    last = Attempt(step);
    if (last.ok()) break;
    if (!IsExpected(last)) break;
  }
  world_.store->Restart(nullptr);
  fs::path index = world_.IndexPath("main"), saved = index.string() + "-saved";
  if (plan_.damage == IndexDamage::kStale && fs::exists(index) && !fs::exists(saved)) {
    fs::copy(index, saved, fs::copy_options::recursive);
  }
  return last;
}

Status Simulation::Attempt(const Step& step) {
  switch (step.kind) {
    case Kind::kCapture: {
      if (plan_.lose_views) world_.LoseViews();
      Status captured = world_.Capture();
      // The scenario's own failure of the source is not repeated at once: what is staged by then is
      // applied first.
      return captured.Is(ErrorClass::SOURCE_UNREACHABLE) ? Status::Ok() : captured;
    }
    case Kind::kWish:
      return world_.Wish("main", false).status();
    case Kind::kRefresh:
      return world_.Wish("main", true).status();
    case Kind::kApply: {
      model::Outcome outcome = world_.Apply("main");
      if (world_.store->crashed() || world_.index_crashed) {
        return Error(ErrorClass::STORE_UNAVAILABLE, "the process is gone");
      }
      return outcome.First();
    }
    case Kind::kSource:
      break;
  }
  return Status::Ok();
}

Status Simulation::Damage() {
  fs::path index = world_.IndexPath("main"), saved = index.string() + "-saved";
  if (plan_.damage == IndexDamage::kNewer) {
    FRESHET_TRY(auto objects, CopyOf(*world_.store->whole()));
    FRESHET_CHECK_OK(world_.Apply("main").First());
    return PutBack(*world_.store->whole(), objects);
  }
  if (plan_.damage == IndexDamage::kNone) return Status::Ok();
  fs::remove_all(index);
  if (plan_.damage == IndexDamage::kStale && fs::exists(saved)) {
    fs::copy(saved, index, fs::copy_options::recursive);
  }
  return Status::Ok();
}

void Simulation::OnAcknowledged(uint64_t position) {
  auto sealed = [&]() -> Result<std::string> {
    FRESHET_TRY(auto reader, staging::StagingReader::Open(
                                 store::Below(world_.store->whole(), "_freshet/staging")));
    FRESHET_TRY(auto checkpoint, reader->Latest());
    return checkpoint->cursor.text;
  }();
  if (!sealed.ok()) {
    broken_ = sealed.status();
  } else if (sealed->empty() || std::stoull(*sealed) < position) {
    broken_ = Error(ErrorClass::INTERNAL, "acknowledged {} with {} sealed", position, *sealed);
  }
}

Status Simulation::Check() {
  // Drain what a last fault left to do, without faults.
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    model::Outcome outcome = world_.Update("main");
    if (outcome.First().ok()) break;
    if (!IsExpected(outcome.First())) return outcome.First();
  }
  FRESHET_CHECK_OK(CheckTables());
  model::Outcome again = world_.Update("main");
  FRESHET_CHECK_OK(again.First());
  if (again.commits != 0) {
    return Error(ErrorClass::INTERNAL, "an update without news made {} commits", again.commits);
  }
  FRESHET_CHECK_OK(CheckSegments());
  return broken_;
}

Status Simulation::CheckTables() {
  for (const auto& [name, table] : world_.database.tables()) {
    // Another table took the place of those that have a space in their name.
    if (name.find(' ') != name.npos) continue;
    FRESHET_TRY(auto content, world_.database.At(name, UINT64_MAX));
    if (world_.history.scd_type == apply::ScdType::kType2) {
      FRESHET_TRY(content.rows, model::VersionsSinceBase(world_.database, name));
    } else {
      FRESHET_CHECK_OK(OrderAsTable(name, &content));
    }
    FRESHET_TRY(auto found, world_.Read("main", name));
    std::sort(content.rows.begin(), content.rows.end());
    std::sort(found.begin(), found.end());
    if (found != content.rows) {
      return Error(ErrorClass::INTERNAL, "{} differs\n  source:{}\n  destination:{}", name,
                   Listed(content.rows), Listed(found));
    }
    FRESHET_CHECK_OK(CheckPositions(name));
    FRESHET_CHECK_OK(world_.CheckFeed("main", name));
  }
  return Status::Ok();
}

/// Columns that were selected later are behind others at the destination.
Status Simulation::OrderAsTable(const std::string& name, model::Content* content) {
  FRESHET_TRY(const auto columns, world_.Columns("main", name));
  record::TableShape table;
  arrow::FieldVector fields;
  for (const auto& column : columns) {
    table.ids.push_back(column.id);
    fields.push_back(arrow::field(column.name, column.type));
  }
  table.schema = arrow::schema(std::move(fields));
  for (auto& row : content->rows) row = model::InShape(row, content->shape, table);
  return Status::Ok();
}

Status Simulation::CheckSegments() {
  FRESHET_TRY(auto reader, staging::StagingReader::Open(
                               store::Below(world_.store->whole(), "_freshet/staging")));
  FRESHET_TRY(auto manifests, reader->List(record::SegmentNumber(0), 1'000'000));
  int64_t number = 0;
  uint64_t position = 0;
  for (const auto& manifest : manifests) {
    if (manifest->number.value() != ++number) {
      return Error(ErrorClass::INTERNAL, "segment {} where {} should be", manifest->number.value(),
                   number);
    }
    uint64_t next = manifest->cursor.text.empty() ? 0 : std::stoull(manifest->cursor.text);
    if (next < position)
      return Error(ErrorClass::INTERNAL, "segment {}'s cursor goes back", number);
    position = next;
  }
  return Status::Ok();
}

Status Simulation::CheckPositions(const std::string& name) {
  const auto store = store::Below(world_.store->whole(), model::World::TablePath("main", name));
  FRESHET_TRY(auto latest, delta::Table(store).Latest(nullptr));
  std::map<std::string, int64_t> positions;
  for (int64_t version = 0; version <= latest->version; ++version) {
    FRESHET_TRY(const auto actions, delta::ReadCommit(*store, version));
    for (const auto& action : actions) {
      const auto* txn = std::get_if<delta::Txn>(&action);
      if (txn == nullptr) continue;
      auto [known, first] = positions.try_emplace(txn->app_id, txn->version);
      if (!first && txn->version < known->second) {
        return Error(ErrorClass::INTERNAL, "{} goes back at version {} of {}", txn->app_id, version,
                     name);
      }
      known->second = txn->version;
    }
    // Three of each flow that the table was ever of.
    if (positions.empty() || positions.size() % 3 != 0) {
      return Error(ErrorClass::INTERNAL, "{} has {} positions at version {}", name,
                   positions.size(), version);
    }
  }
  for (const auto& [app_id, txn] : latest->txns) {
    auto told = positions.find(app_id);
    if (told == positions.end() || told->second != txn.version)
      return Error(ErrorClass::INTERNAL, "{} of {} is not what its commits say", app_id, name);
  }
  return Status::Ok();
}

}  // namespace freshet::sim
