// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/chunked_array.h>
#include <arrow/io/interfaces.h>
#include <parquet/file_reader.h>
#include <parquet/properties.h>

#include <memory>
#include <vector>

namespace freshet::parquet {

/// Read, of one flat column of a row group, only the pages that hold some rows, found by the page
/// index. `rows` are ascending ordinals in the row group, and become ordinals in what is returned.
/// Null: the file has no page index, the column is nested, or reading it whole costs hardly more.
/// Errors: Arrow's own; Parquet's are thrown.
arrow::Result<std::shared_ptr<arrow::ChunkedArray>> ReadRowPages(
    ::parquet::ParquetFileReader* reader, arrow::io::RandomAccessFile* file, int row_group,
    int leaf, const ::parquet::ArrowReaderProperties& properties, std::vector<int64_t>* rows);

}  // namespace freshet::parquet
