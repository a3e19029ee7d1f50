// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "catalog/catalog.h"
#include "catalog/identity.h"
#include "catalog/secret_box.h"
#include "store/database.h"
#include "store/local_file.h"

namespace freshet::app {

/// A server's directory: its lock, its database, its keys. One process at a time has it; one
/// thread.
class ServerData {
 public:
  /// Make the directory if need be, and take it. Errors: DESTINATION_BUSY (another server has it),
  /// STORE_*, DESTINATION_FOREIGN (a later version's).
  static Result<std::unique_ptr<ServerData>> Open(const std::string& directory);
  /// Only its database, as it is and to be read, whoever has the directory. Errors: NOT_FOUND.
  static Result<std::unique_ptr<store::Database>> OpenDatabase(const std::string& directory);

  const std::string& root() const { return root_; }
  store::Database* database() const { return database_.get(); }
  std::string key_path() const { return root_ + "/master.key"; }
  /// Make the administrator with a token in `admin.token`, the catalog `main` and its schema
  /// `default`, unless there is a token already. A first start that was cut short is begun again.
  Status PrepareFirstStart(catalog::Catalog& catalog, catalog::Principals& principals,
                           catalog::Identity& identity) const;

 private:
  explicit ServerData(std::string root) : root_(std::move(root)) {}
  std::string root_;
  store::OpenFile lock_;
  std::unique_ptr<store::Database> database_;
};

}  // namespace freshet::app
