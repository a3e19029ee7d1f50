// SPDX-License-Identifier: Apache-2.0
#include "fakes/fake_source.h"

#include <algorithm>
#include <charconv>

namespace freshet::fakes {

using record::Op;
using record::Sequence;
using record::TableId;

namespace {

record::Cursor CursorAt(uint64_t position) { return {std::to_string(position)}; }

uint64_t PositionOf(const record::Cursor& cursor) {
  uint64_t position = 0;
  std::from_chars(cursor.text.data(), cursor.text.data() + cursor.text.size(), position);
  return position;
}

class FakeChunkReader final : public sources::ChunkReader {
 public:
  FakeChunkReader(std::function<Status()> at_end, std::shared_ptr<arrow::RecordBatch> rows)
      : at_end_(std::move(at_end)), rows_(std::move(rows)) {}
  Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
    if (rows_ != nullptr && rows_->num_rows() > 0) return std::exchange(rows_, nullptr);
    FRESHET_CHECK_OK(at_end_());
    return std::shared_ptr<arrow::RecordBatch>();
  }
  int64_t values_nulled() const override { return 1; }

 private:
  const std::function<Status()> at_end_;
  std::shared_ptr<arrow::RecordBatch> rows_;
};

}  // namespace

class FakeSnapshot final : public sources::Snapshot {
 public:
  FakeSnapshot(FakeSource* source, std::string handle, std::shared_ptr<const FakeSource::View> view,
               bool holds)
      : source_(source), handle_(std::move(handle)), view_(std::move(view)), holds_(holds) {}
  ~FakeSnapshot() override {
    std::lock_guard lock(source_->mutex_);
    if (holds_) source_->views_.erase(handle_);
  }

  Sequence Position() const override { return Sequence::Of(1, view_->position + 1, 0); }
  UtcMicros TakenAt() const override { return static_cast<UtcMicros>(view_->position); }
  std::string Handle() const override { return handle_; }
  Result<record::TableShape> Describe(const TableId& table) override {
    FRESHET_CHECK_OK(source_->Before("show"));
    auto found = view_->tables.find(table.value());
    if (found == view_->tables.end())
      return Error(ErrorClass::NOT_FOUND, "no table {}", table.value());
    return found->second.shape;
  }
  Result<std::vector<sources::Chunk>> Plan(const record::TableShape& shape) override {
    FRESHET_CHECK_OK(source_->Before("plan " + shape.id.value()));
    int64_t rows = std::ssize(view_->tables.at(shape.id.value()).rows);
    std::vector<sources::Chunk> chunks;
    for (int64_t first = 0; first < rows; first += source_->chunk_rows) {
      chunks.push_back({.number = std::ssize(chunks),
                        .text = std::to_string(first),
                        .rows_estimated = std::min(source_->chunk_rows, rows - first)});
    }
    return chunks;
  }
  Result<std::unique_ptr<sources::ChunkReader>> Open(
      std::shared_ptr<const record::TableShape> shape, const sources::Chunk& chunk) override {
    std::string step = shape->id.value() + " " + std::to_string(chunk.number);
    FRESHET_CHECK_OK(source_->Before("chunk " + step));
    {
      std::lock_guard lock(source_->mutex_);
      if (!source_->views_.contains(handle_))
        return Error(ErrorClass::SNAPSHOT_STALE, "nobody holds {}", handle_);
    }
    const auto& all = view_->tables.at(shape->id.value()).rows;
    auto first = all.begin() + std::stoll(chunk.text);
    auto last = first + std::min<int64_t>(source_->chunk_rows, all.end() - first);
    auto at_end = [source = source_, step] { return source->Before("chunk end " + step); };
    return std::make_unique<FakeChunkReader>(at_end,
                                             MakeRows(*shape, std::vector<Row>(first, last)));
  }
  void Cancel() override {
    if (source_->cancelled) source_->cancelled();
  }

 private:
  FakeSource* const source_;
  const std::string handle_;
  const std::shared_ptr<const FakeSource::View> view_;
  const bool holds_;
};

/// One transaction at a time: rows of one table in a row share a batch, then a Commit.
class FakeStream final : public sources::ChangeStream {
 public:
  FakeStream(FakeSource* source, std::vector<std::shared_ptr<const record::TableShape>> shapes,
             uint64_t start)
      : source_(source), start_(start), position_(start) {
    Follow(std::move(shapes));
  }

