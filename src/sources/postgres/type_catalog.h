// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "sources/postgres/connection.h"
#include "sources/postgres/types.h"

namespace freshet::sources::postgres {

/// Read these types and all they are made of. Built-in ones cost no query.
Result<TypeCatalog> ReadTypes(Connection* connection, const std::set<uint32_t>& oids);

/// What a column of a type would be, for types met in the change stream. Nothing when the type is
/// not in the catalog any more.
Result<std::optional<ColumnType>> ReadType(Connection* connection, const TypeUse& use,
                                           TypeMapping mapping);

/// Of the types of a table's columns and all they are made of: what values are read by, each under
/// a name that is its own for good. A composite's fields, an enum's label; what they hold is
/// hashed.
Result<std::map<std::string, std::string>> ReadReadings(Connection* connection,
                                                        const std::set<uint32_t>& oids);
/// The SQL expression of a text that differs when any of the database's enums or composites is
/// another than it was.
extern const std::string_view kTypesOfTheDatabase;

/// Return a SELECT of one text that differs when fields of composites among a table's columns are
/// others. `table` is its oid.
std::string FieldsQuery(uint32_t table);

}  // namespace freshet::sources::postgres
