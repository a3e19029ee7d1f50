// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <mutex>
#include <set>

#include "base/random.h"
#include "store/file_store.h"
#include "store/local_file.h"
#include "store/local_reader.h"
#include "store/path.h"

namespace freshet::store {
namespace {

/// Where a store's unfinished files lie: `ROOT/.tmp-<random>/`, locked while its owner lives, so
/// that another process can tell a dead one's leavings without trusting process ids (a container's
/// are used again at once).
class Workshop {
 public:
  static Result<std::unique_ptr<Workshop>> Open(const std::string& root) {
    Sweep(root);
    // A sweeper may take the fresh folder before its lock is held; then it is made again.
    while (true) {
      auto shop = std::make_unique<Workshop>();
      shop->path_ = fmt::format("{}/{}{}", root, kOwnPrefix, RandomHex(8));
      if (mkdir(shop->path_.c_str(), 0777) != 0)
        return NoEntry(FromErrno(errno, "cannot write to the folder", root));
      shop->folder_ = OpenFile(open(shop->path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!shop->folder_.ok() && errno == ENOENT) continue;
      if (!shop->folder_.ok()) return FromErrno(errno, "cannot open the folder", shop->path_);
      if (flock(shop->folder_.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) continue;
        return Error(ErrorClass::STORE_UNAVAILABLE, "the file system cannot lock: {}", root);
      }
      if (access(shop->path_.c_str(), F_OK) == 0) return shop;
    }
  }
  ~Workshop() {
    std::error_code ignored;
    if (folder_.ok()) std::filesystem::remove_all(path_, ignored);
  }

  std::string NextName() { return fmt::format("{}/{}", path_, count_.fetch_add(1)); }

 private:
  static Status NoEntry(Status status) {
    if (!status.Is(ErrorClass::NOT_FOUND)) return status;
    return MakeError(ErrorClass::STORE_UNAVAILABLE, status.message());
  }

  /// Remove what dead processes left. What cannot be removed does no harm.
  static void Sweep(const std::string& root) {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(root, ignored)) {
      if (!entry.path().filename().string().starts_with(kOwnPrefix)) continue;
      OpenFile folder(open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
      if (!folder.ok() || flock(folder.get(), LOCK_EX | LOCK_NB) != 0) continue;
      std::filesystem::remove_all(entry.path(), ignored);
    }
  }

  std::string path_;
  OpenFile folder_;
  std::atomic<int64_t> count_ = 0;
};

/// Removes an unfinished file, whatever became of it.
struct Unfinished {
  explicit Unfinished(std::string path_in) : path(std::move(path_in)) {}
  ~Unfinished() { unlink(path.c_str()); }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
  const std::string path;
};

Result<std::vector<std::string>> NamesIn(const std::string& path) {
  std::vector<std::string> names;
  DIR* folder = opendir(path.c_str());
  if (folder == nullptr) {
    if (errno == ENOENT || errno == ENOTDIR) return names;
    return FromErrno(errno, "cannot list the folder", path);
  }
  std::unique_ptr<DIR, int (*)(DIR*)> closer(folder, closedir);
  errno = 0;
  for (dirent* entry = readdir(folder); entry != nullptr; entry = readdir(folder)) {
    std::string name = entry->d_name;
    if (name == "." || name == ".." || name.starts_with(kOwnPrefix)) continue;
    bool is_folder = entry->d_type == DT_DIR;
    if (entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN) {
      struct stat status;
      if (fstatat(dirfd(folder), entry->d_name, &status, 0) != 0) continue;
      is_folder = S_ISDIR(status.st_mode);
    }
    names.push_back(is_folder ? name + '/' : name);
    errno = 0;
  }
  if (errno != 0) return FromErrno(errno, "cannot list the folder", path);
  std::sort(names.begin(), names.end());
  return names;
}

UtcMicros ModifiedAt(const struct stat& status) {
  return status.st_mtim.tv_sec * 1'000'000 + status.st_mtim.tv_nsec / 1000;
}

/// A name is visible from its link or rename on, and durable once its folder is synced, which is
/// before Put returns. Another process that sees it in between and builds on it syncs its own work
/// later; journalling file systems (ext4, XFS) make metadata durable in order, so what it saw is
/// then durable too.
///
/// Without a workshop it only reads.
class LocalStore final : public FileStore {
 public:
  LocalStore(std::string root, std::unique_ptr<Workshop> workshop)
      : root_(std::move(root)), workshop_(std::move(workshop)) {}

