// SPDX-License-Identifier: Apache-2.0
#include "parquet/reader.h"

#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/compute/api_vector.h>
#include <arrow/compute/cast.h>
#include <arrow/table.h>
#include <parquet/arrow/reader.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>

#include "parquet/file_statistics.h"
#include "parquet/row_pages.h"
#include "parquet/store_file.h"
#include "record/arrow_status.h"

namespace freshet::parquet {
namespace {

using Batch = std::shared_ptr<arrow::RecordBatch>;

void Leaves(const ::parquet::arrow::SchemaField& field, std::vector<int>* leaves) {
  if (field.is_leaf()) leaves->push_back(field.column_index);
  for (const auto& child : field.children) Leaves(child, leaves);
}

class ParquetReader final : public Reader {
 public:
  ParquetReader(std::shared_ptr<StoreFile> file, std::string path,
                std::unique_ptr<::parquet::arrow::FileReader> reader,
                std::shared_ptr<arrow::Schema> schema)
      : file_(std::move(file)),
        path_(std::move(path)),
        reader_(std::move(reader)),
        schema_(std::move(schema)) {
    metadata_ = reader_->parquet_reader()->metadata();
    first_rows_.push_back(0);
    for (int group = 0; group < metadata_->num_row_groups(); ++group) {
      first_rows_.push_back(first_rows_.back() + metadata_->RowGroup(group)->num_rows());
    }
  }

  int64_t rows() const override { return first_rows_.back(); }
  int row_groups() const override { return static_cast<int>(first_rows_.size()) - 1; }
  std::pair<int64_t, int64_t> RowsOf(int row_group) const override {
    const auto group = static_cast<size_t>(row_group);
    return {first_rows_[group], first_rows_[group + 1] - first_rows_[group]};
  }
  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }

  Result<FileStatistics> Statistics() override {
    try {
      return StatisticsOf(*metadata_, reader_->manifest());
    } catch (const std::exception& error) {
      return Corrupt(error.what());
    }
  }

  Result<Batch> Read(int row_group, const arrow::FieldVector& columns) override {
    FRESHET_TRY(auto table, ReadTable(row_group, columns));
    const int64_t count = RowsOf(row_group).second;
    arrow::ArrayVector arrays;
    for (const auto& wanted : columns) {
      FRESHET_TRY(auto array, Column(*table, *wanted, count));
      arrays.push_back(std::move(array));
    }
    return arrow::RecordBatch::Make(arrow::schema(columns), count, std::move(arrays));
  }

  Result<Batch> Take(const std::vector<int64_t>& rows, const arrow::FieldVector& columns) override {
    std::vector<arrow::ArrayVector> parts(columns.size());
    for (size_t next = 0; next < rows.size();) {
      FRESHET_ASSERT(rows[next] >= 0 && rows[next] < this->rows());
      const auto above = std::upper_bound(first_rows_.begin(), first_rows_.end(), rows[next]);
      const int group = static_cast<int>(above - first_rows_.begin()) - 1;
      std::vector<int64_t> ordinals;
      for (; next < rows.size() && rows[next] < *above; ++next)
        ordinals.push_back(rows[next] - *(above - 1));
      for (size_t column = 0; column < columns.size(); ++column) {
        FRESHET_TRY(auto taken, TakeColumn(group, ordinals, *columns[column]));
        parts[column].push_back(std::move(taken));
      }
    }
    arrow::ArrayVector arrays;
    for (size_t column = 0; column < columns.size(); ++column) {
      if (parts[column].empty()) {
        FRESHET_TRY(auto empty, arrow::MakeEmptyArray(columns[column]->type()));
        parts[column].push_back(std::move(empty));
      }
      FRESHET_TRY(auto whole, arrow::Concatenate(parts[column]));
      arrays.push_back(std::move(whole));
    }
    return arrow::RecordBatch::Make(arrow::schema(columns), static_cast<int64_t>(rows.size()),
                                    std::move(arrays));
  }

 private:
  Status Corrupt(std::string_view why) const {
    if (!file_->failure().ok()) return file_->failure();
    return Error(ErrorClass::DATA_CORRUPT, "not a readable Parquet file: {}", why)
        .With("file", path_);
  }

  Result<std::shared_ptr<arrow::Table>> ReadTable(int row_group,
                                                  const arrow::FieldVector& columns) {
    std::vector<int> leaves;
    for (const auto& wanted : columns) {
      for (const auto& field : reader_->manifest().schema_fields) {
        if (field.field->name() == wanted->name()) Leaves(field, &leaves);
      }
    }
    if (leaves.empty()) return arrow::Table::MakeEmpty(arrow::schema({})).ValueOrDie();
    try {
      auto table = reader_->ReadRowGroup(row_group, leaves);
      if (!table.ok()) return Corrupt(table.status().ToString());
      return *table;
    } catch (const std::exception& error) {
      return Corrupt(error.what());
    }
  }

