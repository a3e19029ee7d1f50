// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/copy_format.h"

#include <fmt/format.h>

namespace freshet::sources::postgres {
namespace {

/// What one value costs in nanoseconds of one core, the server's part and ours together.
/// Source: docs/decisions/0019-copy-format-by-table.md.
struct Cost {
  int binary = 0;
  int text = 0;
};

Cost CostOf(const ColumnType& type) {
  // In binary the server makes it text by an expression for each value.
  if (type.as_text) return {364, 243};
  switch (type.kind) {
    case Kind::kBool:
      return {97, 94};
    case Kind::kInt16:
    case Kind::kInt32:
      return {85, 93};
    case Kind::kInt64:
      return {99, 113};
    case Kind::kFloat32:
      return {98, 134};
    case Kind::kFloat64:
      return {123, 177};
    case Kind::kNumeric:
      return type.precision <= 18 ? Cost{174, 173} : Cost{220, 277};
    case Kind::kDate:
      return {93, 157};
    case Kind::kTime:
    case Kind::kTimestamp:
    case Kind::kTimestampTz:
      return {97, 220};
    case Kind::kUuid:
      return {352, 406};
    case Kind::kBytea:
      return {232, 346};
    case Kind::kJsonb:
      return {350, 332};
    default:
      return type.children.empty() ? Cost{316, 338} : Cost{468, 540};
  }
}

}  // namespace

CopyFormat CheaperCopyFormat(const std::vector<ColumnType>& types) {
  int64_t binary = 0, text = 0;
  for (const auto& type : types) {
    const Cost cost = CostOf(type);
    binary += cost.binary;
    text += cost.text;
  }
  return text < binary ? CopyFormat::kText : CopyFormat::kBinary;
}

std::string CopyExpression(const ColumnType& type, const std::string& quoted, CopyFormat format) {
  if (!type.as_text || format == CopyFormat::kText) return quoted;
  // Not a cast: casts to text differ from the type's own text form for some types (inet, xml,
  // "char"). IS NOT DISTINCT FROM NULL tests the value itself, where IS NULL would look into a
  // composite's fields.
  return fmt::format(
      "CASE WHEN {0} IS NOT DISTINCT FROM NULL THEN NULL ELSE pg_catalog.format('%s', {0}) END",
      quoted);
}

std::string_view CopyFormatName(CopyFormat format) {
  return format == CopyFormat::kText ? "text" : "binary";
}

}  // namespace freshet::sources::postgres
