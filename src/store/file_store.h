// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace freshet::store {

/// Whether an existing object is replaced or wins.
enum class If : uint8_t { kAlways, kAbsent };

struct FileInfo {
  std::string path;
  int64_t bytes = 0;
  UtcMicros modified_at = 0;
};

/// Where bytes rest: whole objects under one root, named by relative paths with '/' between parts.
/// Local disk now; the promises are those an object store can keep, so nothing else is asked of it.
/// Thread-safe.
///
/// A path is never empty, absolute, or with empty, "." or ".." parts (FRESHET_ASSERT).
class FileStore {
 public:
  virtual ~FileStore() = default;

  /// Write an object whole; after OK its bytes and its name survive a crash. Readers see all of it
  /// or nothing. `pieces` are written one after the other.
  /// Errors: ALREADY_EXISTS (kAbsent; what is there is durable), STORE_FULL, STORE_READ_ONLY,
  /// STORE_UNAVAILABLE (`outcome_unknown()`: it may be. Read the object and compare before anything
  /// else; that it can be read does not say that it is durable, a further put does).
  virtual Status Put(std::string_view path, std::span<const std::string_view> pieces,
                     If condition) = 0;

  /// Read `length` bytes from `offset`, fewer at the end of the object; length < 0 means to the
  /// end.
  /// Errors: NOT_FOUND, STORE_UNAVAILABLE.
  virtual Result<std::shared_ptr<const std::string>> Get(std::string_view path, int64_t offset,
                                                         int64_t length) = 0;

  /// Return the object's size. Errors: NOT_FOUND, STORE_UNAVAILABLE.
  virtual Result<FileInfo> Stat(std::string_view path) = 0;

  /// List objects below the folder `folder` ("" = root; not recursive when `recursive` is false:
  /// then sub-folders come with a trailing '/'), in byte order of their paths, after the path
  /// `after`, at most `limit`. A folder that is not there is empty.
  virtual Result<std::vector<FileInfo>> List(std::string_view folder, std::string_view after,
                                             int limit, bool recursive = false) = 0;

  /// Make `to` the same bytes as `from` if `to` is absent, without moving them where the store can
  /// (a hard link); durable.
  /// Errors: ALREADY_EXISTS, NOT_FOUND, as Put.
  virtual Status Copy(std::string_view from, std::string_view to) = 0;

  /// Remove an object; OK when it is not there.
  virtual Status Remove(std::string_view path) = 0;

  /// Put with one piece.
  Status Put(std::string_view path, std::string_view bytes, If condition) {
    return Put(path, std::span(&bytes, 1), condition);
  }
};

/// A store rooted in a local directory, which is made if absent. Names that begin with ".tmp-" are
/// its own and not listed; those left by a crash are swept when the store opens. Put writes a
/// temporary file, syncs it, then links (kAbsent) or renames it (kAlways) and syncs the folder.
/// Errors: STORE_READ_ONLY; STORE_UNAVAILABLE (also where the file system has no hard links: probed
/// here).
Result<std::shared_ptr<FileStore>> OpenLocalStore(const std::string& root);

/// Return a store that sees only what lies below `prefix` of another.
std::shared_ptr<FileStore> Below(std::shared_ptr<FileStore> store, std::string prefix);

}  // namespace freshet::store
