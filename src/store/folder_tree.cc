// SPDX-License-Identifier: Apache-2.0
#include "store/folder_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/random.h"

namespace freshet::store {
namespace {

constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
/// What is on its way is not listed.
constexpr std::string_view kIncoming = ".incoming-";

std::string Display(const FolderTree::Path& path) {
  std::string text;
  for (const auto& part : path) text += "/" + part;
  return text.empty() ? "/" : text;
}

Status CheckPart(const std::string& part) {
  bool good = !part.empty() && part != "." && part != ".." && part.size() <= NAME_MAX &&
              part.find('/') == std::string::npos && part.find('\0') == std::string::npos &&
              !part.starts_with(kIncoming);
  if (good) return Status::Ok();
  return Error(ErrorClass::INVALID_ARGUMENT, "not a name of a file or folder: '{}'", part);
}

Status Missing(const FolderTree::Path& path) {
  return Error(ErrorClass::NOT_FOUND, "No such file or directory: {}", Display(path));
}

/// A link that stands where a folder is looked for is not there, and neither is what lies behind a
/// file.
Status FromOpen(int error, std::string_view what, const FolderTree::Path& path) {
  if (error == ENOTDIR || error == ELOOP || error == ENOENT) return Missing(path);
  return FromErrno(error, what, Display(path));
}

Result<struct stat> StatIn(int folder, const std::string& name, const FolderTree::Path& path) {
  struct stat found {};
  if (fstatat(folder, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0)
    return FromOpen(errno, "cannot look at", path);
  if (!S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode)) return Missing(path);
  return found;
}

TreeEntry EntryOf(const struct stat& found, const std::string& name) {
  constexpr int64_t kMsPerSecond = 1000, kNsPerMs = 1'000'000;
  return {.name = name,
          .folder = S_ISDIR(found.st_mode),
          .size = S_ISDIR(found.st_mode) ? 0 : static_cast<int64_t>(found.st_size),
          .modified_at = found.st_mtim.tv_sec * kMsPerSecond + found.st_mtim.tv_nsec / kNsPerMs};
}

FolderTree::Path ParentOf(const FolderTree::Path& path) {
  return {path.begin(), std::prev(path.end())};
}

Status CheckFile(const FolderTree::Path& path) {
  if (path.empty()) return Error(ErrorClass::INVALID_ARGUMENT, "a file has a name");
  return CheckPart(path.back());
}

}  // namespace

Result<OpenFile> FolderTree::Enter(const Path& path) const {
  // Where the tree lies is the server's to say, by whatever links.
  OpenFile folder(open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.ok()) return FromOpen(errno, "cannot open", path);
  for (const auto& part : path) {
    FRESHET_CHECK_OK(CheckPart(part));
    OpenFile next(openat(folder.get(), part.c_str(), kFolderFlags));
    if (!next.ok()) return FromOpen(errno, "cannot open", path);
    folder = std::move(next);
  }
  return folder;
}

Result<TreeEntry> FolderTree::Stat(const Path& path) const {
  if (path.empty()) return TreeEntry{.folder = true};
  FRESHET_CHECK_OK(CheckPart(path.back()));
  FRESHET_TRY(auto folder, Enter(ParentOf(path)));
  FRESHET_TRY(auto found, StatIn(folder.get(), path.back(), path));
  return EntryOf(found, path.back());
}

Result<OpenFile> FolderTree::Open(const Path& path) const {
  FRESHET_CHECK_OK(CheckFile(path));
  FRESHET_TRY(auto folder, Enter(ParentOf(path)));
  // A pipe that nobody writes to would be waited for.
  OpenFile file(
      openat(folder.get(), path.back().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.ok()) return FromOpen(errno, "cannot open", path);
  struct stat found {};
  if (fstat(file.get(), &found) != 0) return FromErrno(errno, "cannot look at", Display(path));
  if (!S_ISREG(found.st_mode)) return Missing(path);
  return file;
}

Result<std::vector<TreeEntry>> FolderTree::List(const Path& path, const std::string& after,
                                                size_t rows) const {
  FRESHET_TRY(auto folder, Enter(path));
  std::unique_ptr<DIR, int (*)(DIR*)> entries(fdopendir(dup(folder.get())), closedir);
  if (!entries) return FromErrno(errno, "cannot list", Display(path));
  std::vector<std::string> names;
  while (const auto* entry = readdir(entries.get())) {
    std::string name(entry->d_name);
    if (CheckPart(name).ok() && name > after) names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  std::vector<TreeEntry> listed;
  for (const auto& name : names) {
    if (listed.size() == rows) break;
    // One that is gone meanwhile, or is neither folder nor file, is not there.
    auto found = StatIn(folder.get(), name, path);
    if (found.ok()) listed.push_back(EntryOf(*found, name));
  }
  return listed;
}

Status FolderTree::MakeFolders(const Path& path) const {
  FRESHET_CHECK_OK(store::MakeFolders(root_));
  Path upto;
  for (const auto& part : path) {
    FRESHET_CHECK_OK(CheckPart(part));
    FRESHET_TRY(auto folder, Enter(upto));
    upto.push_back(part);
    if (mkdirat(folder.get(), part.c_str(), 0700) == 0) {
      if (fsync(folder.get()) != 0) return FromErrno(errno, "cannot sync", Display(upto));
      continue;
    }
    if (errno != EEXIST) return FromErrno(errno, "cannot make", Display(upto));
    FRESHET_TRY(auto found, StatIn(folder.get(), part, upto));
    if (!S_ISDIR(found.st_mode))
      return Error(ErrorClass::ALREADY_EXISTS, "a file is in the way: {}", Display(upto));
  }
  return Status::Ok();
}

Status FolderTree::RemoveFile(const Path& path) const {
  FRESHET_CHECK_OK(CheckFile(path));
  FRESHET_TRY(auto folder, Enter(ParentOf(path)));
  FRESHET_TRY(auto found, StatIn(folder.get(), path.back(), path));
  if (S_ISDIR(found.st_mode))
    return Error(ErrorClass::INVALID_ARGUMENT, "not a file: {}", Display(path));
  if (unlinkat(folder.get(), path.back().c_str(), 0) != 0)
    return FromOpen(errno, "cannot remove", path);
  return fsync(folder.get()) == 0 ? Status::Ok() : FromErrno(errno, "cannot sync", Display(path));
}

Status FolderTree::RemoveFolder(const Path& path) const {
  if (path.empty())
    return Error(ErrorClass::INVALID_ARGUMENT, "the volume's own folder goes with the volume");
  FRESHET_CHECK_OK(CheckPart(path.back()));
  FRESHET_TRY(auto folder, Enter(ParentOf(path)));
  if (unlinkat(folder.get(), path.back().c_str(), AT_REMOVEDIR) == 0) {
    return fsync(folder.get()) == 0 ? Status::Ok() : FromErrno(errno, "cannot sync", Display(path));
  }
  if (errno == ENOTEMPTY || errno == EEXIST)
    return Error(ErrorClass::INVALID_ARGUMENT, "directory is not empty: {}", Display(path));
  return FromOpen(errno, "cannot remove", path);
}

Result<std::unique_ptr<FolderTree::Incoming>> FolderTree::Create(const Path& path) const {
  FRESHET_CHECK_OK(CheckFile(path));
  FRESHET_CHECK_OK(MakeFolders(ParentOf(path)));
  FRESHET_TRY(auto folder, Enter(ParentOf(path)));
  auto name = std::string(kIncoming) + RandomHex(8);
  OpenFile file(openat(folder.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.ok()) return FromErrno(errno, "cannot make", Display(path));
  return std::unique_ptr<Incoming>(
      new Incoming(std::move(folder), std::move(file), name, path.back()));
}

FolderTree::Incoming::~Incoming() {
  if (!name_.empty()) unlinkat(folder_.get(), name_.c_str(), 0);
}

Status FolderTree::Incoming::Write(std::string_view bytes) {
  return WriteAll(file_.get(), bytes, place_);
}

Status FolderTree::Incoming::Commit(bool overwrite) {
  if (fsync(file_.get()) != 0) return FromErrno(errno, "cannot sync", place_);
  auto flags = overwrite ? 0U : static_cast<unsigned>(RENAME_NOREPLACE);
  if (renameat2(folder_.get(), name_.c_str(), folder_.get(), place_.c_str(), flags) != 0) {
    if (errno == EEXIST || errno == EISDIR || errno == ENOTEMPTY)
      return Error(ErrorClass::ALREADY_EXISTS, "The resource already exists: {}", place_);
    return FromErrno(errno, "cannot put into place", place_);
  }
  name_.clear();
  return fsync(folder_.get()) == 0 ? Status::Ok() : FromErrno(errno, "cannot sync", place_);
}

}  // namespace freshet::store
