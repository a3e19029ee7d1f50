// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/scalar.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "apply/feed_contents.h"
#include "apply/table_applier.h"
#include "apply/table_contents.h"
#include "base/random.h"
#include "fakes/fake_clock.h"
#include "fakes/rows.h"
#include "parquet/encoder.h"
#include "staging/writer.h"
#include "store/memory_store.h"

namespace freshet::apply {

/// For tests: a staging that the test writes as a gateway would, and the table that is made of it.
/// Positions are plain numbers, larger for later.
class StagedWorld {
 public:
  StagedWorld() : root_(store::MakeMemoryStore(&clock_)) {
    index_directory_ = std::filesystem::temp_directory_path() / ("freshet-" + RandomHex(8));
    staging_ = store::Below(root_, "_freshet/staging");
    table_ = store::Below(root_, "public/t");
    OpenWriter();
    auto reader = staging::StagingReader::Open(staging_);
    EXPECT_TRUE(reader.ok()) << reader.status().ToString();
    reader_ = std::move(*reader);
    ForgetIndex();
  }
  ~StagedWorld() {
    index_.reset();
    std::filesystem::remove_all(index_directory_);
  }

  void OpenWriter() {
    auto writer = staging::StagingWriter::Open(staging_, &clock_);
    EXPECT_TRUE(writer.ok()) << writer.status().ToString();
    writer_ = std::move(*writer);
  }
  void ForgetIndex() {
    index_.reset();
    std::filesystem::remove_all(index_directory_);
    index_ = std::move(KeyIndex::Open(index_directory_.string())).value();
  }

  // --- the gateway's part
  void List(const record::TableShape& shape) {
    writer_->Note(staging::TableListed{shape.id, shape.name});
    NoteShape(shape, {});
  }
  void NoteShape(record::TableShape shape, const record::Sequence& at,
                 std::vector<record::ColumnId> unfilled = {}) {
    shape.version = ++shape_version_;
    shape_ = std::make_shared<record::TableShape>(std::move(shape));
    writer_->Note(staging::ShapeNoted{.shape = *shape_, .at = at, .unfilled = std::move(unfilled)});
  }
  void Begin(int64_t generation, uint64_t position) {
    staging::GenerationBegun begun;
    begun.flow = flow_.id;
    begun.table = flow_.table;
    begun.generation = record::Generation(generation);
    begun.position = At(position, 0);
    begun.shape_version = shape_version_;
    begun.first_segment = writer_->next();
    begun.taken_at = taken_at_;
    writer_->Note(begun);
  }
  void Chunk(int64_t generation, int64_t chunk, const std::vector<fakes::Row>& rows) {
    record::Generation of(generation);
    auto path = writer_->PartPath(flow_.id, flow_.table, of, chunk);
    auto file = Encode(rows);
    auto bytes = std::string_view(*file.bytes);
    EXPECT_TRUE(staging_->Put(path, bytes, store::If::kAbsent).ok());
    staging::SnapshotPart part{flow_.id, flow_.table, of, chunk, path};
    part.rows = static_cast<int64_t>(rows.size());
    part.bytes = static_cast<int64_t>(bytes.size());
    writer_->Note(part);
    writer_->Note(staging::ChunkDone{flow_.id, flow_.table, of, chunk, part.rows});
  }
  void End(int64_t generation) {
    writer_->Note(staging::GenerationEnded{flow_.id, flow_.table, record::Generation(generation)});
  }
  void Change(const std::vector<fakes::ChangeRow>& changes) {
    record::ChangeBatch batch{shape_, fakes::MakeChanges(*shape_, changes)};
    EXPECT_TRUE(writer_->Append(batch).ok());
  }
  void Truncate(uint64_t position, uint64_t ordinal = 1, UtcMicros committed_at = 0) {
    staging::TableEnded end;
    end.kind = record::TableEnd::Kind::kTruncated;
    end.table = flow_.table;
    end.at = At(position, ordinal);
    end.committed_at = committed_at;
    writer_->Note(end);
  }
  void Note(staging::Entry entry) { writer_->Note(std::move(entry)); }
  void Seal() {
    auto sealed = writer_->Seal({fmt::format("cursor {}", ++seals_)}, 0);
    ASSERT_TRUE(sealed.ok()) << sealed.status().ToString();
    sealed_ = *sealed;
  }

