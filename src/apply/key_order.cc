// SPDX-License-Identifier: Apache-2.0
#include "apply/key_order.h"

#include <arrow/compute/api_vector.h>
#include <arrow/compute/initialize.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/type_traits.h>

#include <algorithm>
#include <span>

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

Result<std::shared_ptr<arrow::UInt64Array>> KeyOrder(const arrow::ArrayVector& key) {
  FRESHET_CHECK_OK(arrow::compute::Initialize());
  arrow::FieldVector fields;
  std::vector<arrow::compute::SortKey> by;
  for (const auto& column : key) {
    by.emplace_back(arrow::FieldRef(static_cast<int>(fields.size())));
    fields.push_back(arrow::field("", column->type()));
  }
  const auto rows = arrow::RecordBatch::Make(arrow::schema(fields), key[0]->length(), key);
  FRESHET_TRY(const auto sorted,
              arrow::compute::SortIndices(arrow::Datum(rows), arrow::compute::SortOptions(by)));
  auto order = std::static_pointer_cast<arrow::UInt64Array>(sorted);
  const std::span ordinals(order->raw_values(), static_cast<size_t>(order->length()));
  if (std::ranges::is_sorted(ordinals)) return std::shared_ptr<arrow::UInt64Array>();
  return order;
}

}  // namespace freshet::apply
