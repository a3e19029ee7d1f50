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
  return Error(ErrorClass::SOURCE_PROTOCOL, "COPY data is not in its format: {}", what);
}

/// What stands after a backslash for a control character; any other stands for itself.
char Unescaped(char c) {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    default:
      return c;
  }
}

/// Write a field without its escapes; return the end, nothing when a backslash has nothing behind
/// it.
char* WriteUnescaped(std::string_view field, char* to) {
  for (size_t i = 0; i < field.size(); ++i) {
    if (field[i] != '\\') {
      *to++ = field[i];
    } else if (++i == field.size()) {
      return nullptr;
    } else {
      *to++ = Unescaped(field[i]);
    }
  }
  return to;
}

}  // namespace

CopyDecoder::CopyDecoder(std::shared_ptr<arrow::Schema> schema,
                         const std::vector<ColumnType>& types, CopyFormat format)
    : schema_(std::move(schema)),
      format_(format),
      block_(kBlockBytes + kCopyBlockPad),
      fields_(types.size() * kFieldStride) {
  columns_.reserve(types.size());
  for (const auto& type : types) columns_.push_back(CopyColumn::Make(type, format));
}

Status CopyDecoder::Take(std::string_view message) {
  bytes_ += message.size();
  if (format_ == CopyFormat::kText) {
    while (!message.empty()) FRESHET_CHECK_OK(TakeTextRow(&message));
    return Status::Ok();
  }
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
  std::memcpy(RoomFor(size), begin, size);
  message->remove_prefix(size);
  return EndRow(size);
}

char* CopyDecoder::RoomFor(size_t size) {
  if (block_bytes_ + size + kCopyBlockPad > block_.size()) {
    block_.resize(block_bytes_ + size + kCopyBlockPad);
  }
  return block_.data() + block_bytes_;
}

/// Fields between tabs, `\N` for NULL, a newline at the end; within a field these and backslashes
/// are escaped.
Status CopyDecoder::TakeTextRow(std::string_view* message) {
  const size_t size = std::min(message->find('\n'), message->size());
  if (size == message->size()) return Bad("row cut short");
  const std::string_view row = message->substr(0, size);
  message->remove_prefix(size + 1);
  char* const begin = RoomFor(size);
  CopyField* field = fields_.data() + block_rows_;
  char* to = begin;
  size_t at = 0;
  for (size_t i = 0; i < width(); ++i, field += kFieldStride) {
    if (at > size) return Bad("wrong number of columns");
    const size_t end = std::min(row.find('\t', at), size);
    const std::string_view value = row.substr(at, end - at);
    at = end + 1;
    if (value == "\\N") {
      *field = {};
      continue;
    }
    const char* const from = to;
    if (value.find('\\') == value.npos) {
      std::memcpy(to, value.data(), value.size());
      to += value.size();
    } else if ((to = WriteUnescaped(value, to)) == nullptr) {
      return Bad("an escape cut short");
    }
    *field = {static_cast<uint32_t>(from - block_.data()), static_cast<int32_t>(to - from)};
  }
  // A table without columns sends empty rows.
  if (at <= size && width() > 0) return Bad("wrong number of columns");
  return EndRow(static_cast<size_t>(to - begin));
}

Status CopyDecoder::EndRow(size_t size) {
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

Status CopyDecoder::End() const {
  return format_ == CopyFormat::kText || ended_ ? Status::Ok() : Bad("no trailer");
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
