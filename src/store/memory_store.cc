// SPDX-License-Identifier: Apache-2.0
#include "store/memory_store.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "store/path.h"

namespace freshet::store {
namespace {

class MemoryStore final : public FileStore {
 public:
  explicit MemoryStore(Clock* clock) : clock_(clock) {}

  Status Put(std::string_view path, std::span<const std::string_view> pieces,
             If condition) override {
    CheckPath(path);
    auto bytes = std::make_shared<std::string>();
    for (std::string_view piece : pieces) bytes->append(piece);
    return Place(path, std::move(bytes), condition);
  }

  Result<std::shared_ptr<const std::string>> Get(std::string_view path, int64_t offset,
                                                 int64_t length) override {
    CheckPath(path);
    FRESHET_ASSERT(offset >= 0);
    std::lock_guard lock(mutex_);
    auto found = objects_.find(path);
    if (found == objects_.end()) return NotFound(path);
    const auto& bytes = found->second.bytes;
    if (offset == 0 && (length < 0 || static_cast<size_t>(length) >= bytes->size())) return bytes;
    size_t begin = std::min(static_cast<size_t>(offset), bytes->size());
    size_t count = length < 0 ? bytes->npos : static_cast<size_t>(length);
    return std::make_shared<const std::string>(bytes->substr(begin, count));
  }

  Result<FileInfo> Stat(std::string_view path) override {
    CheckPath(path);
    std::lock_guard lock(mutex_);
    auto found = objects_.find(path);
    if (found == objects_.end()) return NotFound(path);
    return InfoOf(found->first, found->second);
  }

  Result<std::vector<FileInfo>> List(std::string_view folder, std::string_view after, int limit,
                                     bool recursive) override {
    CheckFolder(folder);
    std::string prefix = folder.empty() ? "" : fmt::format("{}/", folder);
    std::vector<FileInfo> found;
    std::lock_guard lock(mutex_);
    for (auto it = objects_.lower_bound(prefix);
         it != objects_.end() && it->first.starts_with(prefix); ++it) {
      if (std::ssize(found) >= limit) break;
      if (it->first.starts_with(kOwnPrefix) ||
          it->first.find(fmt::format("/{}", kOwnPrefix)) != std::string::npos)
        continue;
      FileInfo info = InfoOf(it->first, it->second);
      size_t slash = info.path.find('/', prefix.size());
      if (!recursive && slash != std::string::npos) info = {.path = info.path.substr(0, slash + 1)};
      if (info.path <= after || (!found.empty() && found.back().path == info.path)) continue;
      found.push_back(std::move(info));
    }
    return found;
  }

  Status Copy(std::string_view from, std::string_view to) override {
    CheckPath(from);
    CheckPath(to);
    FRESHET_TRY(auto bytes, Get(from, 0, -1));
    return Place(to, std::move(bytes), If::kAbsent);
  }

  Status Remove(std::string_view path) override {
    CheckPath(path);
    std::lock_guard lock(mutex_);
    if (auto found = objects_.find(path); found != objects_.end()) objects_.erase(found);
    return Status::Ok();
  }

 private:
  struct Object {
    std::shared_ptr<const std::string> bytes;
    UtcMicros modified_at = 0;
  };

  static Status NotFound(std::string_view path) {
    return Error(ErrorClass::NOT_FOUND, "no such object: {}", path);
  }
  static FileInfo InfoOf(const std::string& path, const Object& object) {
    return {.path = path, .bytes = std::ssize(*object.bytes), .modified_at = object.modified_at};
  }

  Status Place(std::string_view path, std::shared_ptr<const std::string> bytes, If condition) {
    Object object{std::move(bytes), clock_ == nullptr ? 0 : clock_->WallNow()};
    std::lock_guard lock(mutex_);
    auto found = objects_.find(path);
    if (found == objects_.end()) {
      objects_.emplace(path, std::move(object));
    } else if (condition == If::kAbsent) {
      return Error(ErrorClass::ALREADY_EXISTS, "object is there already: {}", path);
    } else {
      found->second = std::move(object);
    }
    return Status::Ok();
  }

  Clock* const clock_;
  std::mutex mutex_;
  // State below is protected by mutex_.
  std::map<std::string, Object, std::less<>> objects_;
};

}  // namespace

std::shared_ptr<FileStore> MakeMemoryStore(Clock* clock) {
  return std::make_shared<MemoryStore>(clock);
}

}  // namespace freshet::store
