// SPDX-License-Identifier: Apache-2.0
#include "capture/chunk.h"

#include <optional>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "parquet/encoder.h"

namespace freshet::capture {
namespace {

class ChunkReading {
 public:
  ChunkReading(const ChunkTask& task, staging::StagingWriter* writer, store::FileStore* store)
      : task_(task), writer_(writer), store_(store) {}

  Status Run(const std::stop_token& stop, ChunkResult* result) {
    FRESHET_TRY(auto reader, task_.snapshot->Open(task_.shape, task_.chunk));
    while (true) {
      if (stop.stop_requested() || task_.stop.stop_requested()) {
        return Error(ErrorClass::CANCELLED, "the chunk is no longer wanted");
      }
      FRESHET_TRY(auto batch, reader->Next());
      if (batch == nullptr) break;
      if (encoder_ == nullptr) FRESHET_CHECK_OK(Begin());
      FRESHET_CHECK_OK(encoder_->Write(batch));
      task_.rows_read->fetch_add(batch->num_rows(), std::memory_order_relaxed);
      if (encoder_->bytes() >= static_cast<int64_t>(limits::kSnapshotPartBytesMax)) {
        FRESHET_CHECK_OK(FinishPart(result));
      }
    }
    FRESHET_CHECK_OK(FinishPart(result));
    result->values_nulled = reader->values_nulled();
    return Status::Ok();
  }

 private:
  Status Begin() {
    std::vector<std::string> names;
    for (const auto& field : task_.shape->schema->fields()) names.push_back(field->name());
    FRESHET_TRY(encoder_,
                parquet::Encoder::Make(task_.shape->schema, std::move(names), task_.shape->ids));
    return Status::Ok();
  }

  Status FinishPart(ChunkResult* result) {
    if (encoder_ == nullptr || encoder_->rows() == 0) return Status::Ok();
    int64_t rows = encoder_->rows();
    FRESHET_TRY(parquet::EncodedFile file, encoder_->Finish());
    encoder_.reset();
    std::string path =
        writer_->PartPath(task_.flow, task_.shape->id, task_.generation, task_.chunk.number);
    std::string_view bytes(reinterpret_cast<const char*>(file.bytes->data()),
                           static_cast<size_t>(file.bytes->size()));
    // Named before the put, so that a failed or doubtful one is removed too.
    result->parts.push_back({.flow = task_.flow,
                             .table = task_.shape->id,
                             .generation = task_.generation,
                             .chunk = task_.chunk.number,
                             .path = path,
                             .rows = rows,
                             .bytes = file.bytes->size()});
    Status put = store_->Put(path, bytes, store::If::kAlways);
    // The name is ours alone, so to put it again after an unknown outcome changes nothing.
    if (put.outcome_unknown()) put = store_->Put(path, bytes, store::If::kAlways);
    FRESHET_CHECK_OK(put);
    result->rows += rows;
    return Status::Ok();
  }

  const ChunkTask& task_;
  staging::StagingWriter* const writer_;
  store::FileStore* const store_;
  std::unique_ptr<parquet::Encoder> encoder_;
};

}  // namespace

ChunkResult ReadChunk(const ChunkTask& task, staging::StagingWriter* writer,
                      store::FileStore* store, const std::stop_token& stop) {
  ChunkResult result{.flow = task.flow,
                     .table = task.shape->id,
                     .generation = task.generation,
                     .view = task.snapshot->Handle(),
                     .chunk = task.chunk.number,
                     .status = {},
                     .parts = {}};
  ChunkReading reading(task, writer, store);
  result.status = reading.Run(stop, &result);
  if (!result.status.ok()) {
    // Best effort: what stays is swept when the next gateway opens the staging.
    for (const auto& part : result.parts) store->Remove(part.path).ok();
    result.parts.clear();
  }
  return result;
}

int64_t EstimatedRows(const std::vector<sources::Chunk>& chunks) {
  int64_t rows = 0;
  for (const auto& chunk : chunks) {
    if (chunk.rows_estimated < 0) return -1;
    rows += chunk.rows_estimated;
  }
  return rows;
}

std::vector<std::string> TextsOf(const std::vector<sources::Chunk>& chunks) {
  std::vector<std::string> texts;
  texts.reserve(chunks.size());
  for (const auto& chunk : chunks) texts.push_back(chunk.text);
  return texts;
}

}  // namespace freshet::capture
