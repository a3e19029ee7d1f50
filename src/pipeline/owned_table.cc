// SPDX-License-Identifier: Apache-2.0
#include "pipeline/owned_table.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "apply/table_form.h"
#include "delta/table.h"
#include "store/local_file.h"
#include "store/local_reader.h"

namespace freshet::pipeline {
namespace {

Status RemoveFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return error ? store::FromErrno(error.value(), "cannot remove", path) : Status::Ok();
}

Result<bool> IsThere(const std::string& path) {
  std::error_code error;
  auto found = std::filesystem::symlink_status(path, error);
  if (found.type() == std::filesystem::file_type::not_found) return false;
  if (error) return store::FromErrno(error.value(), "cannot look at", path);
  return true;
}

}  // namespace

Result<bool> IsTableOf(const std::string& folder, const TableOwner& owner) {
  auto snapshot = delta::Table(store::OpenLocalReader(folder)).Latest(nullptr);
  // We never make a table that we cannot read.
  if (snapshot.status().Is(ErrorClass::NOT_FOUND) ||
      snapshot.status().Is(ErrorClass::DELTA_UNSUPPORTED))
    return false;
  FRESHET_CHECK_OK(snapshot);
  FRESHET_TRY(auto mark, apply::TableMark::Of((*snapshot)->metadata.configuration));
  return mark && !owner.staging.empty() && mark->staging == owner.staging &&
         mark->pipeline == owner.pipeline;
}

Result<bool> RemoveTableOf(const std::string& folder, const TableOwner& owner, bool unfinished) {
  // A table that is half removed could not be told from another's: it gets a name that says whose
  // it was, then goes.
  auto parent = std::filesystem::path(folder).parent_path().string();
  auto leaving = parent + "/.freshet_removed_" + owner.staging;
  if (owner.pipeline != kOnlyPipeline) leaving += "_" + owner.pipeline;
  if (!owner.staging.empty()) FRESHET_CHECK_OK(RemoveFolder(leaving));
  FRESHET_TRY(auto there, IsThere(folder));
  if (!there) return true;
  FRESHET_TRY(auto logged, IsThere(folder + "/_delta_log"));
  bool ours = unfinished && !logged && !owner.staging.empty();
  if (logged) {
    FRESHET_TRY(ours, IsTableOf(folder, owner));
  }
  if (!ours) return false;
  if (std::rename(folder.c_str(), leaving.c_str()) != 0)
    return store::FromErrno(errno, "cannot remove", folder);
  FRESHET_CHECK_OK(RemoveFolder(leaving));
  return true;
}

}  // namespace freshet::pipeline
