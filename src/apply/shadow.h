// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "delta/table.h"
#include "store/file_store.h"

namespace freshet::apply {

/// The files of a table that is built beside another, to take its place. A value; one thread.
struct ShadowFiles {
  std::shared_ptr<store::FileStore> shadow, table;
  store::FileStore* root = nullptr;  // may be null: see TableApplier::Context
  std::string shadow_prefix, table_prefix;

  /// Whether there are any.
  Result<bool> Exist() const;
  /// See to it that everything the shadow's state names is in the table's folder too, under its own
  /// name. Doing it again finds the files there.
  /// Errors: NOT_FOUND (the shadow lost a file), STORE_*.
  Status Place(const delta::Snapshot& state) const;
  /// Remove the shadow: its data first, then its log from the end, so that what is left by a crash
  /// never says that it is newer than it was.
  Status Remove() const;
};

}  // namespace freshet::apply
