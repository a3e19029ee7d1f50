// SPDX-License-Identifier: Apache-2.0
#include "sources/sample/types.h"

#include <charconv>
#include <map>

namespace freshet::sources::sample {
namespace {

/// `decimal(precision,scale)`, null when it is not that.
std::shared_ptr<arrow::DataType> DecimalOf(std::string_view name) {
  if (!name.starts_with("decimal(")) return nullptr;
  int precision = 0, scale = 0;
  const char* end = name.data() + name.size();
  auto first = std::from_chars(name.data() + 8, end, precision);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ',') return nullptr;
  auto second = std::from_chars(first.ptr + 1, end, scale);
  if (second.ec != std::errc() || std::string_view(second.ptr, end) != ")") return nullptr;
  if (precision < 1 || precision > 38 || scale < 0 || scale > precision) return nullptr;
  return arrow::decimal128(precision, scale);
}

std::shared_ptr<arrow::DataType> ScalarOf(std::string_view name) {
  static const std::map<std::string_view, std::shared_ptr<arrow::DataType>> kTypes = {
      {"boolean", arrow::boolean()},
      {"byte", arrow::int8()},
      {"short", arrow::int16()},
      {"integer", arrow::int32()},
      {"long", arrow::int64()},
      {"float", arrow::float32()},
      {"double", arrow::float64()},
      {"string", arrow::utf8()},
      {"binary", arrow::binary()},
      {"date", arrow::date32()},
      {"timestamp", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")},
      {"timestamp_ntz", arrow::timestamp(arrow::TimeUnit::MICRO)},
  };
  auto found = kTypes.find(name);
  return found != kTypes.end() ? found->second : DecimalOf(name);
}

}  // namespace

Result<std::shared_ptr<arrow::DataType>> TypeOf(std::string_view name) {
  auto type = ScalarOf(name);
  if (type == nullptr && name.starts_with("array<") && name.ends_with(">")) {
    type = ScalarOf(name.substr(6, name.size() - 7));
    if (type != nullptr) type = arrow::list(std::move(type));
  }
  if (type == nullptr) return Error(ErrorClass::DATA_CORRUPT, "no type is called {}", name);
  return type;
}

}  // namespace freshet::sources::sample
