// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/copy.h"

#include "record/arrow_status.h"

namespace freshet::sources::postgres {
namespace {

constexpr std::string_view kSignature("PGCOPY\n\377\r\n\0", 11);
constexpr int64_t kReserveRows = 4096;

Status Bad(std::string_view what) {
  return Error(ErrorClass::SOURCE_PROTOCOL, "binary COPY data is not in its format: {}", what);
}

}  // namespace

CopyDecoder::CopyDecoder(std::shared_ptr<arrow::Schema> schema,
                         const std::vector<ColumnType>& types)
    : schema_(std::move(schema)) {
  columns_.reserve(types.size());
  for (const auto& type : types) columns_.emplace_back(type);
}

Status CopyDecoder::Take(std::string_view message) {
  bytes_ += message.size();
  if (!begun_) {
    // Signature, flags(4), length of an extension(4), the extension.
    if (message.size() < kSignature.size() + 8 || !message.starts_with(kSignature)) {
      return Bad("no signature");
    }
    auto extension = LoadBigEndian<uint32_t>(message.data() + kSignature.size() + 4);
    message.remove_prefix(kSignature.size() + 8);
    if (extension > message.size()) return Bad("header cut short");
    message.remove_prefix(extension);
    begun_ = true;
  }
  while (!message.empty()) {
    if (ended_) return Bad("data after its end");
    FRESHET_CHECK_OK(TakeRow(&message));
  }
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
  if (static_cast<size_t>(count) != columns_.size()) return Bad("wrong number of columns");
  if (rows_ == reserved_) {
    for (auto& column : columns_) FRESHET_CHECK_OK(column.Reserve(kReserveRows));
    reserved_ += kReserveRows;
  }
  const char* at = message->data();
  const char* end = at + message->size();
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (end - at < 4) return Bad("row cut short");
    auto length = LoadBigEndian<int32_t>(at);
    at += 4;
    if (length == -1) {
      columns_[i].AppendNull();
      continue;
    }
    if (length < 0 || end - at < length) return Bad("value cut short");
    if (!columns_[i].AppendBinary({at, static_cast<size_t>(length)})) {
      const auto& field = *schema_->field(static_cast<int>(i));
      if (HasFields(*field.type())) {
        return Error(ErrorClass::SHAPE_CHANGE_UNSUPPORTED,
                     "a value has other fields than its column's type had: {}", field.name());
      }
      return Bad(fmt::format("value of column {}", field.name()));
    }
    at += length;
  }
  message->remove_prefix(static_cast<size_t>(at - message->data()));
  ++rows_;
  return Status::Ok();
}

Result<std::shared_ptr<arrow::RecordBatch>> CopyDecoder::Finish() {
  arrow::ArrayVector arrays;
  for (auto& column : columns_) {
    FRESHET_TRY(auto array, column.Finish());
    arrays.push_back(std::move(array));
  }
  auto batch = arrow::RecordBatch::Make(schema_, rows_, std::move(arrays));
  rows_ = 0;
  reserved_ = 0;
  bytes_ = 0;
  return batch;
}

int64_t CopyDecoder::values_nulled() const {
  int64_t sum = 0;
  for (const auto& column : columns_) sum += column.values_nulled();
  return sum;
}

}  // namespace freshet::sources::postgres
