// SPDX-License-Identifier: Apache-2.0
#include "staging/pack.h"

#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/util/byte_size.h>
#include <arrow/util/key_value_metadata.h>

#include <algorithm>

#include "base/crc32c.h"
#include "base/limits.h"
#include "record/arrow_status.h"

namespace freshet::staging {
namespace {

/// Batches of fewer rows than this, on average, become one: a message costs about 100 bytes a
/// column.
constexpr int64_t kSmallBatchRows = 4096;

/// Keeps the bytes a buffer points into.
class StringBuffer final : public arrow::Buffer {
 public:
  explicit StringBuffer(std::shared_ptr<const std::string> bytes)
      : arrow::Buffer(reinterpret_cast<const uint8_t*>(bytes->data()),
                      static_cast<int64_t>(bytes->size())),
        bytes_(std::move(bytes)) {}

 private:
  std::shared_ptr<const std::string> bytes_;
};

/// ChangeSchema of the shape, the columns carrying their ids.
std::shared_ptr<arrow::Schema> RunSchema(const record::TableShape& shape) {
  arrow::FieldVector fields;
  for (int i = 0; i < shape.width(); ++i) {
    auto id = std::to_string(shape.ids[static_cast<size_t>(i)].value());
    fields.push_back(shape.schema->field(i)->WithMetadata(
        arrow::key_value_metadata({"PARQUET:field_id"}, {std::move(id)})));
  }
  return record::ChangeSchema(*arrow::schema(std::move(fields)));
}

void Count(const arrow::RecordBatchVector& batches, ChangeRun* run) {
  run->committed_first = record::ChangeView(batches.front()).committed_at(0);
  run->first = record::ChangeView(batches.front()).sequence(0);
  for (const auto& batch : batches) {
    record::ChangeView view(batch);
    int64_t inserts = 0;
    int64_t deletes = 0;
    for (int64_t row = 0; row < view.size(); ++row) {
      inserts += view.op(row) == record::Op::kInsert ? 1 : 0;
      deletes += view.op(row) == record::Op::kDelete ? 1 : 0;
    }
    run->rows += view.size();
    run->inserts += inserts;
    run->deletes += deletes;
    run->updates += view.size() - inserts - deletes;
    run->has_missing =
        run->has_missing || batch->column(view.width() + 3)->null_count() < view.size();
    run->last = view.sequence(view.size() - 1);
    run->committed_last = view.committed_at(view.size() - 1);
  }
}

Result<std::shared_ptr<arrow::Buffer>> Encode(const std::shared_ptr<arrow::Schema>& schema,
                                              const arrow::RecordBatchVector& batches,
                                              size_t bytes) {
  FRESHET_TRY(auto sink,
              arrow::io::BufferOutputStream::Create(static_cast<int64_t>(bytes + limits::kKiB)));
  FRESHET_TRY(auto writer, arrow::ipc::MakeStreamWriter(sink, schema));
  for (const auto& batch : batches) {
    FRESHET_CHECK_OK(writer->WriteRecordBatch(
        *arrow::RecordBatch::Make(schema, batch->num_rows(), batch->columns())));
  }
  FRESHET_CHECK_OK(writer->Close());
  FRESHET_TRY(std::shared_ptr<arrow::Buffer> buffer, sink->Finish());
  return buffer;
}

}  // namespace

void Pack::Add(const record::ChangeBatch& batch) {
  if (batch.rows->num_rows() == 0) return;
  Run& run = open_[batch.shape->id];
  FRESHET_ASSERT(run.shape == nullptr || run.shape->version == batch.shape->version);
  if (run.shape == nullptr) run.shape = batch.shape;
  run.batches.push_back(batch.rows);
  // An estimate that fails only for types no shape has; then the pack is written a little later.
  size_t bytes = static_cast<size_t>(arrow::util::ReferencedBufferSize(*batch.rows).ValueOr(0));
  run.bytes += bytes;
  open_bytes_ += bytes;
}

std::optional<int32_t> Pack::open_version(const TableId& table) const {
  auto found = open_.find(table);
  return found == open_.end() ? std::nullopt : std::optional(found->second.shape->version);
}

Result<std::optional<ChangeRun>> Pack::Close(const TableId& table, int ordinal) {
  auto found = open_.find(table);
  if (found == open_.end()) return std::optional<ChangeRun>();
  Run run = std::move(found->second);
  open_.erase(found);
  open_bytes_ -= run.bytes;

  ChangeRun entry{.table = table,
                  .shape_version = run.shape->version,
                  .pack = ordinal,
                  .first = {},
                  .last = {}};
  Count(run.batches, &entry);
  auto schema = RunSchema(*run.shape);
  bool small = entry.rows < kSmallBatchRows * static_cast<int64_t>(run.batches.size()) &&
               run.bytes <= 2 * limits::kPackBytesMax;
  if (run.batches.size() > 1 && small) {
    for (auto& batch : run.batches)
      batch = arrow::RecordBatch::Make(schema, batch->num_rows(), batch->columns());
    FRESHET_TRY(auto joined, arrow::ConcatenateRecordBatches(run.batches));
    run.batches = {std::move(joined)};
  }
  FRESHET_TRY(auto piece, Encode(schema, run.batches, run.bytes));
  entry.offset = static_cast<int64_t>(written_bytes_);
  entry.length = piece->size();
  entry.crc32c =
      Crc32c({reinterpret_cast<const char*>(piece->data()), static_cast<size_t>(piece->size())});
  written_bytes_ += static_cast<size_t>(piece->size());
  pieces_.push_back(std::move(piece));
  return std::optional(std::move(entry));
}

Result<std::vector<ChangeRun>> Pack::CloseAll(int ordinal) {
  std::vector<ChangeRun> runs;
  while (!open_.empty()) {
    TableId table = open_.begin()->first;
    FRESHET_TRY(auto run, Close(table, ordinal));
    runs.push_back(std::move(*run));
  }
  return runs;
}

std::vector<std::string_view> Pack::pieces() const {
  std::vector<std::string_view> views;
  for (const auto& piece : pieces_)
    views.emplace_back(reinterpret_cast<const char*>(piece->data()),
                       static_cast<size_t>(piece->size()));
  return views;
}

Result<arrow::RecordBatchVector> DecodeRun(std::shared_ptr<const std::string> bytes,
                                           const ChangeRun& run) {
  auto corrupt = [&](const std::string& why) {
    return Error(ErrorClass::STAGING_CORRUPT, "a run of changes is not readable: {}", why)
        .With("table", run.table.value());
  };
  if (static_cast<int64_t>(bytes->size()) != run.length) return corrupt("it is cut short");
  // Before anything looks into the bytes: Arrow trusts the offsets it finds in there.
  if (Crc32c(*bytes) != run.crc32c) return corrupt("its checksum is another");
  arrow::io::BufferReader source(std::make_shared<StringBuffer>(std::move(bytes)));
  auto reader = arrow::ipc::RecordBatchStreamReader::Open(&source);
  if (!reader.ok()) return corrupt(reader.status().message());
  auto batches = (*reader)->ToRecordBatches();
  if (!batches.ok()) return corrupt(batches.status().message());
  int64_t rows = 0;
  for (const auto& batch : *batches) {
    arrow::Status valid = batch->Validate();
    if (!valid.ok()) return corrupt(valid.message());
    rows += batch->num_rows();
  }
  if (rows != run.rows)
    return corrupt(fmt::format("it holds {} rows where its manifest says {}", rows, run.rows));
  return std::move(*batches);
}

}  // namespace freshet::staging
