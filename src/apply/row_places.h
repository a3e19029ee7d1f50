// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/record_batch.h>

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "delta/actions.h"
#include "store/file_store.h"

namespace freshet::apply {

/// A row of a data file that somebody wants.
struct RowPlace {
  const delta::AddFile* file = nullptr;  // null: no row, it only comes along
  int64_t row = 0;
  size_t of = 0;  // what it is wanted for, in the caller's terms
};

/// Takes rows of one row group, or, with null, places without a row.
using TakeRows =
    std::function<Status(std::span<const RowPlace>, const std::shared_ptr<arrow::RecordBatch>&)>;

/// Put places in the order of reading.
void SortPlaces(std::vector<RowPlace>* places);

/// Read the columns of these physical names of sorted places, rows of one row group at a time.
/// Errors: as parquet::Reader, and those of `take`.
Status ReadPlaces(const std::shared_ptr<store::FileStore>& table, std::span<const RowPlace> places,
                  const arrow::FieldVector& fields, const TakeRows& take);

}  // namespace freshet::apply
