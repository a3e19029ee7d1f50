// SPDX-License-Identifier: Apache-2.0
#include "parquet/encoder.h"

#include <arrow/io/memory.h>
#include <arrow/table.h>
#include <arrow/util/byte_size.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>

#include <cmath>

#include "base/limits.h"
#include "parquet/column_encoding.h"
#include "parquet/file_statistics.h"
#include "record/arrow_status.h"
#include "record/field_ids.h"

namespace freshet::parquet {
namespace {

using Batch = std::shared_ptr<arrow::RecordBatch>;

template <typename ArrayType>
bool AnyNan(const arrow::Array& array) {
  const auto* values = static_cast<const ArrayType&>(array).raw_values();
  bool any = false;
  for (int64_t row = 0; row < array.length(); ++row) any |= values[row] != values[row];
  return any;
}

/// Collects a row group's batches as they are, then encodes them column by column.
class ParquetEncoder final : public Encoder {
 public:
  ParquetEncoder(std::shared_ptr<arrow::Schema> schema,
                 std::shared_ptr<arrow::io::BufferOutputStream> sink)
      : schema_(std::move(schema)),
        nan_(static_cast<size_t>(schema_->num_fields())),
        sink_(std::move(sink)) {}

  Status Write(const Batch& batch) override {
    FRESHET_ASSERT(batch->num_columns() == schema_->num_fields());
    rows_ += batch->num_rows();
    for (int64_t from = 0; from < batch->num_rows();) {
      const int64_t count =
          std::min(batch->num_rows() - from, limits::kRowGroupRowsMax - pending_rows_);
      FRESHET_CHECK_OK(Collect(batch->Slice(from, count)));
      from += count;
    }
    return Status::Ok();
  }

  int64_t bytes() const override {
    const double ratio =
        raw_bytes_ > 0 ? static_cast<double>(written_) / static_cast<double>(raw_bytes_) : 0.5;
    return written_ + static_cast<int64_t>(ratio * static_cast<double>(pending_bytes_));
  }
  int64_t rows() const override { return rows_; }

  Result<EncodedFile> Finish() override {
    FRESHET_CHECK_OK(WriteRowGroup());
    if (writer_ == nullptr) FRESHET_CHECK_OK(OpenWriter());
    std::string nan_columns;
    for (size_t column = 0; column < nan_.size(); ++column) {
      if (nan_[column]) nan_columns += fmt::format("{}{}", nan_columns.empty() ? "" : ",", column);
    }
    FRESHET_CHECK_OK(
        writer_->AddKeyValueMetadata(arrow::key_value_metadata({kNanColumnsKey}, {nan_columns})));
    FRESHET_CHECK_OK(writer_->Close());
    EncodedFile file;
    FRESHET_TRY(file.bytes, sink_->Finish());
    try {
      ::parquet::arrow::SchemaManifest manifest;
      FRESHET_CHECK_OK(::parquet::arrow::SchemaManifest::Make(
          writer_->metadata()->schema(), nullptr, ::parquet::default_arrow_reader_properties(),
          &manifest));
      file.statistics = StatisticsOf(*writer_->metadata(), manifest);
    } catch (const std::exception& error) {
      return Error(ErrorClass::INTERNAL, "cannot read the footer just written: {}", error.what());
    }
    return file;
  }

 private:
  Status Collect(const Batch& batch) {
    for (int column = 0; column < batch->num_columns(); ++column) {
      const auto& values = *batch->column(column);
      FRESHET_ASSERT(values.type()->Equals(*schema_->field(column)->type()), "column {}: {}",
                     column, values.type()->ToString());
      if (values.type_id() == arrow::Type::DOUBLE && AnyNan<arrow::DoubleArray>(values))
        nan_[static_cast<size_t>(column)] = true;
      if (values.type_id() == arrow::Type::FLOAT && AnyNan<arrow::FloatArray>(values))
        nan_[static_cast<size_t>(column)] = true;
    }
    FRESHET_TRY(const int64_t bytes, arrow::util::ReferencedBufferSize(*batch));
    pending_.push_back(batch);
    pending_rows_ += batch->num_rows();
    pending_bytes_ += bytes;
    const bool full = pending_rows_ >= limits::kRowGroupRowsMax ||
                      pending_bytes_ >= static_cast<int64_t>(limits::kRowGroupBytesMax);
    return full ? WriteRowGroup() : Status::Ok();
  }

  std::vector<std::shared_ptr<arrow::Array>> PendingColumn(int column) const {
    std::vector<std::shared_ptr<arrow::Array>> chunks;
    for (const auto& batch : pending_) chunks.push_back(batch->column(column));
    return chunks;
  }