  record::Cursor Start() const override { return CursorAt(start_); }

  Status Fence() override {
    std::lock_guard lock(source_->mutex_);
    fence_ = source_->position_;
    return Status::Ok();
  }

  Result<record::StreamEvent> Next(Deadline deadline) override {
    FRESHET_CHECK_OK(source_->Before("next"));
    {
      std::lock_guard lock(source_->mutex_);
      if (events_.empty() && fence_ && position_ >= *fence_) {
        fence_.reset();
        return record::StreamEvent(record::Idle{});
      }
      if (events_.empty()) Refill();
    }
    if (!events_.empty()) {
      record::StreamEvent event = std::move(events_.front());
      events_.pop_front();
      return event;
    }
    source_->clock_->WaitUntil(deadline, {});
    return record::StreamEvent(record::Idle{});
  }

  Result<std::set<record::TableId>> Watch(
      std::vector<std::shared_ptr<const record::TableShape>> shapes) override {
    FRESHET_CHECK_OK(source_->Before("watch"));
    std::lock_guard lock(source_->mutex_);
    std::set<record::TableId> locked;
    std::erase_if(shapes, [&](const auto& shape) {
      if (!source_->locked_.contains(shape->id.value())) return false;
      locked.insert(shape->id);
      return true;
    });
    Follow(std::move(shapes));
    return locked;
  }

  std::map<TableId, std::string> TakeMemos() override { return std::exchange(memos_due_, {}); }

  Status Acknowledge(const record::Cursor& durable) override {
    FRESHET_CHECK_OK(source_->Before("acknowledge"));
    std::lock_guard lock(source_->mutex_);
    source_->slot_ = std::max(source_->slot_.value_or(0), PositionOf(durable));
    return Status::Ok();
  }
  int64_t BytesBehind() const override { return 0; }
  int64_t values_nulled() const override { return 0; }

 private:
  void Follow(std::vector<std::shared_ptr<const record::TableShape>> shapes) {
    shapes_.clear();
    source_->watched_.clear();
    for (auto& shape : shapes) {
      source_->watched_.push_back(shape->id.value());
      auto fails = source_->fails_.find(shape->id.value());
      if (fails != source_->fails_.end()) {
        events_.push_back(
            record::TableEvent(record::TableFailed{.table = shape->id, .why = fails->second}));
      }
      CompareMemo(*shape);
      shapes_[shape->id.value()] = std::move(shape);
    }
  }

  void CompareMemo(const record::TableShape& shape) {
    auto memo = source_->memos_.find(shape.id.value());
    if (memo == source_->memos_.end() || memo->second == shape.memo) return;
    if (shape.memo.empty()) {
      memos_due_[shape.id] = memo->second;
    } else {
      events_.push_back(record::TableEvent(record::TableFailed{
          .table = shape.id, .why = Error(ErrorClass::PUBLICATION_MISSING, "changes are lost")}));
    }
  }

  void Refill() {
    auto next = std::find_if(source_->log_.begin(), source_->log_.end(),
                             [&](const auto& each) { return each.position > position_; });
    if (next == source_->log_.end()) return;
    position_ = next->position;
    uint64_t ordinal = 0;
    for (const Action& action : next->actions) {
      sequence_ = Sequence::Of(1, position_, ++ordinal);
      std::visit([&](const auto& each) { Take(each); }, action);
    }
    Close();
    events_.push_back(record::Commit{.cursor = CursorAt(position_),
                                     .committed_at = static_cast<UtcMicros>(position_)});
  }

