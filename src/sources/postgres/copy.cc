// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/copy.h"

#include <cstring>

#include "record/arrow_status.h"
#include "sources/postgres/values.h"

namespace freshet::sources::postgres {
namespace {

constexpr std::string_view kSignature("PGCOPY\n\377\r\n\0", 11);
/// A block is decoded when it holds this much; a longer row makes it grow.
constexpr size_t kBlockBytes = 128 * 1024;
/// Between the fields of one column and the next: not a power of two, so that the fields of one row
/// don't fall on the same lines of the cache.
constexpr size_t kFieldStride = kCopyBlockRows + 8;

Status Bad(std::string_view what) {
  return Error(ErrorClass::SOURCE_PROTOCOL, "binary COPY data is not in its format: {}", what);
}

}  // namespace

CopyDecoder::CopyDecoder(std::shared_ptr<arrow::Schema> schema,
                         const std::vector<ColumnType>& types)
    : schema_(std::move(schema)),
      block_(kBlockBytes + kCopyBlockPad),
      fields_(types.size() * kFieldStride) {
  columns_.reserve(types.size());
  for (const auto& type : types) columns_.push_back(CopyColumn::Make(type));
}

Status CopyDecoder::Take(std::string_view message) {
  bytes_ += message.size();
  if (!begun_) FRESHET_CHECK_OK(TakeHeader(&message));
  while (!message.empty()) {
    if (ended_) return Bad("data after its end");
    FRESHET_CHECK_OK(TakeRow(&message));
  }
  return Status::Ok();
}

/// Signature, flags(4), length of an extension(4), the extension.
Status CopyDecoder::TakeHeader(std::string_view* message) {
  if (message->size() < kSignature.size() + 8 || !message->starts_with(kSignature)) {
    return Bad("no signature");
  }
  auto extension = LoadBigEndian<uint32_t>(message->data() + kSignature.size() + 4);
  message->remove_prefix(kSignature.size() + 8);
  if (extension > message->size()) return Bad("header cut short");
  message->remove_prefix(extension);
  begun_ = true;
  return Status::Ok();
}

Status CopyDecoder::TakeRow(std::string_view* message) {
  if (message->size() < 2) return Bad("row cut short");
  auto count = LoadBigEndian<int16_t>(message->data());
  message->remove_prefix(2);
  if (count == -1) {
    ended_ = true;
    return Status::Ok();
  }
  if (static_cast<size_t>(count) != width()) return Bad("wrong number of columns");
  const char* const begin = message->data();
  const char* const end = begin + message->size();
  const char* at = begin;
  CopyField* field = fields_.data() + block_rows_;
  for (size_t i = 0; i < width(); ++i, field += kFieldStride) {
    if (end - at < 4) return Bad("row cut short");
    auto length = LoadBigEndian<int32_t>(at);
    at += 4;
    *field = {static_cast<uint32_t>(block_bytes_ + static_cast<size_t>(at - begin)), length};
    if (length == -1) continue;
    if (length < 0 || end - at < length) return Bad("value cut short");
    at += length;
  }
  const auto size = static_cast<size_t>(at - begin);
  if (block_bytes_ + size + kCopyBlockPad > block_.size()) {
    block_.resize(block_bytes_ + size + kCopyBlockPad);
  }
  std::memcpy(block_.data() + block_bytes_, begin, size);
  message->remove_prefix(size);
  block_bytes_ += size;
  ++block_rows_;
  ++rows_;
  bool full = block_rows_ == kCopyBlockRows || block_bytes_ >= kBlockBytes;
  return full ? DecodeBlock() : Status::Ok();
}

Status CopyDecoder::DecodeBlock() {
  for (size_t i = 0; i < width(); ++i) {
    Status status =
        columns_[i]->Append(block_.data(), fields_.data() + i * kFieldStride, block_rows_);
    if (status.ok()) continue;
    const auto& field = *schema_->field(static_cast<int>(i));
    if (status.Is(ErrorClass::SOURCE_PROTOCOL) && HasFields(*field.type())) {
      return Error(ErrorClass::SHAPE_CHANGE_UNSUPPORTED,
                   "a value has other fields than its column's type had: {}", field.name());
    }
    return std::move(status).With("column", field.name());
  }
  block_rows_ = block_bytes_ = 0;
  return Status::Ok();
}

Result<std::shared_ptr<arrow::RecordBatch>> CopyDecoder::Finish() {
  FRESHET_CHECK_OK(DecodeBlock());
  arrow::ArrayVector arrays;
  for (auto& column : columns_) {
    FRESHET_TRY(auto array, column->Finish());
    arrays.push_back(std::move(array));
  }
  auto batch = arrow::RecordBatch::Make(schema_, rows_, std::move(arrays));
  rows_ = 0;
  bytes_ = 0;
  return batch;
}

int64_t CopyDecoder::values_nulled() const {
  int64_t sum = 0;
  for (const auto& column : columns_) sum += column->values_nulled();
  return sum;
}

}  // namespace freshet::sources::postgres
