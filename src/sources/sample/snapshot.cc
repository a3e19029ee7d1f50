// SPDX-License-Identifier: Apache-2.0
#include "sources/sample/snapshot.h"

#include <arrow/table_builder.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <sstream>

#include "record/arrow_status.h"
#include "sources/sample/catalog.h"
#include "sources/sample/values.h"

namespace freshet::sources::sample {
namespace {

constexpr int64_t kChunksMax = 256;

/// Which chunk of `count` holds a key.
int64_t ChunkOf(std::string_view key, int64_t count) {
  uint64_t hash = 14695981039346656037ULL;
  for (char c : key) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211ULL;
  return static_cast<int64_t>(hash % static_cast<uint64_t>(count));
}

/// Folds the journal up to the snapshot's position into the rows whose keys belong to the chunk, so
/// that memory is bounded by the chunk and not by the table; then hands them out.
class SampleChunkReader final : public ChunkReader {
 public:
  SampleChunkReader(JournalReader journal, uint64_t through,
                    std::shared_ptr<const record::TableShape> shape, int64_t chunk, int64_t chunks)
      : journal_(std::move(journal)),
        through_(through),
        shape_(std::move(shape)),
        name_(shape_->name.ToString()),
        chunk_(chunk),
        chunks_(chunks) {}

  Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
    if (!folded_) {
      FRESHET_CHECK_OK(Fold());
      folded_ = true;
    }
    return Take();
  }
  int64_t values_nulled() const override { return nulled_; }

 private:
  Status Fold();
  Status FoldChange(const Json& change);
  Status FoldRow(const RowChange& change);
  bool Mine(const std::string& key) const { return ChunkOf(key, chunks_) == chunk_; }
  Result<std::shared_ptr<arrow::RecordBatch>> Take();

  JournalReader journal_;
  const uint64_t through_;
  const std::shared_ptr<const record::TableShape> shape_;
  const std::string name_;
  const int64_t chunk_, chunks_;
  bool folded_ = false;
  bool there_ = false;                       // the name means this table here
  int width_ = 0;                            // the table's, here
  std::map<std::string, std::string> rows_;  // by key; as text, which is small
  int64_t nulled_ = 0;
};

Status SampleChunkReader::Fold() {
  uint64_t number = journal_.base();
  while (true) {
    FRESHET_TRY(auto transaction, journal_.Next());
    if (!transaction || transaction->number > through_) break;
    number = transaction->number;
    for (const auto& change : transaction->changes) {
      if (TextOf(change, "table") != name_) continue;
      Status status = FoldChange(change);
      if (!status.ok()) return std::move(status).With("transaction", std::to_string(number));
    }
  }
  if (number == through_) return Status::Ok();
  return Error(ErrorClass::SNAPSHOT_STALE, "the journal was cut while its snapshot was read");
}

Status SampleChunkReader::FoldChange(const Json& change) {
  std::string op = TextOf(change, "op");
  if (op == "create") {
    there_ = TextOf(change, "id") == shape_->id.value();
    width_ = static_cast<int>(change["columns"].size());
  }
  if (op == "add") ++width_;
  if (op == "create" || op == "truncate") rows_.clear();
  if (!there_ || op == "create" || op == "truncate" || op == "add") return Status::Ok();
  if (op == "drop") {
    there_ = false;
    rows_.clear();
    return Status::Ok();
  }
  FRESHET_TRY(RowChange row, ReadRowChange(change, *shape_, width_));
  return FoldRow(row);
}

Status SampleChunkReader::FoldRow(const RowChange& change) {
  Json row = change.row;
  if (change.op != record::Op::kInsert && Mine(change.key_before)) {
    auto former = rows_.find(change.key_before);
    if (former == rows_.end())
      return Error(ErrorClass::DATA_CORRUPT, "a change of a row that is not there: {}", name_);
    if (change.op == record::Op::kUpdate) {
      row = ParseJson<Json>(former->second);
      row.update(change.row);
    }
    rows_.erase(former);
  }
  if (change.op == record::Op::kDelete || !Mine(change.key_after)) return Status::Ok();
  rows_[change.key_after] = JsonText(row);
  return Status::Ok();
}

Result<std::shared_ptr<arrow::RecordBatch>> SampleChunkReader::Take() {
  if (rows_.empty()) return std::shared_ptr<arrow::RecordBatch>();
  FRESHET_TRY(auto builder,
              arrow::RecordBatchBuilder::Make(shape_->schema, arrow::default_memory_pool()));
  size_t bytes = 0;
  for (int64_t count = 0;
       count < limits::kBatchRowsMax && bytes < limits::kBatchBytesMax && !rows_.empty(); ++count) {
    auto first = rows_.begin();
    Json row = ParseJson<Json>(first->second);
    bytes += first->second.size();
    for (int i = 0; i < shape_->width(); ++i) {
      auto value = row.find(shape_->schema->field(i)->name());
      FRESHET_CHECK_OK(
          AppendValue(value == row.end() ? Json() : *value, builder->GetField(i), &nulled_));
    }
    rows_.erase(first);
  }
  FRESHET_TRY(auto batch, builder->Flush());
  return batch;
}

class SampleSnapshot final : public Snapshot {
 public:
  SampleSnapshot(JournalReader journal, JournalEnd end, UtcMicros taken_at, int64_t chunks)
      : journal_(std::move(journal)), end_(std::move(end)), taken_at_(taken_at), chunks_(chunks) {}

