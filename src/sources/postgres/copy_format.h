// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sources/postgres/types.h"

namespace freshet::sources::postgres {

/// How COPY sends a table's rows.
enum class CopyFormat { kBinary, kText };

/// Return the format in which reading these columns costs the server and us the least, by what each
/// kind of value was measured to cost in both.
CopyFormat CheaperCopyFormat(const std::vector<ColumnType>& types);

/// Return the expression that reads a column, its name quoted: a type of which we know only the
/// text is sent as such.
std::string CopyExpression(const ColumnType& type, const std::string& quoted, CopyFormat format);

/// The option of COPY: `binary` or `text`.
std::string_view CopyFormatName(CopyFormat format);

}  // namespace freshet::sources::postgres
