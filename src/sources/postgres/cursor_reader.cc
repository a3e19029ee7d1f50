// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/cursor_reader.h"

#include <arrow/builder.h>

#include <algorithm>

#include "base/limits.h"
#include "record/arrow_status.h"
#include "sources/postgres/copy_format.h"

namespace freshet::sources::postgres {
namespace {

/// A row marked as deleted holds its key and nothing else.
std::string Expression(const SourceColumn& column, bool deletes, const SourceTable& table,
                       CopyFormat format) {
  std::string value = CopyExpression(column.type, QuoteIdentifier(column.name), format);
  bool key = std::ranges::find(table.key, column.number) != table.key.end();
  return deletes && !key ? fmt::format("CASE WHEN __freshet_gone THEN NULL ELSE {} END", value)
                         : value;
}

std::string CopyStatement(const QueriedTable& table, const std::string& condition,
                          CopyFormat format) {
  const std::string& gone = table.plan.deletion_condition;
  std::string expressions;
  for (const auto& column : table.table.columns)
    expressions += Expression(column, !gone.empty(), table.table, format) + ", ";
  std::string from = table.from;
  if (!gone.empty())
    from += fmt::format(", LATERAL (SELECT coalesce(({}\n), false) AS __freshet_gone) d", gone);
  return fmt::format("COPY (SELECT {}{} FROM {} WHERE {}) TO STDOUT (FORMAT {})", expressions,
                     gone.empty() ? "false" : "__freshet_gone", from, condition,
                     CopyFormatName(format));
}

/// The batch's last column says which rows are deleted; in its place come the four of changes.
Result<std::shared_ptr<arrow::RecordBatch>> AsChanges(const record::TableShape& shape,
                                                      const arrow::RecordBatch& rows,
                                                      uint32_t epoch, uint64_t position,
                                                      uint64_t* ordinal, UtcMicros committed_at) {
  auto schema = record::ChangeSchema(*shape.schema);
  int width = shape.width();
  const auto& gone = static_cast<const arrow::BooleanArray&>(*rows.column(width));
  arrow::Int8Builder ops;
  arrow::FixedSizeBinaryBuilder sequences(schema->field(width + 1)->type());
  arrow::TimestampBuilder times(schema->field(width + 2)->type(), arrow::default_memory_pool());
  for (int64_t row = 0; row < rows.num_rows(); ++row) {
    auto op = gone.Value(row) ? record::Op::kDelete : record::Op::kUpdate;
    FRESHET_CHECK_OK(ops.Append(static_cast<int8_t>(op)));
    FRESHET_CHECK_OK(
        sequences.Append(record::Sequence::Of(epoch, position, ++*ordinal).view().data()));
    FRESHET_CHECK_OK(times.Append(committed_at));
  }
  arrow::ArrayVector columns(rows.columns().begin(), rows.columns().begin() + width);
  columns.resize(static_cast<size_t>(width) + 4);
  auto at = static_cast<size_t>(width);
  FRESHET_TRY(columns[at], ops.Finish());
  FRESHET_TRY(columns[at + 1], sequences.Finish());
  FRESHET_TRY(columns[at + 2], times.Finish());
  FRESHET_TRY(columns[at + 3],
              arrow::MakeArrayOfNull(schema->field(width + 3)->type(), rows.num_rows()));
  return arrow::RecordBatch::Make(schema, rows.num_rows(), std::move(columns));
}

}  // namespace

Result<std::unique_ptr<QueriedReader>> QueriedReader::Open(
    Connection* connection, const QueriedTable& table,
    std::shared_ptr<const record::TableShape> shape, const std::string& condition) {
  std::vector<ColumnType> types;
  for (const auto& column : table.table.columns) types.push_back(column.type);
  types.push_back({.kind = Kind::kBool});
  const CopyFormat format = CheaperCopyFormat(types);
  arrow::FieldVector fields = shape->schema->fields();
  fields.push_back(arrow::field("__freshet_gone", arrow::boolean()));
  Status begun = connection->BeginCopy(CopyStatement(table, condition, format));
  if (!begun.ok()) return std::move(begun).With("table", shape->name.ToString());
  return std::unique_ptr<QueriedReader>(new QueriedReader(
      connection, std::move(shape), arrow::schema(std::move(fields)), types, format));
}

Status QueriedReader::TakeMessages() {
  while (copying_ && decoder_.rows() < limits::kBatchRowsMax &&
         decoder_.bytes() < limits::kBatchBytesMax) {
    char* buffer = nullptr;
    FRESHET_TRY(int size, connection_->CopyData(&buffer));
    std::unique_ptr<char, decltype(&PQfreemem)> owner(buffer,
                                                      [](void* memory) { PQfreemem(memory); });
    if (size >= 0) {
      FRESHET_CHECK_OK(decoder_.Take({buffer, static_cast<size_t>(size)}));
      continue;
    }
    copying_ = false;
    FRESHET_CHECK_OK(decoder_.End());
  }
  return Status::Ok();
}

Result<std::shared_ptr<arrow::RecordBatch>> QueriedReader::Next(uint32_t epoch, uint64_t position,
                                                                uint64_t* ordinal,
                                                                UtcMicros committed_at) {
  Status taken = TakeMessages();
  if (!taken.ok()) return std::move(taken).With("table", shape_->name.ToString());
  if (decoder_.rows() == 0) return std::shared_ptr<arrow::RecordBatch>();
  FRESHET_TRY(auto rows, decoder_.Finish());
  return AsChanges(*shape_, *rows, epoch, position, ordinal, committed_at);
}

}  // namespace freshet::sources::postgres
