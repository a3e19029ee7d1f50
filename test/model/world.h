// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apply/table_applier.h"
#include "capture/policies.h"
#include "capture/snapshot_holder.h"
#include "delta/table.h"
#include "fakes/fake_clock.h"
#include "model/database.h"
#include "model/faulty_store.h"
#include "model/source.h"

namespace freshet::model {

/// A folder for key indexes, removed when it goes.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// What became of one pass of a pipeline's update.
struct Outcome {
  int64_t commits = 0, compactions = 0;
  Status status;                         // of what is not one table's
  std::map<std::string, Status> tables;  // every table that was looked at
  bool waiting = false;                  // a table waits for its snapshot
  bool ok() const { return First().ok(); }
  Status First() const;
};

/// A source, a store and the two halves between them, run step by step in one thread: the real
/// Gateway and the real TableAppliers; only the source, the clock and the store's faults are ours.
/// Every step opens everything anew, as a process does: what isn't in the store, the slot or the
/// index folder is lost, but for the snapshots, which a process of their own holds.
class World {
 public:
  explicit World(std::shared_ptr<store::FileStore> whole);

  Database database;
  fakes::FakeClock clock;
  ModelSource source{&database, &clock};
  std::shared_ptr<FaultyStore> store;
  int64_t crash_at_ingest = 0;  // the n-th from now on, once; 0: never
  bool index_crashed = false;
  std::string index_name = "index";
  int64_t commits_per_checkpoint = limits::kCommitsPerCheckpoint;
  apply::CompactionRules compaction;
  apply::HistoryRules history;
  std::map<std::string, std::string> properties;  // of every table
  bool drop_inactive_columns = false;
  capture::OnSchemaChange on_schema_change = capture::OnSchemaChange::kEvolve;
  bool rereads_lost = false;  // tables that lost changes, at any time

  /// Run a gateway until it has captured everything.
  Status Capture();
  /// The process that holds the snapshots is gone.
  void LoseViews() { holder_.KeepOnly({}); }
  /// Ask for the snapshot of every table that has none; of all, when `again`. True: something was
  /// asked for. `generation`: the number, of whoever has not heard of the newest one.
  Result<bool> Wish(const std::string& pipeline, bool again,
                    std::optional<int64_t> generation = {});
  /// Apply what is staged until nothing is left to do.
  Outcome Apply(const std::string& pipeline);
  /// Capture, wish, capture what was wished, apply.
  Outcome Update(const std::string& pipeline);

  /// Return the live rows of a destination table, through Delta's log.
  Result<std::vector<Row>> Read(const std::string& pipeline, const std::string& table);
  /// Whether what the versions of a destination table tell of changed rows makes those that it has.
  Status CheckFeed(const std::string& pipeline, const std::string& table);
  /// The columns that history added to it, which are its last.
  Result<std::vector<delta::Column>> HistoryColumns(const std::string& pipeline,
                                                    const std::string& table);
  /// The columns that readers of a destination table see.
  Result<std::vector<delta::Column>> Columns(const std::string& pipeline, const std::string& table);
  /// The folder of a table that has this name now: it is called by the name that the table had when
  /// it was first seen.
  std::string PathOf(const std::string& pipeline, const std::string& table) const;
  /// The folder of a destination table.
  static std::string TablePath(const std::string& pipeline, const std::string& table);
  /// Where a later generation of it is built.
  static std::string ShadowPath(const std::string& pipeline, const std::string& table);
  std::string IndexPath(const std::string& pipeline) const;
  std::shared_ptr<store::FileStore> staging() const;
  const TemporaryFolder& folder() const { return folder_; }

 private:
  Status ApplyTable(const std::string& pipeline, staging::StagingReader* reader,
                    apply::KeyIndex* index, const record::TableId& id,
                    const staging::Checkpoint& checkpoint, bool created_before, Outcome* outcome);

  record::FlowId FlowOf(const std::string& pipeline, const record::TableId& id,
                        const staging::TableState& state);

  TemporaryFolder folder_;
  // what tables were called when they were first seen
  std::map<record::TableId, std::string> places_;
  capture::HeldSnapshots holder_{&source};
};

}  // namespace freshet::model