  /// Take some rows of a row group's column, from their pages alone where that is cheaper.
  Result<std::shared_ptr<arrow::Array>> TakeColumn(int row_group, std::vector<int64_t> rows,
                                                   const arrow::Field& wanted) {
    FRESHET_TRY(auto table, ReadPages(row_group, wanted, &rows));
    int64_t count = RowsOf(row_group).second;
    if (table != nullptr) {
      count = table->num_rows();
    } else {
      FRESHET_TRY(table, ReadTable(row_group, {wanted.Copy()}));
    }
    FRESHET_TRY(auto array, Column(*table, wanted, count));
    arrow::Int64Builder ordinals;
    FRESHET_CHECK_OK(ordinals.AppendValues(rows));
    FRESHET_TRY(auto indices, ordinals.Finish());
    FRESHET_TRY(auto taken, arrow::compute::Take(*array, *indices,
                                                 arrow::compute::TakeOptions::NoBoundsCheck()));
    return taken;
  }

  /// Read the pages of a column that hold some rows, which become ordinals in them; null: it has to
  /// be read whole.
  Result<std::shared_ptr<arrow::Table>> ReadPages(int row_group, const arrow::Field& wanted,
                                                  std::vector<int64_t>* rows) {
    std::shared_ptr<arrow::Table> table;
    std::vector<int> leaves;
    for (const auto& field : reader_->manifest().schema_fields) {
      if (field.field->name() == wanted.name()) Leaves(field, &leaves);
    }
    if (leaves.size() != 1) return table;
    try {
      auto column = ReadRowPages(reader_->parquet_reader(), file_.get(), row_group, leaves[0],
                                 reader_->properties(), rows);
      if (!column.ok()) return Corrupt(column.status().ToString());
      if (*column == nullptr) return table;
      return arrow::Table::Make(arrow::schema({arrow::field(wanted.name(), (*column)->type())}),
                                {*column});
    } catch (const std::exception& error) {
      return Corrupt(error.what());
    }
  }

  /// Return one column whole, of the type asked for.
  Result<std::shared_ptr<arrow::Array>> Column(const arrow::Table& table,
                                               const arrow::Field& wanted, int64_t count) {
    const auto places = table.schema()->GetAllFieldIndices(wanted.name());
    if (places.empty()) {
      FRESHET_TRY(auto nulls, arrow::MakeArrayOfNull(wanted.type(), count));
      return nulls;
    }
    if (places.size() > 1) return Corrupt("two columns of one name");
    const auto& chunks = table.column(places[0])->chunks();
    std::shared_ptr<arrow::Array> array;
    if (chunks.size() == 1) {
      array = chunks[0];
    } else if (chunks.empty()) {
      FRESHET_TRY(array, arrow::MakeEmptyArray(table.column(places[0])->type()));
    } else {
      FRESHET_TRY(array, arrow::Concatenate(chunks));
    }
    if (array->type()->Equals(*wanted.type())) return array;
    auto cast = arrow::compute::Cast(*array, wanted.type());
    if (!cast.ok()) return Corrupt(cast.status().ToString());
    return *cast;
  }

  std::shared_ptr<StoreFile> file_;
  std::string path_;
  std::unique_ptr<::parquet::arrow::FileReader> reader_;
  std::shared_ptr<arrow::Schema> schema_;
  std::shared_ptr<::parquet::FileMetaData> metadata_;
  std::vector<int64_t> first_rows_;  // of each row group, then the row count
};

}  // namespace

Result<std::unique_ptr<Reader>> Reader::Open(std::shared_ptr<store::FileStore> store,
                                             const std::string& path) {
  FRESHET_TRY(const auto info, store->Stat(path));
  auto file = std::make_shared<StoreFile>(std::move(store), path, info.bytes);
  auto corrupt = [&](std::string_view why) -> Status {
    if (!file->failure().ok()) return file->failure();
    return Error(ErrorClass::DATA_CORRUPT, "not a readable Parquet file: {}", why)
        .With("file", path);
  };
  ::parquet::ArrowReaderProperties properties;
  // Each column chunk is one read in this thread; other engines' INT96 times come as microseconds.
  properties.set_pre_buffer(false);
  properties.set_use_threads(false);
  properties.set_coerce_int96_timestamp_unit(arrow::TimeUnit::MICRO);
  ::parquet::arrow::FileReaderBuilder builder;
  try {
    if (auto opened = builder.Open(file); !opened.ok()) return corrupt(opened.ToString());
    auto reader = builder.properties(properties)->Build();
    if (!reader.ok()) return corrupt(reader.status().ToString());
    std::shared_ptr<arrow::Schema> schema;
    if (auto got = (*reader)->GetSchema(&schema); !got.ok()) return corrupt(got.ToString());
    return std::make_unique<ParquetReader>(file, path, std::move(*reader), std::move(schema));
  } catch (const std::exception& error) {
    return corrupt(error.what());
  }
}

}  // namespace freshet::parquet
