// SPDX-License-Identifier: Apache-2.0
#include "app/server_data.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "pipeline/pipeline_book.h"

namespace freshet::app {
namespace {

Result<std::string> Absolute(const std::string& directory) {
  std::error_code error;
  auto path = std::filesystem::absolute(directory, error).lexically_normal().string();
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (error || directory.empty())
    return Error(ErrorClass::INVALID_ARGUMENT, "the data directory is no path: '{}'", directory);
  return path;
}

Result<store::OpenFile> Lock(const std::string& root) {
  auto path = root + "/lock";
  store::OpenFile file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.ok()) return store::FromErrno(errno, "cannot open", path);
  if (flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
  if (errno != EWOULDBLOCK) return store::FromErrno(errno, "cannot lock", path);
  return Error(ErrorClass::DESTINATION_BUSY, "another Freshet server uses {}", root)
      .WithRemedy("Stop it, or give this one another --data directory.");
}

Result<std::unique_ptr<store::Database>> OpenIn(const std::string& root) {
  std::array<store::Migrations, 2> migrations{catalog::kMigrations, pipeline::kMigrations};
  return store::Database::Open(root + "/freshet.db", migrations);
}

/// Written whole beside its place, so that a file that is there is complete.
Status WriteToken(const std::string& path, const Secret& token) {
  auto beside = path + ".new";
  unlink(beside.c_str());
  store::OpenFile file(open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.ok()) return store::FromErrno(errno, "cannot write", beside);
  FRESHET_CHECK_OK(store::WriteAll(file.get(), token.Reveal() + "\n", beside));
  if (fsync(file.get()) != 0) return store::FromErrno(errno, "cannot sync", beside);
  if (std::rename(beside.c_str(), path.c_str()) != 0)
    return store::FromErrno(errno, "cannot replace", path);
  return store::SyncFolder(std::filesystem::path(path).parent_path().string());
}

Status MakeIfMissing(catalog::Catalog& catalog, catalog::Securable securable,
                     const std::string& owner) {
  auto status = catalog.Create(std::move(securable), {}, owner).status();
  return status.Is(ErrorClass::ALREADY_EXISTS) ? Status::Ok() : status;
}

}  // namespace

Result<std::unique_ptr<ServerData>> ServerData::Open(const std::string& directory) {
  FRESHET_TRY(auto root, Absolute(directory));
  std::unique_ptr<ServerData> data(new ServerData(root));
  FRESHET_CHECK_OK(store::MakeFolders(root));
  FRESHET_TRY(data->lock_, Lock(root));
  FRESHET_TRY(data->database_, OpenIn(root));
  return data;
}

Result<std::unique_ptr<store::Database>> ServerData::OpenDatabase(const std::string& directory) {
  FRESHET_TRY(auto root, Absolute(directory));
  std::error_code ignored;
  if (!std::filesystem::exists(root + "/freshet.db", ignored))
    return Error(ErrorClass::NOT_FOUND, "there is no server's database in {}", root);
  return store::Database::OpenToRead(root + "/freshet.db");
}

Status ServerData::PrepareFirstStart(catalog::Catalog& catalog, catalog::Principals& principals,
                                     catalog::Identity& identity) const {
  FRESHET_TRY(auto begun, identity.HasTokens());
  if (begun) return Status::Ok();
  FRESHET_TRY(auto admin, principals.EnsureAdministrator("admin", "Administrator"));
  auto location = catalog::FileUri(root_ + "/tables/main");
  catalog::Securable main{.kind = catalog::Kind::kCatalog, .path = {"main"}};
  main.facts["storage_location"] = location;
  catalog::Securable schema{.kind = catalog::Kind::kSchema, .path = {"main", "default"}};
  schema.facts["storage_location"] = location + "/default";
  FRESHET_CHECK_OK(MakeIfMissing(catalog, std::move(main), admin.name));
  FRESHET_CHECK_OK(MakeIfMissing(catalog, std::move(schema), admin.name));
  // A token that nobody was told would keep the next start from making one: it is told first.
  return identity
      .AddToken(
          {.owner = admin.id,
           .created_by = admin.id,
           .comment = "made at the first start",
           .tell = [&](const Secret& token) { return WriteToken(root_ + "/admin.token", token); }})
      .status();
}

}  // namespace freshet::app
