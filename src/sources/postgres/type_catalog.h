// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "sources/postgres/connection.h"
#include "sources/postgres/types.h"

namespace freshet::sources::postgres {

/// Read these types and all they are made of. Built-in ones cost no query.
Result<TypeCatalog> ReadTypes(Connection* connection, const std::set<uint32_t>& oids);

/// What a column of a type would be, for types met in the change stream. Nothing when the type is
/// not in the catalog any more.
Result<std::optional<ColumnType>> ReadType(Connection* connection, const TypeUse& use,
                                           TypeMapping mapping);

/// Return a SELECT of one text that differs when fields of composites among a table's columns are
/// others. `table` is its oid.
std::string FieldsQuery(uint32_t table);

}  // namespace freshet::sources::postgres
