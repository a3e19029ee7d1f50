// SPDX-License-Identifier: Apache-2.0
#include "model/values.h"

#include <arrow/builder.h>
#include <arrow/scalar.h>
#include <arrow/util/decimal.h>

#include "record/arrow_status.h"

namespace freshet::model {
namespace {

/// arrow::Scalar::Parse, and what it does not know.
Result<std::shared_ptr<arrow::Scalar>> ScalarOf(const std::string& text,
                                                const std::shared_ptr<arrow::DataType>& type) {
  if (type->id() == arrow::Type::DECIMAL128) {
    const auto& decimal = static_cast<const arrow::Decimal128Type&>(*type);
    arrow::Decimal128 value;
    int32_t precision = 0, scale = 0;
    FRESHET_CHECK_OK(arrow::Decimal128::FromString(text, &value, &precision, &scale));
    FRESHET_TRY(value, value.Rescale(scale, decimal.scale()));
    return std::make_shared<arrow::Decimal128Scalar>(value, type);
  }
  if (type->id() == arrow::Type::TIMESTAMP) {
    FRESHET_TRY(auto naive, arrow::Scalar::Parse(arrow::timestamp(arrow::TimeUnit::MICRO), text));
    int64_t micros = static_cast<const arrow::TimestampScalar&>(*naive).value;
    return std::make_shared<arrow::TimestampScalar>(micros, type);
  }
  FRESHET_TRY(auto scalar, arrow::Scalar::Parse(type, text));
  return scalar;
}

Result<Cell> CellOf(const arrow::Scalar& scalar) {
  if (!scalar.is_valid) return Cell::Null();
  if (arrow::is_base_binary_like(scalar.type->id())) {
    return Cell::Of(static_cast<const arrow::BaseBinaryScalar&>(scalar).value->ToString());
  }
  return Cell::Of(scalar.ToString());
}

}  // namespace

std::string ToText(const Row& row) {
  std::string text;
  for (const Cell& cell : row) {
    if (!text.empty()) text += ' ';
    if (cell.kind == Cell::Kind::kNull) {
      text += "null";
    } else if (cell.kind == Cell::Kind::kUnsent) {
      text += '?';
    } else if (cell.text.empty() || cell.text.find(' ') != std::string::npos) {
      text += fmt::format("'{}'", cell.text);
    } else {
      text += cell.text;
    }
  }
  return text;
}

Result<std::shared_ptr<arrow::DataType>> TypeOf(const std::string& name) {
  if (name == "boolean") return arrow::boolean();
  if (name == "int16") return arrow::int16();
  if (name == "int32") return arrow::int32();
  if (name == "int64") return arrow::int64();
  if (name == "float") return arrow::float32();
  if (name == "double") return arrow::float64();
  if (name == "string") return arrow::utf8();
  if (name == "binary") return arrow::binary();
  if (name == "date") return arrow::date32();
  if (name == "timestamp") return arrow::timestamp(arrow::TimeUnit::MICRO);
  if (name == "timestamptz") return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  int precision = 0, scale = 0;
  if (sscanf(name.c_str(), "decimal(%d,%d)", &precision, &scale) == 2) {
    return arrow::decimal128(precision, scale);
  }
  return Error(ErrorClass::INVALID_ARGUMENT, "no such type: {}", name);
}

Result<Cell> Canonical(const Cell& cell, const std::shared_ptr<arrow::DataType>& type) {
  if (cell.kind != Cell::Kind::kText) return cell;
  FRESHET_TRY(auto scalar, ScalarOf(cell.text, type));
  return CellOf(*scalar);
}

Result<std::shared_ptr<arrow::Array>> ColumnOf(const std::vector<Row>& rows, size_t column,
                                               const std::shared_ptr<arrow::DataType>& type) {
  std::unique_ptr<arrow::ArrayBuilder> builder;
  FRESHET_CHECK_OK(arrow::MakeBuilder(arrow::default_memory_pool(), type, &builder));
  for (const Row& row : rows) {
    if (column >= row.size() || row[column].kind != Cell::Kind::kText) {
      FRESHET_CHECK_OK(builder->AppendNull());
      continue;
    }
    FRESHET_TRY(auto scalar, ScalarOf(row[column].text, type));
    FRESHET_CHECK_OK(builder->AppendScalar(*scalar));
  }
  FRESHET_TRY(auto array, builder->Finish());
  return array;
}

Result<std::shared_ptr<arrow::RecordBatch>> BatchOf(const std::vector<Row>& rows,
                                                    const std::shared_ptr<arrow::Schema>& schema) {
  arrow::ArrayVector columns;
  for (int i = 0; i < schema->num_fields(); ++i) {
    FRESHET_TRY(auto column, ColumnOf(rows, static_cast<size_t>(i), schema->field(i)->type()));
    columns.push_back(std::move(column));
  }
  return arrow::RecordBatch::Make(schema, std::ssize(rows), std::move(columns));
}

Result<Cell> TimeCell(UtcMicros at) {
  return CellOf(arrow::TimestampScalar(at, arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")));
}

Result<std::vector<Row>> RowsOf(const arrow::RecordBatch& batch) {
  std::vector<Row> rows(static_cast<size_t>(batch.num_rows()));
  for (const auto& column : batch.columns()) {
    for (int64_t i = 0; i < batch.num_rows(); ++i) {
      FRESHET_TRY(auto scalar, column->GetScalar(i));
      FRESHET_TRY(auto cell, CellOf(*scalar));
      rows[static_cast<size_t>(i)].push_back(std::move(cell));
    }
  }
  return rows;
}

}  // namespace freshet::model
