// SPDX-License-Identifier: Apache-2.0
#include "model/source.h"

#include <algorithm>
#include <charconv>

#include "model/stream.h"

namespace freshet::model {
namespace {

/// A chunk's text: `FIRST@POSITION`, the rows from one on of a plan that was made at a position, or
/// `new@POSITION`, those that are others since.
struct ChunkText {
  std::optional<int64_t> first;  // nothing: what is new
  uint64_t planned_at = 0;

  static ChunkText From(const std::string& text) {
    const size_t at = text.find('@');
    ChunkText read{.first = {}, .planned_at = std::stoull(text.substr(at + 1))};
    if (text.substr(0, at) != "new") read.first = std::stoll(text.substr(0, at));
    return read;
  }
};

bool IsOfRow(const Operation& operation) {
  return std::holds_alternative<InsertRow>(operation) ||
         std::holds_alternative<UpdateRow>(operation) ||
         std::holds_alternative<DeleteRow>(operation) || std::holds_alternative<JoinRow>(operation);
}

/// Rows of one list by which ones the other holds too, each as often as it is there.
struct Compared {
  std::vector<Row> both, alone;
};
Compared Compare(const std::vector<Row>& rows, std::vector<Row> other) {
  Compared compared;
  for (const Row& row : rows) {
    auto same = std::find(other.begin(), other.end(), row);
    (same != other.end() ? compared.both : compared.alone).push_back(row);
    if (same != other.end()) other.erase(same);
  }
  return compared;
}

/// Whether something other than a change of a row happened to the table after a position.
bool IsRewritten(const Database& database, const std::string& table, uint64_t after) {
  for (const auto& [at, steps] : database.log()) {
    if (at <= after) continue;
    for (const Step& step : steps) {
      if (step.table == table && !IsOfRow(step.operation)) return true;
    }
  }
  return false;
}

class ModelChunkReader final : public sources::ChunkReader {
 public:
  ModelChunkReader(ModelSource* source, uint64_t position, std::string table, int64_t chunk,
                   std::shared_ptr<arrow::RecordBatch> rows)
      : source_(source),
        position_(position),
        table_(std::move(table)),
        chunk_(chunk),
        rows_(std::move(rows)) {}

  Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
    FRESHET_CHECK_OK(source_->Before("chunk"));
    auto& fail = source_->script.fail_chunk;
    if (fail && fail->first == chunk_) {
      ErrorClass error_class = fail->second;
      fail.reset();
      if (error_class == ErrorClass::SNAPSHOT_STALE) source_->rewritten.insert(table_);
      return Error(error_class, "as the script says");
    }
    if (rows_ != nullptr) return std::exchange(rows_, nullptr);
    if (Rewritten())
      return Error(ErrorClass::SNAPSHOT_STALE, "table is another by now: {}", table_);
    return std::shared_ptr<arrow::RecordBatch>();
  }
  int64_t values_nulled() const override { return 0; }

 private:
  /// What PostgreSQL shows by another relfilenode or other columns.
  bool Rewritten() const { return IsRewritten(*source_->database(), table_, position_); }

  ModelSource* const source_;
  const uint64_t position_;
  const std::string table_;
  const int64_t chunk_;
  std::shared_ptr<arrow::RecordBatch> rows_;
};

class ModelSnapshot final : public sources::Snapshot {
 public:
  ModelSnapshot(ModelSource* source, std::string handle, uint64_t position, bool holds)
      : source_(source), handle_(std::move(handle)), position_(position), holds_(holds) {}
  ~ModelSnapshot() override {
    if (holds_) source_->held.erase(handle_);
  }

  record::Sequence Position() const override { return SnapshotSequence(position_); }
  UtcMicros TakenAt() const override { return CommittedAt(position_); }
  std::string Handle() const override { return handle_; }

  Result<record::TableShape> Describe(const record::TableId& table) override {
    FRESHET_TRY(auto content, ContentOf(table));
    return source_->Selected(std::move(content.shape));
  }

  Result<std::vector<sources::Chunk>> Plan(const record::TableShape& shape) override {
    FRESHET_TRY(auto content, ContentOf(shape.id));
    int64_t rows = std::ssize(content.rows), step = ChunkRows(shape.id);
    std::vector<sources::Chunk> chunks;
    for (int64_t first = 0; first == 0 || first < rows; first += step) {
      chunks.push_back({.number = std::ssize(chunks),
                        .text = fmt::format("{}@{}", first, position_),
                        .rows_estimated = std::min(step, rows - first)});
    }
    return chunks;
  }

