// SPDX-License-Identifier: Apache-2.0
#include "store/local_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace freshet::store {

OpenFile::~OpenFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

Status FromErrno(int error, std::string_view what, std::string_view path) {
  ErrorClass error_class = ErrorClass::STORE_UNAVAILABLE;
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
      error_class = ErrorClass::NOT_FOUND;
      break;
    case EEXIST:
      error_class = ErrorClass::ALREADY_EXISTS;
      break;
    case ENOSPC:
    case EDQUOT:
      error_class = ErrorClass::STORE_FULL;
      break;
    case EROFS:
    case EACCES:
    case EPERM:
      error_class = ErrorClass::STORE_READ_ONLY;
      break;
    default:
      break;
  }
  return Error(error_class, "{}: {} ({})", what, std::generic_category().message(error), path);
}

Status SyncFolder(const std::string& path) {
  OpenFile folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.ok()) return FromErrno(errno, "cannot open the folder", path);
  if (fsync(folder.get()) != 0) return FromErrno(errno, "cannot sync the folder", path);
  return Status::Ok();
}

Status MakeFolders(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return Status::Ok();
    return Error(ErrorClass::STORE_UNAVAILABLE, "a file stands where a folder is needed: {}", path);
  }
  if (errno != ENOENT) return FromErrno(errno, "cannot look at the folder", path);
  size_t slash = path.find_last_of('/');
  std::string parent = slash == path.npos ? "." : path.substr(0, std::max<size_t>(slash, 1));
  FRESHET_CHECK_OK(MakeFolders(parent));
  if (mkdir(path.c_str(), 0777) != 0 && errno != EEXIST)
    return FromErrno(errno, "cannot make the folder", path);
  return SyncFolder(parent);
}

Status WriteAll(int descriptor, std::string_view bytes, std::string_view path) {
  while (!bytes.empty()) {
    ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FromErrno(errno, "cannot write", path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return Status::Ok();
}

}  // namespace freshet::store
