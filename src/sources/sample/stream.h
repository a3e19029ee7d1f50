// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sources/sample/catalog.h"
#include "sources/sample/table_changes.h"
#include "sources/source.h"

namespace freshet::sources::sample {

/// A place in the journal: after this transaction, whose line has this mark.
struct Position {
  uint64_t number = 0;
  std::string mark = "-", journal;
};
record::Cursor ToCursor(const Position& position);
/// Errors: SLOT_LOST (not a cursor of this source).
Result<Position> FromCursor(const record::Cursor& cursor);

/// The journal's changes, one thread's:
///
///   until the deadline
///     an event that is ready is returned
///     while lines wait and the batch is not full: decode them into their tables' batches
///     close what was decoded: batches, then one Commit
///     nothing waits: Idle, once; then wait for the file to grow
class SampleStream final : public ChangeStream {
 public:
  SampleStream(Config config, JournalReader journal, Catalog catalog, Position start)
      : config_(std::move(config)),
        journal_(std::move(journal)),
        catalog_(std::move(catalog)),
        start_(std::move(start)),
        position_(start_) {}

  record::Cursor Start() const override { return ToCursor(start_); }
  Status Fence() override;
  Result<record::StreamEvent> Next(Deadline deadline) override;
  Result<std::set<record::TableId>> Watch(
      std::vector<std::shared_ptr<const record::TableShape>> shapes) override;
  Status Acknowledge(const record::Cursor& durable) override;
  int64_t BytesBehind() const override;
  int64_t values_nulled() const override;

 private:
  struct Table {
    std::shared_ptr<const record::TableShape> shape;
    std::unique_ptr<TableChanges> changes;
    bool failed = false;
  };

  Result<bool> TakeLine();
  Status TakeChange(const Json& change, const Transaction& transaction, uint64_t ordinal);
  Status TakeRow(const Json& change, const Transaction& transaction, uint64_t ordinal, int width,
                 Table* table);
  Status TakeAddedColumn(const record::TableShape& now, const record::Sequence& at, Table* table);
  void Fail(Table* table, Status why);
  Status Flush(Table* table);
  Status CloseCommit();

  const Config config_;
  JournalReader journal_;
  Catalog catalog_;  // at position_
  const Position start_;
  Position position_;
  UtcMicros committed_at_ = 0;
  std::map<record::TableId, Table> tables_;  // those watched
  std::deque<record::StreamEvent> ready_;
  std::optional<int64_t> fence_;  // the file's size then
  bool commit_open_ = false, was_idle_ = false;
  int64_t open_bytes_ = 0, nulled_before_ = 0;
};

}  // namespace freshet::sources::sample