  Result<std::optional<std::vector<sources::Chunk>>> PlanRest(
      const record::TableShape& shape, const std::vector<std::string>& plan,
      const std::set<int64_t>& done) override {
    FRESHET_CHECK_OK(source_->Before("plan rest"));
    const uint64_t planned_at = ChunkText::From(plan.front()).planned_at;
    const std::string name = *source_->database()->NameOf(shape.id);
    if (source_->rewritten.erase(name) > 0 || IsRewritten(*source_->database(), name, planned_at))
      return std::optional<std::vector<sources::Chunk>>();
    std::vector<sources::Chunk> rest;
    bool reads_new = source_->script.rest_misses_changed;
    for (int64_t number = 0; number < std::ssize(plan); ++number) {
      const std::string& text = plan[static_cast<size_t>(number)];
      if (done.contains(number)) continue;
      rest.push_back({.number = number, .text = text});
      reads_new = reads_new || !ChunkText::From(text).first;
    }
    if (!reads_new)
      rest.push_back({.number = std::ssize(plan), .text = fmt::format("new@{}", planned_at)});
    return std::optional(std::move(rest));
  }

  Result<std::unique_ptr<sources::ChunkReader>> Open(
      std::shared_ptr<const record::TableShape> shape, const sources::Chunk& chunk) override {
    FRESHET_CHECK_OK(source_->Before("open chunk"));
    if (!source_->held.contains(handle_))
      return Error(ErrorClass::SNAPSHOT_STALE, "nobody holds {}", handle_);
    ++source_->chunks_read;
    FRESHET_TRY(auto content, ContentOf(shape->id));
    FRESHET_TRY(auto read, RowsOf(shape->id, content, ChunkText::From(chunk.text)));
    std::vector<Row> rows;
    for (const Row& row : read) rows.push_back(InShape(row, content.shape, *shape));
    std::shared_ptr<arrow::RecordBatch> batch;
    if (!rows.empty()) {
      FRESHET_TRY(batch, BatchOf(rows, shape->schema));
    }
    return std::make_unique<ModelChunkReader>(source_, position_,
                                              *source_->database()->NameOf(shape->id), chunk.number,
                                              std::move(batch));
  }

 private:
  Result<Content> ContentOf(const record::TableId& table) {
    auto name = source_->database()->NameOf(table);
    if (!name) return Error(ErrorClass::NOT_FOUND, "no table {}", table.value());
    FRESHET_TRY(auto content, source_->database()->At(*name, position_));
    if (content.dropped) return Error(ErrorClass::NOT_FOUND, "table is gone: {}", *name);
    return content;
  }
  Result<std::vector<Row>> RowsOf(const record::TableId& table, const Content& content,
                                  const ChunkText& chunk) {
    FRESHET_TRY(auto planned,
                source_->database()->At(*source_->database()->NameOf(table), chunk.planned_at));
    if (!chunk.first) return Compare(content.rows, planned.rows).alone;
    const int64_t last = std::min(*chunk.first + ChunkRows(table), std::ssize(planned.rows));
    std::vector<Row> rows(planned.rows.begin() + *chunk.first, planned.rows.begin() + last);
    return chunk.planned_at == position_ ? rows : Compare(rows, content.rows).both;
  }
  int64_t ChunkRows(const record::TableId& table) {
    return source_->database()->tables().at(*source_->database()->NameOf(table)).chunk_rows;
  }

  ModelSource* const source_;
  const std::string handle_;
  const uint64_t position_;
  const bool holds_;
};

}  // namespace

record::Sequence SequenceAt(uint64_t position, uint64_t ordinal) {
  return record::Sequence::Of(1, position, ordinal);
}
record::Sequence SnapshotSequence(uint64_t position) { return SequenceAt(position + 1, 0); }
UtcMicros CommittedAt(uint64_t position) {
  return 1'600'000'000'000'000 + static_cast<int64_t>(position) * 1'000'000;
}
record::Cursor CursorAt(uint64_t position) { return {fmt::format("{}", position)}; }

UtcMicros ModelSource::CommittedAt(uint64_t position) const {
  auto found = script.committed_as.find(position);
  return model::CommittedAt(found == script.committed_as.end() ? position : found->second);
}

record::TableShape ModelSource::Selected(record::TableShape shape) const {
  for (const std::string& column : script.deselected) {
    if (shape.schema->GetFieldIndex(column) >= 0)
      shape = *Reshaped(std::move(shape), DropColumn{column});
  }
  return shape;
}