  void Take(const Insert& insert) { Add(insert.table, Op::kInsert, insert.row); }
  void Take(const Delete& gone) {
    auto found = shapes_.find(gone.table);
    if (found == shapes_.end()) return;
    Row row = gone.row;
    for (int i = 0; i < found->second->width() && !found->second->keyless(); ++i) {
      const auto& key = found->second->key;
      if (std::find(key.begin(), key.end(), i) == key.end()) row[static_cast<size_t>(i)] = {};
    }
    Add(gone.table, Op::kDelete, std::move(row));
  }
  void Take(const Truncate& truncate) {
    if (!shapes_.contains(truncate.table)) return;
    Close();
    events_.push_back(
        record::TableEvent(record::TableEnd{.kind = record::TableEnd::Kind::kTruncated,
                                            .table = TableId(truncate.table),
                                            .at = sequence_,
                                            .committed_at = static_cast<UtcMicros>(position_)}));
  }
  void Take(const Lose& lose) {
    if (!shapes_.contains(lose.table)) return;
    Close();
    events_.push_back(record::TableEvent(record::RowsUntold{
        .table = TableId(lose.table), .at = sequence_, .why = "a partition was truncated"}));
  }
  void Take(const Alter& alter) {
    auto found = shapes_.find(alter.shape.id.value());
    if (found == shapes_.end()) return;
    Close();
    auto after = std::make_shared<const record::TableShape>(alter.shape);
    events_.push_back(record::TableEvent(
        record::ShapeChange{.before = found->second, .after = after, .at = sequence_}));
    found->second = after;
  }
  void Take(const Fail& fail) {
    if (!shapes_.contains(fail.table)) return;
    Close();
    events_.push_back(
        record::TableEvent(record::TableFailed{.table = TableId(fail.table), .why = fail.why}));
  }

  void Add(const std::string& table, Op op, Row row) {
    if (!shapes_.contains(table)) return;
    if (table != open_) Close();
    open_ = table;
    rows_.push_back({.op = op,
                     .row = std::move(row),
                     .sequence = sequence_,
                     .committed_at = static_cast<UtcMicros>(position_)});
  }
  void Close() {
    if (rows_.empty()) return;
    const auto& shape = shapes_.at(open_);
    events_.push_back(record::TableEvent(
        record::ChangeBatch{.shape = shape, .rows = MakeChanges(*shape, rows_)}));
    rows_.clear();
  }

  FakeSource* const source_;
  const uint64_t start_;
  uint64_t position_;
  std::optional<uint64_t> fence_;
  std::map<std::string, std::shared_ptr<const record::TableShape>> shapes_;
  std::map<TableId, std::string> memos_due_;
  std::deque<record::StreamEvent> events_;
  Sequence sequence_;
  std::string open_;
  std::vector<ChangeRow> rows_;
};

void FakeSource::Create(record::TableShape shape) {
  std::lock_guard lock(mutex_);
  std::string id = shape.id.value();
  tables_[id] = {.shape = std::move(shape), .rows = {}, .problem = {}, .partitions = {}};
}

void FakeSource::Drop(const std::string& table) {
  std::lock_guard lock(mutex_);
  tables_.erase(table);
}

void FakeSource::Rename(const std::string& table, record::TableName name) {
  std::lock_guard lock(mutex_);
  tables_.at(table).shape.name = std::move(name);
}

void FakeSource::AlterQuietly(record::TableShape shape) {
  std::lock_guard lock(mutex_);
  Apply(Alter{std::move(shape)});
}

void FakeSource::set_problem(const std::string& table, Status problem) {
  std::lock_guard lock(mutex_);
  tables_.at(table).problem = std::move(problem);
}

void FakeSource::FailAtWatch(const std::string& table, Status why) {
  std::lock_guard lock(mutex_);
  fails_[table] = std::move(why);
}

void FakeSource::set_locked(const std::string& table, bool locked) {
  std::lock_guard lock(mutex_);
  locked ? (void)locked_.insert(table) : (void)locked_.erase(table);
}

void FakeSource::set_memo(const std::string& table, std::string memo) {
  std::lock_guard lock(mutex_);
  memos_[table] = std::move(memo);
}

std::map<std::string, std::string> FakeSource::opened_with() {
  std::lock_guard lock(mutex_);
  return opened_with_;
}

void FakeSource::set_derived(const std::string& table) {
  std::lock_guard lock(mutex_);
  tables_.at(table).derived = true;
}

void FakeSource::set_partitions(const std::string& table,
                                std::vector<record::Partition> partitions) {
  std::lock_guard lock(mutex_);
  tables_.at(table).partitions = std::move(partitions);
}

void FakeSource::Commit(std::vector<Action> actions) {
  std::lock_guard lock(mutex_);
  for (const Action& action : actions) Apply(action);
  position_ += 10;
  log_.push_back({.position = position_, .actions = std::move(actions)});
}

