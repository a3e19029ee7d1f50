// SPDX-License-Identifier: Apache-2.0
#include "catalog/workspace.h"

#include <algorithm>

#include "base/server_limits.h"

namespace freshet::catalog {
namespace {

constexpr char kColumns[] = "id, path, folder, size, created_at, modified_at, created_by";

WorkspaceObject FromRow(const store::Row& row) {
  return {.id = row.number(0),
          .path = row.text(1),
          .folder = row.number(2) != 0,
          .size = row.number(3),
          .created_at = row.number(4),
          .modified_at = row.number(5),
          .created_by = row.text(6)};
}

Result<std::optional<WorkspaceObject>> FindIn(store::Session& session, const std::string& path) {
  FRESHET_TRY(
      auto rows,
      session.Query(fmt::format("SELECT {} FROM workspace WHERE path = ?", kColumns), {path}));
  std::optional<WorkspaceObject> found;
  if (!rows.empty()) found = FromRow(rows[0]);
  return found;
}

Status DoesNotExist(const std::string& path) {
  return Error(ErrorClass::NOT_FOUND, "Path ({}) doesn't exist.", path);
}

Status IsThere(const std::string& path, bool folder) {
  return Error(ErrorClass::ALREADY_EXISTS, "{} already exists at ({}).", folder ? "Folder" : "File",
               path);
}

/// What a root is kept from, so that everybody's folder has one to be in.
bool IsRoot(const std::string& path) {
  return path == "/" || path == "/Users" || path == "/Shared";
}

}  // namespace

Result<std::string> WorkspacePath(std::string_view text) {
  auto refuse = [&](std::string_view why) {
    return Error(ErrorClass::INVALID_ARGUMENT, "path {}: '{}'", why,
                 text.substr(0, limits::kNameBytesMax));
  };
  if (!text.starts_with('/')) return refuse("is not absolute");
  if (text.size() > limits::kPathBytesMax) return refuse("is too long");
  auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::ranges::any_of(text, control)) return refuse("holds a control character");
  std::string path;
  while (!text.empty()) {
    text.remove_prefix(1);
    auto part = text.substr(0, text.find('/'));
    text.remove_prefix(part.size());
    if (part == "." || part == "..") return refuse("holds a '.' or '..'");
    if (part.empty() || (path.empty() && part == "Workspace")) continue;
    path += '/';
    path += part;
  }
  return path.empty() ? std::string("/") : path;
}

