// SPDX-License-Identifier: Apache-2.0
#include "parquet/store_file.h"

#include <arrow/buffer.h>

#include <cstring>

namespace freshet::parquet {
namespace {

/// Keeps the bytes it shows alive.
class StringBuffer final : public arrow::Buffer {
 public:
  explicit StringBuffer(std::shared_ptr<const std::string> bytes)
      : arrow::Buffer(reinterpret_cast<const uint8_t*>(bytes->data()),
                      static_cast<int64_t>(bytes->size())),
        bytes_(std::move(bytes)) {}

 private:
  std::shared_ptr<const std::string> bytes_;
};

}  // namespace

arrow::Result<std::shared_ptr<const std::string>> StoreFile::Get(int64_t position, int64_t length) {
  if (length == 0) return std::make_shared<const std::string>();
  auto bytes = store_->Get(path_, position, length);
  if (bytes.ok()) return *bytes;
  failure_ = bytes.status();
  return arrow::Status::IOError(failure_.ToString());
}

arrow::Result<int64_t> StoreFile::ReadAt(int64_t position, int64_t length, void* out) {
  ARROW_ASSIGN_OR_RAISE(auto bytes, Get(position, length));
  std::memcpy(out, bytes->data(), bytes->size());
  return static_cast<int64_t>(bytes->size());
}

arrow::Result<std::shared_ptr<arrow::Buffer>> StoreFile::ReadAt(int64_t position, int64_t length) {
  ARROW_ASSIGN_OR_RAISE(auto bytes, Get(position, length));
  return std::make_shared<StringBuffer>(std::move(bytes));
}

arrow::Result<int64_t> StoreFile::Read(int64_t length, void* out) {
  ARROW_ASSIGN_OR_RAISE(auto count, ReadAt(position_, length, out));
  position_ += count;
  return count;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> StoreFile::Read(int64_t length) {
  ARROW_ASSIGN_OR_RAISE(auto buffer, ReadAt(position_, length));
  position_ += buffer->size();
  return buffer;
}

arrow::Status StoreFile::Seek(int64_t position) {
  position_ = position;
  return arrow::Status::OK();
}

arrow::Status StoreFile::Close() {
  closed_ = true;
  return arrow::Status::OK();
}

}  // namespace freshet::parquet
