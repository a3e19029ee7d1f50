// SPDX-License-Identifier: Apache-2.0
#include "apply/shadow.h"

#include <limits>
#include <set>

#include "delta/deletion_vector.h"

namespace freshet::apply {
namespace {

Status CopyFile(const ShadowFiles& files, const std::string& path) {
  Status copied;
  if (files.root != nullptr) {
    copied = files.root->Copy(files.shadow_prefix + "/" + path, files.table_prefix + "/" + path);
  } else {
    FRESHET_TRY(auto bytes, files.shadow->Get(path, 0, -1));
    copied = files.table->Put(path, std::string_view(*bytes), store::If::kAbsent);
  }
  return copied.Is(ErrorClass::ALREADY_EXISTS) ? Status::Ok() : copied;
}

}  // namespace

Result<bool> ShadowFiles::Exist() const {
  FRESHET_TRY(auto found, shadow->List("", "", 1, /*recursive=*/true));
  return !found.empty();
}

Status ShadowFiles::Place(const delta::Snapshot& state) const {
  std::set<std::string> vectors;
  for (const auto& [path, file] : state.files) {
    FRESHET_CHECK_OK(CopyFile(*this, path));
    if (!file.deletion_vector) continue;
    auto vector = delta::StoredPath(*file.deletion_vector);
    if (vector && vectors.insert(*vector).second) FRESHET_CHECK_OK(CopyFile(*this, *vector));
  }
  return Status::Ok();
}

Status ShadowFiles::Remove() const {
  FRESHET_TRY(auto files,
              shadow->List("", "", std::numeric_limits<int>::max(), /*recursive=*/true));
  // In falling order of their paths the log is last, and its newest versions before the older ones.
  for (auto file = files.rbegin(); file != files.rend(); ++file)
    FRESHET_CHECK_OK(shadow->Remove(file->path));
  return Status::Ok();
}

}  // namespace freshet::apply