  /// Find out whether links work here, before anything depends on it.
  Status Probe() {
    Unfinished first(workshop_->NextName());
    Unfinished second(workshop_->NextName());
    FRESHET_CHECK_OK(WriteFile(first.path, {}));
    if (link(first.path.c_str(), second.path.c_str()) == 0) return Status::Ok();
    return Error(ErrorClass::STORE_UNAVAILABLE, "the file system has no hard links: {}", root_)
        .WithRemedy("Choose a directory on a file system with hard links (ext4, XFS, Btrfs).");
  }

  Status Put(std::string_view path, std::span<const std::string_view> pieces,
             If condition) override {
    CheckPath(path);
    FRESHET_CHECK_OK(CheckWritable());
    Unfinished file(workshop_->NextName());
    FRESHET_CHECK_OK(WriteFile(file.path, pieces));
    std::string folder(FolderOf(path));
    FRESHET_CHECK_OK(HaveFolder(folder));
    FRESHET_CHECK_OK(Name(file.path, path, condition));
    return SyncEntry(folder);
  }

  Result<std::shared_ptr<const std::string>> Get(std::string_view path, int64_t offset,
                                                 int64_t length) override {
    CheckPath(path);
    FRESHET_ASSERT(offset >= 0);
    std::string full = Full(path);
    OpenFile file(open(full.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.ok()) return ReadError(errno, "cannot open", full);
    struct stat status;
    if (fstat(file.get(), &status) != 0) return ReadError(errno, "cannot look at", full);
    if (!S_ISREG(status.st_mode)) return Error(ErrorClass::NOT_FOUND, "not a file: {}", full);
    int64_t rest = std::max<int64_t>(0, status.st_size - offset);
    auto bytes = std::make_shared<std::string>(
        static_cast<size_t>(length < 0 ? rest : std::min(rest, length)), '\0');
    size_t done = 0;
    while (done < bytes->size()) {
      ssize_t got = pread(file.get(), bytes->data() + done, bytes->size() - done,
                          offset + static_cast<int64_t>(done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return ReadError(errno, "cannot read", full);
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    bytes->resize(done);
    return std::shared_ptr<const std::string>(std::move(bytes));
  }

  Result<FileInfo> Stat(std::string_view path) override {
    CheckPath(path);
    std::string full = Full(path);
    struct stat status;
    if (stat(full.c_str(), &status) != 0) return ReadError(errno, "cannot look at", full);
    if (!S_ISREG(status.st_mode)) return Error(ErrorClass::NOT_FOUND, "not a file: {}", full);
    return FileInfo{
        .path = std::string(path), .bytes = status.st_size, .modified_at = ModifiedAt(status)};
  }

  Result<std::vector<FileInfo>> List(std::string_view folder, std::string_view after, int limit,
                                     bool recursive) override {
    CheckFolder(folder);
    std::vector<FileInfo> found;
    std::string prefix = folder.empty() ? std::string() : std::string(folder) + '/';
    FRESHET_CHECK_OK(ListInto(prefix, after, limit, recursive, &found));
    return found;
  }

  Status Copy(std::string_view from, std::string_view to) override {
    CheckPath(from);
    CheckPath(to);
    FRESHET_CHECK_OK(CheckWritable());
    std::string folder(FolderOf(to));
    FRESHET_CHECK_OK(HaveFolder(folder));
    std::string full_from = Full(from), full_to = Full(to);
    if (link(full_from.c_str(), full_to.c_str()) == 0) return SyncEntry(folder);
    // Another device, too many links, or a file of another user (fs.protected_hardlinks): copy the
    // bytes.
    if (errno != EXDEV && errno != EMLINK && errno != EPERM)
      return LinkError(errno, folder, full_to);
    FRESHET_TRY(auto bytes, Get(from, 0, -1));
    return FileStore::Put(to, *bytes, If::kAbsent);
  }

  Status Remove(std::string_view path) override {
    CheckPath(path);
    FRESHET_CHECK_OK(CheckWritable());
    std::string full = Full(path);
    if (unlink(full.c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) return Status::Ok();
    return FromErrno(errno, "cannot remove", full);
  }

 private:
  Status CheckWritable() const {
    if (workshop_ != nullptr) return Status::Ok();
    return Error(ErrorClass::STORE_READ_ONLY, "the folder was opened to be read: {}", root_);
  }

  std::string Full(std::string_view path) const { return fmt::format("{}/{}", root_, path); }

  static Status ReadError(int error, std::string_view what, const std::string& path) {
    Status status = FromErrno(error, what, path);
    if (!status.Is(ErrorClass::STORE_READ_ONLY)) return status;
    return MakeError(ErrorClass::STORE_UNAVAILABLE, status.message());
  }

  /// Write a new file whole and sync it. fdatasync covers its size too (fdatasync(2)).
  Status WriteFile(const std::string& full, std::span<const std::string_view> pieces) {
    OpenFile file(open(full.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!file.ok()) return NotThere(FromErrno(errno, "cannot make a file", full));
    for (std::string_view piece : pieces) FRESHET_CHECK_OK(WriteAll(file.get(), piece, full));
    if (fdatasync(file.get()) != 0) return FromErrno(errno, "cannot sync", full);
    return Status::Ok();
  }

  /// A folder of ours that went away is no missing object.
  static Status NotThere(Status status) {
    if (!status.Is(ErrorClass::NOT_FOUND)) return status;
    return MakeError(ErrorClass::STORE_UNAVAILABLE, status.message());
  }

  Status Name(const std::string& unfinished, std::string_view path, If condition) {
    std::string full = Full(path);
    if (condition == If::kAlways) {
      if (rename(unfinished.c_str(), full.c_str()) == 0) return Status::Ok();
      return NotThere(FromErrno(errno, "cannot rename", full));
    }
    if (link(unfinished.c_str(), full.c_str()) == 0) return Status::Ok();
    return NotThere(LinkError(errno, std::string(FolderOf(path)), full));
  }

  /// Who lost the race may build on the winner's object, so the winner's entry is made durable
  /// first.
  Status LinkError(int error, const std::string& folder, const std::string& full) {
    if (error == EEXIST) FRESHET_CHECK_OK(SyncEntry(folder));
    return FromErrno(error, "cannot link", full);
  }

  /// Make the folder and sync each step of it once in this store's life: a folder that is there may
  /// be another's, unsynced yet.
  Status HaveFolder(const std::string& folder) {
    if (folder.empty()) return Status::Ok();
    std::string full = Full(folder);
    bool durable = false;
    {
      std::lock_guard lock(mutex_);
      durable = durable_folders_.contains(folder);
    }
    if (durable && access(full.c_str(), F_OK) == 0) return Status::Ok();
    std::string parent(FolderOf(folder));
    FRESHET_CHECK_OK(HaveFolder(parent));
    if (mkdir(full.c_str(), 0777) != 0 && errno != EEXIST)
      return NotThere(FromErrno(errno, "cannot make the folder", full));
    FRESHET_CHECK_OK(SyncFolder(parent.empty() ? root_ : Full(parent)));
    std::lock_guard lock(mutex_);
    durable_folders_.insert(folder);
    return Status::Ok();
  }

  /// Sync an entry just made: when that fails, the entry may or may not survive.
  Status SyncEntry(const std::string& folder) {
    return NotThere(SyncFolder(folder.empty() ? root_ : Full(folder))).OutcomeUnknown();
  }

  Status ListInto(const std::string& prefix, std::string_view after, int limit, bool recursive,
                  std::vector<FileInfo>* found) {
    FRESHET_TRY(auto names, NamesIn(root_ + '/' + prefix));
    for (std::string& name : names) {
      if (std::ssize(*found) >= limit) break;
      std::string path = prefix + name;
      bool is_folder = path.back() == '/';
      if (is_folder && recursive) {
        bool all_before = after > path && !after.starts_with(path);
        if (!all_before) FRESHET_CHECK_OK(ListInto(path, after, limit, recursive, found));
        continue;
      }
      if (path <= after) continue;
      if (is_folder) {
        found->push_back({.path = std::move(path)});
        continue;
      }
      struct stat status;
      if (stat(Full(path).c_str(), &status) != 0) continue;  // removed meanwhile
      found->push_back(
          {.path = std::move(path), .bytes = status.st_size, .modified_at = ModifiedAt(status)});
    }
    return Status::Ok();
  }

  const std::string root_;
  const std::unique_ptr<Workshop> workshop_;
  std::mutex mutex_;
  // State below is protected by mutex_.
  std::set<std::string> durable_folders_;
};

}  // namespace

Result<std::shared_ptr<FileStore>> OpenLocalStore(const std::string& root) {
  std::error_code error;
  std::string absolute = std::filesystem::absolute(root, error).lexically_normal().string();
  if (error) return Error(ErrorClass::STORE_UNAVAILABLE, "cannot find the folder: {}", root);
  while (absolute.size() > 1 && absolute.back() == '/') absolute.pop_back();
  FRESHET_CHECK_OK(MakeFolders(absolute));
  FRESHET_TRY(auto workshop, Workshop::Open(absolute));
  auto store = std::make_shared<LocalStore>(std::move(absolute), std::move(workshop));
  FRESHET_CHECK_OK(store->Probe());
  return std::shared_ptr<FileStore>(std::move(store));
}

std::shared_ptr<FileStore> OpenLocalReader(const std::string& root) {
  return std::make_shared<LocalStore>(root, nullptr);
}

}  // namespace freshet::store
