// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "sources/postgres/config.h"
#include "sources/postgres/connection.h"
#include "sources/postgres/discover.h"
#include "sources/postgres/pgoutput.h"

namespace freshet::sources::postgres {

/// How the rows that follow a Relation message fit the shape we follow the table in.
struct RelationFit {
  /// Why they don't: SHAPE_CHANGE_UNSUPPORTED, KEY_CHANGED. The rest is then empty.
  Status problem;
  /// The shape from here on; another than before when columns were added, dropped or renamed.
  std::shared_ptr<const record::TableShape> shape;
  /// For each column of the message its place in the shape; -1: it is not selected.
  std::vector<int> ordinals;
  bool whole_old_rows = false;
};

/// Compare a Relation message, of the table or of a partition of it, with the table's shape. The
/// message tells names, types and the identity as of the change; what it does not tell (column
/// numbers, defaults) is asked from the catalog as it is now. Where the two leave a doubt about
/// which columns these are, they do not fit.
/// Errors: the connection's.
Result<RelationFit> FitRelation(Connection* connection, const RelationMessage& relation,
                                const std::shared_ptr<const record::TableShape>& shape,
                                const Config& config);

}  // namespace freshet::sources::postgres