std::string ParentOf(const std::string& path) {
  auto slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::vector<std::string> Upwards(const std::string& path) {
  std::vector<std::string> paths{path};
  while (paths.back() != "/") paths.push_back(ParentOf(paths.back()));
  return paths;
}

Status Workspace::MakeFolders(const std::string& path, const std::string& actor) {
  return database_->Write([&](store::Session& session) -> Status {
    auto upwards = Upwards(path);
    for (auto each = upwards.rbegin(); each != upwards.rend(); ++each) {
      FRESHET_TRY(auto found, FindIn(session, *each));
      if (found && !found->folder) return IsThere(*each, false);
      if (found) continue;
      FRESHET_CHECK_OK(session.Execute(
          "INSERT INTO workspace (path, parent, folder, size, created_at, modified_at, created_by) "
          "VALUES (?, ?, 1, 0, ?, ?, ?)",
          {*each, ParentOf(*each), NowMs(), NowMs(), actor}));
    }
    return Status::Ok();
  });
}

Result<WorkspaceObject> Workspace::Put(const std::string& path, const std::string& content,
                                       bool overwrite, const std::string& actor) {
  std::optional<WorkspaceObject> put;
  auto worked = database_->Write([&](store::Session& session) -> Status {
    FRESHET_TRY(auto parent, FindIn(session, ParentOf(path)));
    if (!parent || !parent->folder) {
      return Error(ErrorClass::NOT_FOUND, "The parent folder ({}) does not exist.", ParentOf(path));
    }
    FRESHET_TRY(auto former, FindIn(session, path));
    if (former && (former->folder || !overwrite)) return IsThere(path, former->folder);
    auto size = static_cast<int64_t>(content.size());
    if (former) {
      FRESHET_CHECK_OK(
          session.Execute("UPDATE workspace SET size = ?, modified_at = ? WHERE id = ?",
                          {size, NowMs(), former->id}));
    } else {
      FRESHET_CHECK_OK(session.Execute(
          "INSERT INTO workspace (path, parent, folder, size, created_at, modified_at, created_by) "
          "VALUES (?, ?, 0, ?, ?, ?, ?)",
          {path, ParentOf(path), size, NowMs(), NowMs(), actor}));
    }
    FRESHET_TRY(put, FindIn(session, path));
    return session
        .Execute("INSERT OR REPLACE INTO workspace_contents VALUES (?, ?)",
                 {put->id, store::Blob{content}})
        .status();
  });
  FRESHET_CHECK_OK(worked);
  return *put;
}

Result<std::optional<WorkspaceObject>> Workspace::Find(const std::string& path) {
  std::optional<WorkspaceObject> found;
  auto worked = database_->Read([&](store::Session& session) -> Status {
    FRESHET_TRY(found, FindIn(session, path));
    return Status::Ok();
  });
  FRESHET_CHECK_OK(worked);
  return found;
}

Result<std::optional<WorkspaceObject>> Workspace::FindById(int64_t id) {
  FRESHET_TRY(auto rows, database_->Query(
                             fmt::format("SELECT {} FROM workspace WHERE id = ?", kColumns), {id}));
  std::optional<WorkspaceObject> found;
  if (!rows.empty()) found = FromRow(rows[0]);
  return found;
}

Result<WorkspaceObject> Workspace::Get(const std::string& path) {
  FRESHET_TRY(auto found, Find(path));
  if (!found) return DoesNotExist(path);
  return *found;
}

Result<std::string> Workspace::Read(const WorkspaceObject& file) {
  FRESHET_TRY(auto rows,
              database_->Query("SELECT content FROM workspace_contents WHERE id = ?", {file.id}));
  if (rows.empty()) return DoesNotExist(file.path);
  return rows[0].text(0);
}

Result<std::vector<WorkspaceObject>> Workspace::List(const std::string& folder) {
  FRESHET_TRY(auto rows,
              database_->Query(fmt::format("SELECT {} FROM workspace WHERE parent = ? AND path <> "
                                           "'/' ORDER BY path",
                                           kColumns),
                               {folder}));
  std::vector<WorkspaceObject> objects;
  for (const auto& row : rows) objects.push_back(FromRow(row));
  return objects;
}

Status Workspace::Remove(const std::string& path, bool recursive) {
  if (IsRoot(path)) return Error(ErrorClass::INVALID_ARGUMENT, "({}) cannot be deleted", path);
  return database_->Write([&](store::Session& session) -> Status {
    FRESHET_TRY(auto found, FindIn(session, path));
    if (!found) return DoesNotExist(path);
    FRESHET_TRY(auto within,
                session.Query("SELECT id FROM workspace WHERE parent = ? LIMIT 1", {path}));
    if (!within.empty() && !recursive) {
      return Error(ErrorClass::INVALID_ARGUMENT, "Folder ({}) is not empty.", path)
          .WithRemedy("Say recursive to delete all that is in it.");
    }
    // Paths below it begin with it and a '/', which is followed by '0'.
    FRESHET_CHECK_OK(session.Execute(
        "DELETE FROM permissions WHERE object IN (SELECT CASE folder WHEN 1 THEN 'directories/' "
        "ELSE 'files/' END || id FROM workspace WHERE path = ? OR (path > ? AND path < ?))",
        {path, path + "/", path + "0"}));
    return session
        .Execute("DELETE FROM workspace WHERE path = ? OR (path > ? AND path < ?)",
                 {path, path + "/", path + "0"})
        .status();
  });
}

}  // namespace freshet::catalog
