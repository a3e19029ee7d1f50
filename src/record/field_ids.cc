// SPDX-License-Identifier: Apache-2.0
#include "record/field_ids.h"

namespace freshet::record {

int32_t CountFields(const arrow::DataType& type) {
  // A map's entries are no struct that anyone named.
  if (type.id() == arrow::Type::MAP) {
    const auto& map = static_cast<const arrow::MapType&>(type);
    return CountFields(*map.key_type()) + CountFields(*map.item_type());
  }
  int32_t count = type.id() == arrow::Type::STRUCT ? type.num_fields() : 0;
  for (const auto& field : type.fields()) count += CountFields(*field->type());
  return count;
}

}  // namespace freshet::record
