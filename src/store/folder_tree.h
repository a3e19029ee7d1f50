// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/local_file.h"

namespace freshet::store {

/// What lies at a path of a tree.
struct TreeEntry {
  std::string name{};
  bool folder = false;
  int64_t size = 0;
  int64_t modified_at = 0;  // milliseconds since 1970, UTC
};

/// Files below one local folder, by the parts of their paths. No part leads out of it: each folder
/// is opened by itself within the one above it, a symbolic link is never followed, and what is no
/// folder and no file is not there. Thread-safe.
class FolderTree {
 public:
  using Path = std::vector<std::string>;

  explicit FolderTree(std::string root) : root_(std::move(root)) {}

  /// Errors of all that follow: INVALID_ARGUMENT (a part that is none), NOT_FOUND, STORE_*.
  Result<TreeEntry> Stat(const Path& path) const;
  Result<OpenFile> Open(const Path& path) const;
  /// In the order of names; only those behind `after`.
  Result<std::vector<TreeEntry>> List(const Path& path, const std::string& after,
                                      size_t rows) const;
  /// Make the folder and those above it, the root too. Errors: ALREADY_EXISTS (a file is in the
  /// way).
  Status MakeFolders(const Path& path) const;
  Status RemoveFile(const Path& path) const;
  /// Errors: INVALID_ARGUMENT (there is something in it, or it is the root).
  Status RemoveFolder(const Path& path) const;

  /// A file that is being written beside its place; one that is not committed leaves nothing.
  class Incoming {
   public:
    ~Incoming();
    Incoming(const Incoming&) = delete;
    Incoming& operator=(const Incoming&) = delete;
    Status Write(std::string_view bytes);
    /// Durable once OK. Errors: ALREADY_EXISTS (unless `overwrite`; a folder in any case).
    Status Commit(bool overwrite);

   private:
    friend class FolderTree;
    Incoming(OpenFile folder, OpenFile file, std::string name, std::string place)
        : folder_(std::move(folder)),
          file_(std::move(file)),
          name_(std::move(name)),
          place_(std::move(place)) {}
    OpenFile folder_, file_;
    std::string name_;  // until it is committed
    const std::string place_;
  };
  /// Begin a file; the folders above it are made.
  Result<std::unique_ptr<Incoming>> Create(const Path& path) const;

 private:
  Result<OpenFile> Enter(const Path& path) const;

  const std::string root_;
};

}  // namespace freshet::store