void FakeSource::Apply(const Action& action) {
  if (const auto* insert = std::get_if<Insert>(&action)) {
    tables_.at(insert->table).rows.push_back(insert->row);
  } else if (const auto* gone = std::get_if<Delete>(&action)) {
    auto& rows = tables_.at(gone->table).rows;
    rows.erase(std::find(rows.begin(), rows.end(), gone->row));
  } else if (const auto* lose = std::get_if<Lose>(&action)) {
    auto& rows = tables_.at(lose->table).rows;
    rows.erase(std::find(rows.begin(), rows.end(), lose->row));
  } else if (const auto* truncate = std::get_if<Truncate>(&action)) {
    tables_.at(truncate->table).rows.clear();
  } else if (const auto* alter = std::get_if<Alter>(&action)) {
    Table& table = tables_.at(alter->shape.id.value());
    table.shape = alter->shape;
    for (Row& row : table.rows) row.resize(static_cast<size_t>(table.shape.width()));
  }
}

std::vector<std::string> FakeSource::watched() {
  std::lock_guard lock(mutex_);
  return watched_;
}
uint64_t FakeSource::confirmed() {
  std::lock_guard lock(mutex_);
  return slot_.value_or(0);
}
int FakeSource::snapshots_taken() {
  std::lock_guard lock(mutex_);
  return snapshots_;
}

Result<std::vector<sources::TableListing>> FakeSource::ListTables() {
  FRESHET_CHECK_OK(Before("list"));
  std::lock_guard lock(mutex_);
  std::vector<sources::TableListing> listings;
  for (const auto& [id, table] : tables_) {
    auto memo = memos_.find(id);
    listings.push_back({.id = table.shape.id,
                        .name = table.shape.name,
                        .problem = table.problem,
                        .unlogged = table.shape.logged
                                        ? Status::Ok()
                                        : Error(ErrorClass::TABLE_NO_IDENTITY, "it has no key"),
                        .derived = table.derived,
                        .rows_estimated = std::ssize(table.rows),
                        .bytes_estimated = -1,
                        .partitions = table.partitions,
                        .memo = memo == memos_.end() ? std::nullopt : std::optional(memo->second)});
  }
  return listings;
}

Result<record::TableShape> FakeSource::Describe(const TableId& table) {
  FRESHET_CHECK_OK(Before("describe"));
  std::lock_guard lock(mutex_);
  auto found = tables_.find(table.value());
  if (found == tables_.end()) return Error(ErrorClass::NOT_FOUND, "no table {}", table.value());
  return found->second.shape;
}

Result<std::unique_ptr<sources::Snapshot>> FakeSource::BeginSnapshot() {
  FRESHET_CHECK_OK(Before("snapshot"));
  std::unique_ptr<sources::Snapshot> snapshot;
  {
    std::lock_guard lock(mutex_);
    auto view = std::make_shared<const View>(View{.tables = tables_, .position = position_});
    std::string handle = "view-" + std::to_string(++snapshots_);
    views_[handle] = view;
    snapshot =
        std::make_unique<FakeSnapshot>(this, std::move(handle), std::move(view), /*holds=*/true);
  }
  if (after_snapshot) after_snapshot();
  return snapshot;
}

Result<std::unique_ptr<sources::Snapshot>> FakeSource::ResumeSnapshot(const std::string& handle) {
  FRESHET_CHECK_OK(Before("resume"));
  std::lock_guard lock(mutex_);
  auto found = views_.find(handle);
  if (found == views_.end()) return Error(ErrorClass::SNAPSHOT_STALE, "nobody holds {}", handle);
  return std::make_unique<FakeSnapshot>(this, handle, found->second, /*holds=*/false);
}

Result<std::unique_ptr<sources::ChangeStream>> FakeSource::OpenChanges(
    std::vector<std::shared_ptr<const record::TableShape>> shapes, const record::Cursor& from) {
  FRESHET_CHECK_OK(Before("open"));
  std::lock_guard lock(mutex_);
  opened_with_.clear();
  for (const auto& shape : shapes) opened_with_[shape->id.value()] = shape->memo;
  if (from.text.empty()) slot_ = position_;
  if (!slot_) return Error(ErrorClass::SLOT_LOST, "there is no slot");
  uint64_t start = from.text.empty() ? position_ : PositionOf(from);
  if (start < *slot_) return Error(ErrorClass::SLOT_MOVED, "the slot is past {}", start);
  return std::make_unique<FakeStream>(this, std::move(shapes), start);
}

}  // namespace freshet::fakes
