// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "fakes/fake_clock.h"
#include "fakes/rows.h"
#include "sources/source.h"

namespace freshet::fakes {

/// What happens to a table in a transaction, in order. Rows are whole.
struct Insert {
  std::string table;
  Row row;
};
struct Delete {
  std::string table;
  Row row;
};
struct Truncate {
  std::string table;
};
/// A row goes, and the stream says that rows went, but not which.
struct Lose {
  std::string table;
  Row row;
};
/// The table has another shape from now on; new columns of old rows are null.
struct Alter {
  record::TableShape shape;
};
/// The stream gives up on the table here.
struct Fail {
  std::string table;
  Status why;
};
using Action = std::variant<Insert, Delete, Truncate, Lose, Alter, Fail>;

/// A source that is a script: tables, transactions at positions 10, 20, 30 …, faults. Tables are
/// named by their ids. A snapshot holds every transaction before it, for as long as whoever took it
/// holds it; the slot survives its streams
/// and refuses a cursor before what was acknowledged. Thread-safe.
class FakeSource final : public sources::Source {
 public:
  explicit FakeSource(FakeClock* clock) : clock_(clock) {}

  // What happens at the source.
  void Create(record::TableShape shape);
  void Drop(const std::string& table);
  void Rename(const std::string& table, record::TableName name);
  /// The shape as Describe shows it, without a word in the stream (a change of key, or a column of
  /// a quiet table).
  void AlterQuietly(record::TableShape shape);
  /// Commit a transaction.
  void Commit(std::vector<Action> actions);
  void set_problem(const std::string& table, Status problem);
  /// The stream gives up on the table as soon as it is watched, outside of any transaction.
  void FailAtWatch(const std::string& table, Status why);
  /// Whether somebody holds it locked: Watch returns it.
  void set_locked(const std::string& table, bool locked);
  /// What is kept of the table.
  void set_memo(const std::string& table, std::string memo);
  void set_derived(const std::string& table);
  /// Called when a snapshot was taken, before anybody has it.
  std::function<void()> after_snapshot;
  void set_partitions(const std::string& table, std::vector<record::Partition> partitions);

  // How it behaves.
  int64_t chunk_rows = 2;
  /// Called before each step with its name: "list", "describe", "snapshot", "resume", "plan
  /// <table>", "chunk <table> <number>", "chunk end <table> <number>", "open", "next", "watch",
  /// "acknowledge"; an error of it is the step's.
  std::function<Status(const std::string& step)> before;
  /// Called when a snapshot's reading is cancelled.
  std::function<void()> cancelled;

  // What was done to it.
  std::vector<std::string> watched();
  /// The memos that the last stream was opened with, by table.
  std::map<std::string, std::string> opened_with();
  uint64_t confirmed();
  int snapshots_taken();

  sources::Traits traits() const override { return {.name = "fake", .identity = "fake:1"}; }
  std::vector<sources::Finding> Check() override { return {}; }
  Result<std::vector<sources::TableListing>> ListTables() override;
  Result<record::TableShape> Describe(const record::TableId& table) override;
  Result<std::unique_ptr<sources::Snapshot>> BeginSnapshot() override;
  Result<std::unique_ptr<sources::Snapshot>> ResumeSnapshot(const std::string& handle) override;
  Result<std::unique_ptr<sources::ChangeStream>> OpenChanges(
      std::vector<std::shared_ptr<const record::TableShape>> shapes,
      const record::Cursor& from) override;
  Status Forget() override { return Status::Ok(); }

 private:
  friend class FakeSnapshot;
  friend class FakeStream;
  struct Table {
    record::TableShape shape;
    std::vector<Row> rows;
    Status problem;
    bool derived = false;
    std::optional<std::vector<record::Partition>> partitions;
  };
  /// What the tables held at a moment.
  struct View {
    std::map<std::string, Table> tables;
    uint64_t position = 0;
  };
  struct Transaction {
    uint64_t position = 0;
    std::vector<Action> actions;
  };

  Status Before(const std::string& step) { return before ? before(step) : Status::Ok(); }
  void Apply(const Action& action);

  FakeClock* const clock_;
  std::mutex mutex_;
  // State below is protected by mutex_.
  std::map<std::string, Table> tables_;
  std::deque<Transaction> log_;
  uint64_t position_ = 10;  // of the last transaction
  std::optional<uint64_t> slot_;
  std::vector<std::string> watched_;
  std::map<std::string, Status> fails_;
  std::set<std::string> locked_;
  std::map<std::string, std::string> memos_, opened_with_;
  int snapshots_ = 0;
  std::map<std::string, std::shared_ptr<const View>> views_;  // those that are held
};

}  // namespace freshet::fakes
