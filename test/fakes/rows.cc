// SPDX-License-Identifier: Apache-2.0
#include "fakes/rows.h"

#include <arrow/builder.h>
#include <arrow/scalar.h>
#include <arrow/util/decimal.h>

namespace freshet::fakes {
namespace {

template <typename Builder>
arrow::Status AppendNumber(arrow::ArrayBuilder* builder, const Value& value) {
  using Number = typename Builder::value_type;
  if (const auto* number = std::get_if<double>(&value)) {
    return static_cast<Builder*>(builder)->Append(static_cast<Number>(*number));
  }
  return static_cast<Builder*>(builder)->Append(static_cast<Number>(std::get<int64_t>(value)));
}

arrow::Status AppendDecimal(arrow::ArrayBuilder* builder, const std::string& text) {
  const auto& type = static_cast<const arrow::Decimal128Type&>(*builder->type());
  int32_t precision = 0;
  int32_t scale = 0;
  arrow::Decimal128 number;
  ARROW_RETURN_NOT_OK(arrow::Decimal128::FromString(text, &number, &precision, &scale));
  ARROW_ASSIGN_OR_RAISE(number, number.Rescale(scale, type.scale()));
  return static_cast<arrow::Decimal128Builder*>(builder)->Append(number);
}

arrow::Status Append(arrow::ArrayBuilder* builder, const Value& value) {
  if (std::holds_alternative<std::monostate>(value) || std::holds_alternative<Unsent>(value)) {
    return builder->AppendNull();
  }
  switch (builder->type()->id()) {
    case arrow::Type::BOOL:
      return static_cast<arrow::BooleanBuilder*>(builder)->Append(std::get<bool>(value));
    case arrow::Type::INT8:
      return AppendNumber<arrow::Int8Builder>(builder, value);
    case arrow::Type::INT16:
      return AppendNumber<arrow::Int16Builder>(builder, value);
    case arrow::Type::INT32:
      return AppendNumber<arrow::Int32Builder>(builder, value);
    case arrow::Type::INT64:
      return AppendNumber<arrow::Int64Builder>(builder, value);
    case arrow::Type::FLOAT:
      return AppendNumber<arrow::FloatBuilder>(builder, value);
    case arrow::Type::DOUBLE:
      return AppendNumber<arrow::DoubleBuilder>(builder, value);
    case arrow::Type::DATE32:
      return AppendNumber<arrow::Date32Builder>(builder, value);
    case arrow::Type::TIMESTAMP:
      return AppendNumber<arrow::TimestampBuilder>(builder, value);
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return static_cast<arrow::BinaryBuilder*>(builder)->Append(std::get<std::string>(value));
    case arrow::Type::DECIMAL128:
      return AppendDecimal(builder, std::get<std::string>(value));
    default:
      return arrow::Status::NotImplemented("a fake row of type ", builder->type()->ToString());
  }
}

template <typename Rows, typename RowOf>
arrow::ArrayVector BuildColumns(const record::TableShape& shape, const Rows& rows, RowOf row_of) {
  arrow::ArrayVector columns;
  for (int i = 0; i < shape.width(); ++i) {
    auto builder = arrow::MakeBuilder(shape.schema->field(i)->type()).ValueOrDie();
    for (const auto& each : rows) {
      const Row& row = row_of(each);
      FRESHET_ASSERT(static_cast<int>(row.size()) == shape.width());
      arrow::Status appended = Append(builder.get(), row[static_cast<size_t>(i)]);
      FRESHET_ASSERT(appended.ok(), "{}", appended.ToString());
    }
    columns.push_back(builder->Finish().ValueOrDie());
  }
  return columns;
}

/// The bitmap of unsent columns; empty when all were sent.
std::string MissingOf(const Row& row) {
  std::string bits((row.size() + 7) / 8, '\0');
  bool any = false;
  for (size_t i = 0; i < row.size(); ++i) {
    if (!std::holds_alternative<Unsent>(row[i])) continue;
    bits[i / 8] = static_cast<char>(bits[i / 8] | (1 << (i % 8)));
    any = true;
  }
  return any ? bits : std::string();
}

}  // namespace

record::TableShape MakeShape(std::string id, std::string schema, std::string table,
                             std::vector<Column> columns, int key_columns) {
  record::TableShape shape;
  shape.id = record::TableId(std::move(id));
  shape.name = {.schema = std::move(schema), .table = std::move(table)};
  arrow::FieldVector fields;
  for (Column& column : columns) {
    fields.push_back(arrow::field(std::move(column.name), std::move(column.type)));
    shape.ids.emplace_back(static_cast<int32_t>(fields.size()));
  }
  shape.schema = arrow::schema(std::move(fields));
  for (int i = 0; i < key_columns; ++i) shape.key.push_back(i);
  return shape;
}

std::shared_ptr<arrow::RecordBatch> MakeRows(const record::TableShape& shape,
                                             const std::vector<Row>& rows) {
  auto columns = BuildColumns(shape, rows, [](const Row& row) -> const Row& { return row; });
  return arrow::RecordBatch::Make(shape.schema, static_cast<int64_t>(rows.size()),
                                  std::move(columns));
}

std::shared_ptr<arrow::RecordBatch> MakeChanges(const record::TableShape& shape,
                                                const std::vector<ChangeRow>& changes) {
  auto columns = BuildColumns(shape, changes,
                              [](const ChangeRow& change) -> const Row& { return change.row; });
  auto schema = record::ChangeSchema(*shape.schema);
  arrow::Int8Builder ops;
  arrow::FixedSizeBinaryBuilder sequences(arrow::fixed_size_binary(24));
  arrow::TimestampBuilder times(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                                arrow::default_memory_pool());
  arrow::BinaryBuilder missing;
  for (const ChangeRow& change : changes) {
    std::string bits = MissingOf(change.row);
    bool ok = ops.Append(static_cast<int8_t>(change.op)).ok() &&
              sequences.Append(change.sequence.view()).ok() &&
              times.Append(change.committed_at).ok() &&
              (bits.empty() ? missing.AppendNull() : missing.Append(bits)).ok();
    FRESHET_ASSERT(ok);
  }
  columns.push_back(ops.Finish().ValueOrDie());
  columns.push_back(sequences.Finish().ValueOrDie());
  columns.push_back(times.Finish().ValueOrDie());
  columns.push_back(missing.Finish().ValueOrDie());
  return arrow::RecordBatch::Make(std::move(schema), static_cast<int64_t>(changes.size()),
                                  std::move(columns));
}

}  // namespace freshet::fakes
