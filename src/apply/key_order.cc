// SPDX-License-Identifier: Apache-2.0
#include "apply/key_order.h"

#include <arrow/compute/api_vector.h>
#include <arrow/compute/initialize.h>
#include <arrow/datum.h>
#include <arrow/type_traits.h>

#include <algorithm>
#include <string>

#include "record/arrow_status.h"

namespace freshet::apply {
namespace {

bool Grows(const arrow::DataType& type) {
  return arrow::is_integer(type.id()) || arrow::is_decimal(type.id()) ||
         arrow::is_temporal(type.id());
}

}  // namespace

bool OrdersByKey(const arrow::Schema& schema, const std::vector<int>& key) {
  return !key.empty() &&
         std::ranges::all_of(key, [&](int at) { return Grows(*schema.field(at)->type()); });
}

Result<std::shared_ptr<arrow::UInt64Array>> KeyOrder(const arrow::RecordBatch& rows,
                                                     const std::vector<int>& key) {
  FRESHET_CHECK_OK(arrow::compute::Initialize());
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  std::vector<arrow::compute::SortKey> keys;
  for (int at : key) {
    // By a name of its own: a column's may be a path to Arrow.
    fields.push_back(arrow::field("k" + std::to_string(keys.size()), rows.column(at)->type()));
    columns.push_back(rows.column(at));
    keys.emplace_back(fields.back()->name());
  }
  const auto batch =
      arrow::RecordBatch::Make(arrow::schema(fields), rows.num_rows(), std::move(columns));
  FRESHET_TRY(auto order,
              arrow::compute::SortIndices(arrow::Datum(batch), arrow::compute::SortOptions(keys)));
  return std::static_pointer_cast<arrow::UInt64Array>(std::move(order));
}

}  // namespace freshet::apply
