// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/io/interfaces.h>

#include <memory>
#include <string>

#include "store/file_store.h"

namespace freshet::parquet {

/// A stored object as Arrow wants to read it. One thread at a time. A store's error is kept in
/// `failure`, because Parquet's own errors come in the same status code.
class StoreFile final : public arrow::io::RandomAccessFile {
 public:
  StoreFile(std::shared_ptr<store::FileStore> store, std::string path, int64_t bytes)
      : store_(std::move(store)), path_(std::move(path)), bytes_(bytes) {}

  const Status& failure() const { return failure_; }

  arrow::Result<int64_t> GetSize() override { return bytes_; }
  arrow::Result<int64_t> ReadAt(int64_t position, int64_t length, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position, int64_t length) override;
  arrow::Result<int64_t> Read(int64_t length, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t length) override;
  arrow::Status Seek(int64_t position) override;
  arrow::Result<int64_t> Tell() const override { return position_; }
  arrow::Status Close() override;
  bool closed() const override { return closed_; }

 private:
  arrow::Result<std::shared_ptr<const std::string>> Get(int64_t position, int64_t length);

  std::shared_ptr<store::FileStore> store_;
  std::string path_;
  int64_t bytes_, position_ = 0;
  bool closed_ = false;
  Status failure_;
};

}  // namespace freshet::parquet
