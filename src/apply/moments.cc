// SPDX-License-Identifier: Apache-2.0
#include "apply/moments.h"

#include <arrow/array/array_nested.h>
#include <arrow/builder.h>
#include <arrow/util/decimal.h>

#include "record/arrow_status.h"

namespace freshet::apply {
namespace {

constexpr char kNull = 0, kValue = 1;
constexpr uint64_t kSign = uint64_t{1} << 63;
constexpr size_t kIntegerBytes = 8;

void PutBigEndian(uint64_t value, Moment* out) {
  for (int shift = 56; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

uint64_t TakeBigEndian(std::string_view* from) {
  uint64_t value = 0;
  for (size_t i = 0; i < kIntegerBytes; ++i)
    value = value << 8 | static_cast<unsigned char>((*from)[i]);
  from->remove_prefix(kIntegerBytes);
  return value;
}

void PutInteger(int64_t value, Moment* out) {
  PutBigEndian(static_cast<uint64_t>(value) ^ kSign, out);
}

int64_t TakeInteger(std::string_view* from) {
  return static_cast<int64_t>(TakeBigEndian(from) ^ kSign);
}

/// A zero byte is followed by one of ones, the end is two zeros: so no text is the beginning of
/// another.
void PutText(std::string_view text, Moment* out) {
  for (char c : text) {
    out->push_back(c);
    if (c == '\0') out->push_back('\xFF');
  }
  out->append(2, '\0');
}

std::string TakeText(std::string_view* from) {
  std::string text;
  size_t i = 0;
  for (; (*from)[i] != '\0' || (*from)[i + 1] != '\0'; ++i) {
    text.push_back((*from)[i]);
    if ((*from)[i] == '\0') ++i;
  }
  from->remove_prefix(i + 2);
  return text;
}

int64_t IntegerAt(const arrow::Array& values, int64_t row) {
  switch (values.type_id()) {
    case arrow::Type::INT8:
      return static_cast<const arrow::Int8Array&>(values).Value(row);
    case arrow::Type::INT16:
      return static_cast<const arrow::Int16Array&>(values).Value(row);
    case arrow::Type::INT32:
      return static_cast<const arrow::Int32Array&>(values).Value(row);
    case arrow::Type::INT64:
      return static_cast<const arrow::Int64Array&>(values).Value(row);
    case arrow::Type::DATE32:
      return static_cast<const arrow::Date32Array&>(values).Value(row);
    case arrow::Type::TIMESTAMP:
      return static_cast<const arrow::TimestampArray&>(values).Value(row);
    default:
      FRESHET_ASSERT(false, "type {} has no moments", values.type()->ToString());
  }
}

Status AppendInteger(arrow::ArrayBuilder* builder, int64_t value) {
  switch (builder->type()->id()) {
    case arrow::Type::INT8:
      return FromArrow(
          static_cast<arrow::Int8Builder*>(builder)->Append(static_cast<int8_t>(value)));
    case arrow::Type::INT16:
      return FromArrow(
          static_cast<arrow::Int16Builder*>(builder)->Append(static_cast<int16_t>(value)));
    case arrow::Type::INT32:
      return FromArrow(
          static_cast<arrow::Int32Builder*>(builder)->Append(static_cast<int32_t>(value)));
    case arrow::Type::INT64:
      return FromArrow(static_cast<arrow::Int64Builder*>(builder)->Append(value));
    case arrow::Type::DATE32:
      return FromArrow(
          static_cast<arrow::Date32Builder*>(builder)->Append(static_cast<int32_t>(value)));
    default:
      return FromArrow(static_cast<arrow::TimestampBuilder*>(builder)->Append(value));
  }
}

/// Take the next value off a moment.
Status TakeValue(std::string_view* from, arrow::ArrayBuilder* builder) {
  const bool is_null = from->empty() || from->front() == kNull;
  if (!from->empty()) from->remove_prefix(1);
  if (is_null) return FromArrow(builder->AppendNull());
  switch (builder->type()->id()) {
    case arrow::Type::STRING:
      return FromArrow(static_cast<arrow::StringBuilder*>(builder)->Append(TakeText(from)));
    case arrow::Type::BINARY:
      return FromArrow(static_cast<arrow::BinaryBuilder*>(builder)->Append(TakeText(from)));
    case arrow::Type::DECIMAL128: {
      const int64_t high = TakeInteger(from);
      const arrow::Decimal128 value(high, TakeBigEndian(from));
      return FromArrow(static_cast<arrow::Decimal128Builder*>(builder)->Append(value));
    }
    default:
      return AppendInteger(builder, TakeInteger(from));
  }
}

}  // namespace

bool HasMoments(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::INT64:
    case arrow::Type::DATE32:
    case arrow::Type::TIMESTAMP:
    case arrow::Type::DECIMAL128:
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return true;
    default:
      return false;
  }
}

void AppendMoment(const arrow::Array& values, int64_t row, Moment* moment) {
  moment->push_back(values.IsNull(row) ? kNull : kValue);
  if (values.IsNull(row)) return;
  switch (values.type_id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return PutText(static_cast<const arrow::BinaryArray&>(values).GetView(row), moment);
    case arrow::Type::DECIMAL128: {
      const arrow::Decimal128 value(
          static_cast<const arrow::Decimal128Array&>(values).GetValue(row));
      PutInteger(value.high_bits(), moment);
      return PutBigEndian(value.low_bits(), moment);
    }
    default:
      return PutInteger(IntegerAt(values, row), moment);
  }
}

Moment MomentOf(UtcMicros at) {
  Moment moment(1, kValue);
  PutInteger(at, &moment);
  return moment;
}

UtcMicros MicrosOf(const Moment& moment) {
  FRESHET_ASSERT(moment.size() == 1 + kIntegerBytes);
  std::string_view rest = std::string_view(moment).substr(1);
  return TakeInteger(&rest);
}

Result<std::shared_ptr<arrow::Array>> ValuesOf(std::span<const Moment> moments,
                                               const std::shared_ptr<arrow::DataType>& type) {
  FRESHET_TRY(auto builder, arrow::MakeBuilder(type));
  for (const auto& moment : moments) {
    std::string_view rest = moment;
    if (type->id() != arrow::Type::STRUCT) {
      FRESHET_CHECK_OK(TakeValue(&rest, builder.get()));
      continue;
    }
    auto* whole = static_cast<arrow::StructBuilder*>(builder.get());
    FRESHET_CHECK_OK(rest.empty() ? whole->AppendNull() : whole->Append());
    for (int i = 0; i < whole->num_fields() && !rest.empty(); ++i)
      FRESHET_CHECK_OK(TakeValue(&rest, whole->field_builder(i)));
  }
  FRESHET_TRY(auto values, builder->Finish());
  return values;
}

std::vector<Moment> MomentsOf(const arrow::Array& values, bool null_is_none) {
  std::vector<Moment> moments(static_cast<size_t>(values.length()));
  for (int64_t row = 0; row < values.length(); ++row) {
    auto& moment = moments[static_cast<size_t>(row)];
    if (values.type_id() != arrow::Type::STRUCT) {
      if (!null_is_none || values.IsValid(row)) AppendMoment(values, row, &moment);
      continue;
    }
    if (values.IsNull(row)) continue;
    for (const auto& field : static_cast<const arrow::StructArray&>(values).fields())
      AppendMoment(*field, row, &moment);
  }
  return moments;
}

}  // namespace freshet::apply
