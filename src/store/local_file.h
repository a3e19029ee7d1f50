// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace freshet::store {

/// An open file or folder; closed when it goes.
class OpenFile {
 public:
  OpenFile() = default;
  explicit OpenFile(int descriptor) : descriptor_(descriptor) {}
  ~OpenFile();
  OpenFile(OpenFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  OpenFile& operator=(OpenFile&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  bool ok() const { return descriptor_ >= 0; }
  int get() const { return descriptor_; }

 private:
  int descriptor_ = -1;
};

/// What an errno means at our border: NOT_FOUND, ALREADY_EXISTS, STORE_FULL, STORE_READ_ONLY, else
/// STORE_UNAVAILABLE.
Status FromErrno(int error, std::string_view what, std::string_view path);

/// Make a folder's entries durable. Source: fsync(2): the file's own fsync does not cover its entry
/// in the folder.
Status SyncFolder(const std::string& path);
/// Make a folder and those above it that are missing, each durable in its parent.
Status MakeFolders(const std::string& path);
/// Write everything, over short writes and interruptions.
Status WriteAll(int descriptor, std::string_view bytes, std::string_view path);

}  // namespace freshet::store
