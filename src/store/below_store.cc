// SPDX-License-Identifier: Apache-2.0
#include "store/file_store.h"
#include "store/path.h"

namespace freshet::store {
namespace {

/// Adds a prefix on the way in, takes it off on the way out.
class BelowStore final : public FileStore {
 public:
  BelowStore(std::shared_ptr<FileStore> store, std::string prefix)
      : store_(std::move(store)), prefix_(std::move(prefix) + '/') {}

  Status Put(std::string_view path, std::span<const std::string_view> pieces,
             If condition) override {
    return store_->Put(Full(path), pieces, condition);
  }
  Result<std::shared_ptr<const std::string>> Get(std::string_view path, int64_t offset,
                                                 int64_t length) override {
    return store_->Get(Full(path), offset, length);
  }
  Result<FileInfo> Stat(std::string_view path) override {
    FRESHET_TRY(auto info, store_->Stat(Full(path)));
    info.path.erase(0, prefix_.size());
    return info;
  }
  Result<std::vector<FileInfo>> List(std::string_view folder, std::string_view after, int limit,
                                     bool recursive) override {
    CheckFolder(folder);
    std::string full =
        folder.empty() ? prefix_.substr(0, prefix_.size() - 1) : prefix_ + std::string(folder);
    std::string full_after = after.empty() ? std::string() : prefix_ + std::string(after);
    FRESHET_TRY(auto found, store_->List(full, full_after, limit, recursive));
    for (FileInfo& info : found) info.path.erase(0, prefix_.size());
    return found;
  }
  Status Copy(std::string_view from, std::string_view to) override {
    return store_->Copy(Full(from), Full(to));
  }
  Status Remove(std::string_view path) override { return store_->Remove(Full(path)); }

 private:
  std::string Full(std::string_view path) const {
    CheckPath(path);
    return prefix_ + std::string(path);
  }

  const std::shared_ptr<FileStore> store_;
  const std::string prefix_;
};

}  // namespace

std::shared_ptr<FileStore> Below(std::shared_ptr<FileStore> store, std::string prefix) {
  CheckFolder(prefix);
  if (prefix.empty()) return store;
  return std::make_shared<BelowStore>(std::move(store), std::move(prefix));
}

}  // namespace freshet::store