  Status OpenWriter() {
    ::parquet::WriterProperties::Builder properties;
    properties.compression(::parquet::Compression::ZSTD)
        ->compression_level(1)
        ->dictionary_pagesize_limit(limits::kDictionaryBytesMax)
        ->max_statistics_size(limits::kStatisticsBytesMax)
        ->max_row_group_length(limits::kRowGroupRowsMax)
        ->enable_store_decimal_as_integer()
        ->enable_write_page_index();
    for (int column = 0; column < schema_->num_fields(); ++column) {
      const auto& field = *schema_->field(column);
      // Nested leaves keep the writer's own choice: a dictionary until it outgrows its page.
      if (field.type()->num_fields() > 0) continue;
      const ColumnEncoding encoding = ChooseEncoding(PendingColumn(column));
      if (encoding != ColumnEncoding::kDictionary) properties.disable_dictionary(field.name());
      if (encoding == ColumnEncoding::kDelta) {
        properties.encoding(field.name(), ::parquet::Encoding::DELTA_BINARY_PACKED);
      }
    }
    FRESHET_TRY(writer_, ::parquet::arrow::FileWriter::Open(*schema_, arrow::default_memory_pool(),
                                                            sink_, properties.build()));
    return Status::Ok();
  }

  Status WriteRowGroup() {
    if (pending_rows_ == 0) return Status::Ok();
    if (writer_ == nullptr) FRESHET_CHECK_OK(OpenWriter());
    std::vector<std::shared_ptr<arrow::ChunkedArray>> columns;
    for (int column = 0; column < schema_->num_fields(); ++column) {
      columns.push_back(std::make_shared<arrow::ChunkedArray>(PendingColumn(column),
                                                              schema_->field(column)->type()));
    }
    FRESHET_CHECK_OK(writer_->WriteTable(
        *arrow::Table::Make(schema_, std::move(columns), pending_rows_), pending_rows_));
    FRESHET_TRY(written_, sink_->Tell());
    raw_bytes_ += pending_bytes_;
    pending_.clear();
    pending_rows_ = pending_bytes_ = 0;
    return Status::Ok();
  }

  std::shared_ptr<arrow::Schema> schema_;  // physical names, field ids
  std::vector<bool> nan_;                  // by column: a NaN was seen
  std::shared_ptr<arrow::io::BufferOutputStream> sink_;
  std::unique_ptr<::parquet::arrow::FileWriter> writer_;  // from the first row group on
  std::vector<Batch> pending_;
  int64_t pending_rows_ = 0, pending_bytes_ = 0;
  int64_t rows_ = 0, written_ = 0, raw_bytes_ = 0;
};

/// The type with field ids on the fields inside, as their schema's JSON has them.
std::shared_ptr<arrow::DataType> WithIds(const std::shared_ptr<arrow::DataType>& type,
                                         record::ColumnId column, int32_t* number) {
  if (record::CountFields(*type) == 0) return type;
  if (type->id() == arrow::Type::MAP) {
    const auto& map = static_cast<const arrow::MapType&>(*type);
    auto key = WithIds(map.key_type(), column, number);
    return arrow::map(std::move(key), WithIds(map.item_type(), column, number));
  }
  arrow::FieldVector fields;
  for (const auto& field : type->fields()) {
    std::shared_ptr<const arrow::KeyValueMetadata> metadata;
    if (type->id() == arrow::Type::STRUCT) {
      metadata = arrow::key_value_metadata(
          {"PARQUET:field_id"}, {std::to_string(record::NestedFieldId(column, ++*number))});
    }
    fields.push_back(arrow::field(field->name(), WithIds(field->type(), column, number),
                                  field->nullable(), std::move(metadata)));
  }
  if (type->id() == arrow::Type::STRUCT) return arrow::struct_(std::move(fields));
  return arrow::list(fields[0]);
}

}  // namespace

Result<std::unique_ptr<Encoder>> Encoder::Make(std::shared_ptr<arrow::Schema> schema,
                                               std::vector<std::string> names,
                                               std::vector<record::ColumnId> ids) {
  FRESHET_ASSERT(names.size() == static_cast<size_t>(schema->num_fields()) &&
                 (ids.empty() || ids.size() == names.size()));
  arrow::FieldVector fields;
  for (size_t column = 0; column < names.size(); ++column) {
    auto field = arrow::field(names[column], schema->field(static_cast<int>(column))->type());
    if (!ids.empty() && ids[column].value() > 0) {
      int32_t number = 0;
      field = field->WithType(WithIds(field->type(), ids[column], &number));
      field = field->WithMetadata(
          arrow::key_value_metadata({"PARQUET:field_id"}, {std::to_string(ids[column].value())}));
    }
    fields.push_back(std::move(field));
  }
  FRESHET_TRY(auto sink, arrow::io::BufferOutputStream::Create());
  return std::make_unique<ParquetEncoder>(arrow::schema(std::move(fields)), std::move(sink));
}

}  // namespace freshet::parquet