  // --- the update's part
  std::unique_ptr<TableApplier> Open(bool created_before = false) {
    TableApplier::Context context;
    context.staging = reader_.get();
    context.table = table_;
    context.root = root_;
    context.staging_prefix = "_freshet/staging";
    context.table_prefix = "public/t";
    context.shadow = store::Below(root_, "_freshet/shadows/t-flow");
    context.shadow_prefix = "_freshet/shadows/t-flow";
    context.index = index_.get();
    context.clock = &clock_;
    context.observer = &observer_;
    context.pipeline_mark = "pipeline";
    context.scratch_folder = std::filesystem::temp_directory_path().string();
    context.fold_bytes_max = fold_bytes_max_;
    context.index_entries_max = index_entries_max_;
    context.compaction = compaction_;
    context.history = history_;
    context.properties = properties_;
    context.created_before = created_before;
    return std::move(TableApplier::Open(flow_, std::move(context))).value();
  }
  /// Apply until nothing more can be done; the last answer.
  Result<Applied> ApplyAll(TableApplier* applier) {
    while (true) {
      auto applied = applier->Apply(sealed_, {});
      if (!applied.ok() || applied->state == Applied::State::kCurrent ||
          applied->state == Applied::State::kWaiting)
        return applied;
    }
  }
  /// Each row as one text, sorted.
  std::vector<std::string> Rows() {
    std::vector<std::string> rows;
    auto snapshot = delta::Table(table_).Latest(nullptr);
    EXPECT_TRUE(snapshot.ok()) << snapshot.status().ToString();
    auto batches = ReadLiveRows(table_, **snapshot);
    EXPECT_TRUE(batches.ok()) << batches.status().ToString();
    for (const auto& batch : *batches) {
      for (int64_t row = 0; row < batch->num_rows(); ++row) rows.push_back(Text(*batch, row));
    }
    std::sort(rows.begin(), rows.end());
    return rows;
  }
  static std::string Text(const arrow::RecordBatch& batch, int64_t row) {
    std::string text;
    for (const auto& column : batch.columns()) {
      text += (text.empty() ? "" : " ") + column->GetScalar(row).ValueOrDie()->ToString();
    }
    return text;
  }
  int64_t Version() { return delta::Table(table_).Latest(nullptr).value()->version; }

  static record::Sequence At(uint64_t position, uint64_t ordinal = 1) {
    return record::Sequence::Of(1, position, ordinal);
  }

  parquet::EncodedFile Encode(const std::vector<fakes::Row>& rows) {
    std::vector<std::string> names = shape_->schema->field_names();
    auto encoder =
        std::move(parquet::Encoder::Make(shape_->schema, std::move(names), shape_->ids)).value();
    EXPECT_TRUE(encoder->Write(fakes::MakeRows(*shape_, rows)).ok());
    return std::move(encoder->Finish()).value();
  }

  fakes::FakeClock clock_;
  record::SilentObserver observer_;
  std::shared_ptr<store::FileStore> root_, staging_, table_;
  std::filesystem::path index_directory_;
  std::unique_ptr<staging::StagingWriter> writer_;
  std::unique_ptr<staging::StagingReader> reader_;
  std::unique_ptr<KeyIndex> index_;
  Flow flow_{record::FlowId("t-flow"), record::TableId("100"), {"public", "t"}};
  std::shared_ptr<const record::TableShape> shape_;
  int32_t shape_version_ = 0;
  int seals_ = 0;
  record::SegmentNumber sealed_;
  size_t fold_bytes_max_ = limits::kFoldBytesMax;
  size_t index_entries_max_ = limits::kIndexIngestEntriesMax;
  CompactionRules compaction_;
  HistoryRules history_;
  std::map<std::string, std::string> properties_;
  UtcMicros taken_at_ = 0;  // of the next snapshot
};

}  // namespace freshet::apply