sources::Traits ModelSource::traits() const {
  return {.name = "model", .exact_snapshots = true, .reads_columns = true, .identity = "model:1"};
}

namespace {

std::string FingerprintOf(const record::TableShape& shape, const record::TableComments& comments) {
  std::string text = shape.schema->ToString() + comments.table;
  for (const auto& [id, comment] : comments.columns)
    text += fmt::format(" {} {}", id.value(), comment);
  for (const auto& id : shape.ids) text += fmt::format(" {}", id.value());
  for (int ordinal : shape.key) text += fmt::format(" key {}", ordinal);
  return text;
}

}  // namespace

Result<std::vector<sources::TableListing>> ModelSource::ListTables() {
  FRESHET_CHECK_OK(Before("list"));
  std::vector<sources::TableListing> listings;
  for (const auto& [name, table] : database_->tables()) {
    FRESHET_TRY(auto content, database_->At(name, database_->last_position()));
    if (content.dropped) continue;
    std::vector<record::Partition> partitions;
    for (int i = 0; i <= content.partitions_joined; ++i)
      partitions.push_back({.id = fmt::format("{}", i), .name = "one", .told = i == 0});
    listings.push_back({.id = table.first_shape.id,
                        .name = table.first_shape.name,
                        .problem = Status::Ok(),
                        .unlogged = table.first_shape.logged
                                        ? Status::Ok()
                                        : Error(ErrorClass::TABLE_NO_IDENTITY, "without log"),
                        .rows_estimated = std::ssize(content.rows),
                        .partitions = std::move(partitions),
                        .fingerprint = FingerprintOf(content.shape, table.comments)});
  }
  return listings;
}

Result<record::TableShape> ModelSource::Describe(const record::TableId& table) {
  auto name = database_->NameOf(table);
  if (!name) return Error(ErrorClass::NOT_FOUND, "no table {}", table.value());
  FRESHET_TRY(auto content, database_->At(*name, database_->last_position()));
  if (content.dropped) return Error(ErrorClass::NOT_FOUND, "table is gone: {}", *name);
  content.shape.comments = database_->tables().at(*name).comments;
  return Selected(std::move(content.shape));
}

Result<std::unique_ptr<sources::Snapshot>> ModelSource::BeginSnapshot() {
  FRESHET_CHECK_OK(Before("snapshot"));
  uint64_t position = script.snapshot_at.value_or(database_->last_position());
  script.snapshot_at.reset();
  // A snapshot is taken after the slot was made, so it is never before it.
  if (slot) position = std::max(position, slot->confirmed);
  std::string handle = fmt::format("view-{}", ++snapshots_);
  held[handle] = position;
  if (auto then = std::exchange(script.after_snapshot, nullptr)) then();
  return std::make_unique<ModelSnapshot>(this, std::move(handle), position, /*holds=*/true);
}

Result<std::unique_ptr<sources::Snapshot>> ModelSource::ResumeSnapshot(const std::string& handle) {
  FRESHET_CHECK_OK(Before("resume"));
  auto found = held.find(handle);
  if (found == held.end()) return Error(ErrorClass::SNAPSHOT_STALE, "nobody holds {}", handle);
  return std::make_unique<ModelSnapshot>(this, handle, found->second, /*holds=*/false);
}

Result<std::unique_ptr<sources::ChangeStream>> ModelSource::OpenChanges(
    std::vector<std::shared_ptr<const record::TableShape>> shapes, const record::Cursor& from) {
  FRESHET_CHECK_OK(Before("open changes"));
  if (from.text.empty()) {
    // A slot without staging is of no use: it is made again, at the end of the log.
    slot = Slot{slot ? database_->last_position() : script.stream_from};
    return MakeStream(this, std::move(shapes), slot->confirmed);
  }
  uint64_t position = 0;
  std::from_chars(from.text.data(), from.text.data() + from.text.size(), position);
  if (slot_lost || !slot) return Error(ErrorClass::SLOT_LOST, "the slot is gone");
  if (slot->confirmed > position) {
    return Error(ErrorClass::SLOT_MOVED, "the slot is at {}, asked for {}", slot->confirmed,
                 position);
  }
  return MakeStream(this, std::move(shapes), position);
}

Status ModelSource::Forget() {
  slot.reset();
  slot_lost = false;
  // One made again begins at the end of the log.
  script.stream_from = database_->last_position();
  return Status::Ok();
}

}  // namespace freshet::model