  record::Sequence Position() const override { return AfterTransaction(end_.number); }
  UtcMicros TakenAt() const override { return taken_at_; }
  std::string Handle() const override {
    return fmt::format("through={} at={} chunks={}", end_.number, taken_at_, chunks_);
  }
  Result<record::TableShape> Describe(const record::TableId& table) override {
    const JournalTable* found = end_.catalog.Find(table);
    if (found == nullptr)
      return Error(ErrorClass::NOT_FOUND, "no table has the id {}", table.value());
    FRESHET_CHECK_OK(found->problem);
    return found->shape;
  }
  Result<std::vector<Chunk>> Plan(const record::TableShape& shape) override {
    const JournalTable* found = end_.catalog.Find(shape.id);
    if (found == nullptr)
      return Error(ErrorClass::NOT_FOUND, "no table has the id {}", shape.id.value());
    std::vector<Chunk> chunks;
    for (int64_t i = 0; i < chunks_; ++i) {
      chunks.push_back({.number = i,
                        .text = fmt::format("keys {} of {}", i + 1, chunks_),
                        .rows_estimated = found->rows / chunks_});
    }
    return chunks;
  }
  Result<std::unique_ptr<ChunkReader>> Open(std::shared_ptr<const record::TableShape> shape,
                                            const Chunk& chunk) override {
    FRESHET_TRY(JournalReader journal, journal_.Again());
    return std::unique_ptr<ChunkReader>(std::make_unique<SampleChunkReader>(
        std::move(journal), end_.number, std::move(shape), chunk.number, chunks_));
  }

 private:
  const JournalReader journal_;
  const JournalEnd end_;
  const UtcMicros taken_at_;
  const int64_t chunks_;
};

}  // namespace

record::Sequence AfterTransaction(uint64_t number) {
  return record::Sequence::Of(0, number, std::numeric_limits<uint64_t>::max());
}

Result<std::unique_ptr<Snapshot>> BeginSnapshot(const Config& config) {
  FRESHET_TRY(JournalReader journal, JournalReader::Open(config));
  FRESHET_TRY(JournalEnd end, ReadToEnd(&journal));
  int64_t chunks = (journal.offset() + config.chunk_bytes - 1) / config.chunk_bytes;
  return std::unique_ptr<Snapshot>(
      std::make_unique<SampleSnapshot>(std::move(journal), std::move(end), SystemClock().WallNow(),
                                       std::clamp<int64_t>(chunks, 1, kChunksMax)));
}

Result<std::unique_ptr<Snapshot>> ResumeSnapshot(const Config& config, const std::string& handle) {
  uint64_t through = 0;
  UtcMicros taken_at = 0;
  int64_t chunks = 0;
  std::istringstream text(handle);
  bool good = true;
  auto read = [&](std::string_view name, auto* value) {
    std::string word;
    good = good && text >> word && word.starts_with(name) && word[name.size()] == '=';
    const char* end = word.data() + word.size();
    if (good) good = std::from_chars(word.data() + name.size() + 1, end, *value).ptr == end;
  };
  read("through", &through);
  read("at", &taken_at);
  read("chunks", &chunks);
  if (!good || chunks < 1 || chunks > kChunksMax)
    return Error(ErrorClass::SNAPSHOT_STALE, "not a snapshot of this source: {}", handle);
  FRESHET_TRY(JournalReader journal, JournalReader::Open(config));
  FRESHET_TRY(JournalEnd end, ReadToEnd(&journal, through));
  if (end.number != through)
    return Error(ErrorClass::SNAPSHOT_STALE, "the journal was compacted past the snapshot: {}",
                 handle);
  return std::unique_ptr<Snapshot>(
      std::make_unique<SampleSnapshot>(std::move(journal), std::move(end), taken_at, chunks));
}

}  // namespace freshet::sources::sample
