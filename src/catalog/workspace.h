// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "store/database.h"

namespace freshet::catalog {

/// A folder or file of the workspace.
struct WorkspaceObject {
  int64_t id = 0;
  std::string path{};  // in its one form: `/Users/ann/x`
  bool folder = false;
  int64_t size = 0;
  int64_t created_at = 0, modified_at = 0;  // milliseconds since 1970, UTC
  std::string created_by{};
};

/// Bring a path into its one form: without the `/Workspace` before it, `//` and a `/` at the end.
/// Errors: INVALID_ARGUMENT (not absolute, `.` or `..` in it, control characters, too long).
Result<std::string> WorkspacePath(std::string_view text);
/// Return the folder that it is in; of `/` itself.
std::string ParentOf(const std::string& path);
/// Return it and all that it is in, the innermost first; the last is `/`.
std::vector<std::string> Upwards(const std::string& path);

/// What clients keep on the server: bundles with their state, notebooks' sources. Contents lie in
/// the server's database: a path is a key and never a file's name. A write is seen by the next
/// read. Thread-safe.
class Workspace {
 public:
  Workspace(store::Database* database, const Clock* clock) : database_(database), clock_(clock) {}

  /// Make the folder and those above it that are missing. Errors: ALREADY_EXISTS (a file is in the
  /// way).
  Status MakeFolders(const std::string& path, const std::string& actor);
  /// Write a file whole; of two that may not overwrite one wins. Errors: NOT_FOUND (its folder),
  /// ALREADY_EXISTS (it, unless `overwrite`; a folder in any case).
  Result<WorkspaceObject> Put(const std::string& path, const std::string& content, bool overwrite,
                              const std::string& actor);
  /// Nothing: it is not there.
  Result<std::optional<WorkspaceObject>> Find(const std::string& path);
  Result<std::optional<WorkspaceObject>> FindById(int64_t id);
  /// Errors: NOT_FOUND (for all that follow).
  Result<WorkspaceObject> Get(const std::string& path);
  Result<std::string> Read(const WorkspaceObject& file);
  Result<std::vector<WorkspaceObject>> List(const std::string& folder);
  /// Errors: INVALID_ARGUMENT (a folder with something in it, unless `recursive`; one of the
  /// roots).
  Status Remove(const std::string& path, bool recursive);

 private:
  int64_t NowMs() const { return clock_->WallNow() / 1000; }

  store::Database* const database_;
  const Clock* const clock_;
};

}  // namespace freshet::catalog
