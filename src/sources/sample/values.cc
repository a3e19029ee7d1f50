// SPDX-License-Identifier: Apache-2.0
#include "sources/sample/values.h"

#include <arrow/scalar.h>
#include <arrow/util/decimal.h>

#include "record/arrow_status.h"

namespace freshet::sources::sample {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::shared_ptr<arrow::Scalar> BinaryOf(const std::string& text) {
  if (text.size() % 2 != 0) return nullptr;
  std::string bytes;
  for (size_t i = 0; i < text.size(); i += 2) {
    int high = HexDigit(text[i]), low = HexDigit(text[i + 1]);
    if (high < 0 || low < 0) return nullptr;
    bytes += static_cast<char>(high * 16 + low);
  }
  return std::make_shared<arrow::BinaryScalar>(std::move(bytes));
}

std::shared_ptr<arrow::Scalar> DecimalOf(const std::string& text,
                                         const std::shared_ptr<arrow::DataType>& type) {
  const auto& decimal = static_cast<const arrow::Decimal128Type&>(*type);
  arrow::Decimal128 parsed;
  int32_t precision = 0, scale = 0;
  if (!arrow::Decimal128::FromString(text, &parsed, &precision, &scale).ok()) return nullptr;
  auto rescaled = parsed.Rescale(scale, decimal.scale());
  if (!rescaled.ok() || !rescaled->FitsInPrecision(decimal.precision())) return nullptr;
  return std::make_shared<arrow::Decimal128Scalar>(*rescaled, type);
}

/// The value, null when the type cannot hold it.
std::shared_ptr<arrow::Scalar> ScalarOf(const Json& value,
                                        const std::shared_ptr<arrow::DataType>& type) {
  if (value.is_structured()) return nullptr;
  std::string text = value.is_string() ? value.get<std::string>() : JsonText(value);
  switch (type->id()) {
    case arrow::Type::STRING:
      return value.is_string() ? std::make_shared<arrow::StringScalar>(std::move(text)) : nullptr;
    case arrow::Type::BINARY:
      return BinaryOf(text);
    case arrow::Type::DECIMAL128:
      return DecimalOf(text, type);
    default:
      return arrow::Scalar::Parse(type, text).ValueOr(nullptr);
  }
}

}  // namespace

Status AppendValue(const Json& value, arrow::ArrayBuilder* builder, int64_t* nulled) {
  if (value.is_null()) return FromArrow(builder->AppendNull());
  if (builder->type()->id() == arrow::Type::LIST && value.is_array()) {
    auto* list = static_cast<arrow::ListBuilder*>(builder);
    FRESHET_CHECK_OK(list->Append());
    for (const auto& element : value)
      FRESHET_CHECK_OK(AppendValue(element, list->value_builder(), nulled));
    return Status::Ok();
  }
  auto scalar = ScalarOf(value, builder->type());
  if (scalar != nullptr) return FromArrow(builder->AppendScalar(*scalar));
  ++*nulled;
  return FromArrow(builder->AppendNull());
}

}  // namespace freshet::sources::sample
