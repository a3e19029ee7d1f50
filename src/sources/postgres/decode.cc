// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/decode.h"

#include <charconv>

#include "base/status.h"

namespace freshet::sources::postgres {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

/// `\x0123ab`, as bytea_output=hex writes it.
bool UnpackHex(std::string_view text, std::string* bytes) {
  if (!text.starts_with("\\x") || text.size() % 2 != 0) return false;
  bytes->clear();
  bytes->reserve(text.size() / 2);
  for (size_t i = 2; i < text.size(); i += 2) {
    int high = HexDigit(text[i]);
    int low = HexDigit(text[i + 1]);
    if (high < 0 || low < 0) return false;
    bytes->push_back(static_cast<char>(high << 4 | low));
  }
  return true;
}

template <bool kBinary>
Parsed ParseBool(std::string_view bytes, bool* value) {
  if (bytes.size() != 1) return Parsed::kBad;
  *value = kBinary ? bytes[0] != 0 : bytes[0] == 't';
  return kBinary || *value || bytes[0] == 'f' ? Parsed::kValue : Parsed::kBad;
}

template <bool kBinary, typename T>
Parsed ParseInteger(std::string_view bytes, T* value) {
  if constexpr (kBinary) {
    if (bytes.size() != sizeof(T)) return Parsed::kBad;
    *value = LoadBigEndian<T>(bytes.data());
    return Parsed::kValue;
  } else {
    auto [stop, error] = std::from_chars(bytes.data(), bytes.data() + bytes.size(), *value);
    return error == std::errc() && stop == bytes.data() + bytes.size() ? Parsed::kValue
                                                                       : Parsed::kBad;
  }
}

template <bool kBinary, typename T, typename Bits>
Parsed ParseFloat(std::string_view bytes, T* value) {
  if constexpr (kBinary) {
    if (bytes.size() != sizeof(T)) return Parsed::kBad;
    *value = std::bit_cast<T>(LoadBigEndian<Bits>(bytes.data()));
    return Parsed::kValue;
  } else {
    // Also reads NaN, Infinity and -Infinity.
    auto [stop, error] = std::from_chars(bytes.data(), bytes.data() + bytes.size(), *value);
    return error == std::errc() && stop == bytes.data() + bytes.size() ? Parsed::kValue
                                                                       : Parsed::kBad;
  }
}

bool AppendBytes(arrow::ArrayBuilder* builder, std::string_view bytes) {
  // A StringBuilder is a BinaryBuilder.
  return static_cast<arrow::BinaryBuilder*>(builder)->Append(bytes).ok();
}

}  // namespace

ColumnDecoder::ColumnDecoder(ColumnType type) : type_(type) {
  auto made = arrow::MakeBuilder(ArrowTypeOf(type));
  FRESHET_ASSERT(made.ok());
  builder_ = std::move(made).MoveValueUnsafe();
}

arrow::ArrayBuilder* ColumnDecoder::elements() {
  return static_cast<arrow::ListBuilder*>(builder_.get())->value_builder();
}

template <typename Builder, typename Value>
bool ColumnDecoder::Settle(arrow::ArrayBuilder* builder, Parsed parsed, Value value) {
  if (parsed == Parsed::kBad) return false;
  if (parsed == Parsed::kValue) {
    static_cast<Builder*>(builder)->UnsafeAppend(value);
  } else {
    ++values_nulled_;
    static_cast<Builder*>(builder)->UnsafeAppendNull();
  }
  return true;
}

void ColumnDecoder::AppendNull() {
  // Cannot fail: there is room.
  (void)builder_->AppendNull();
}

bool ColumnDecoder::AppendUnholdable() {
  ++values_nulled_;
  AppendNull();
  return true;
}

template <bool kBinary>
bool ColumnDecoder::AppendTextual(arrow::ArrayBuilder* builder, std::string_view bytes) {
  switch (type_.kind) {
    case Kind::kBytea:
      if (kBinary) return AppendBytes(builder, bytes);
      return UnpackHex(bytes, &scratch_) && AppendBytes(builder, scratch_);
    case Kind::kJsonb:
      // The binary form begins with its version, 1. Source: PostgreSQL 15,
      // src/backend/utils/adt/jsonb.c, jsonb_send.
      if (!kBinary) return AppendBytes(builder, bytes);
      return !bytes.empty() && bytes[0] == 1 && AppendBytes(builder, bytes.substr(1));
    case Kind::kTime:
    case Kind::kUuid: {
      if (!kBinary) return AppendBytes(builder, bytes);
      char text[36];
      size_t size =
          type_.kind == Kind::kTime ? FormatBinaryTime(bytes, text) : FormatBinaryUuid(bytes, text);
      return size > 0 && AppendBytes(builder, {text, size});
    }
    default:
      return AppendBytes(builder, bytes);
  }
}

template <bool kBinary>
bool ColumnDecoder::AppendScalar(arrow::ArrayBuilder* builder, std::string_view bytes) {
  switch (type_.kind) {
    case Kind::kBool: {
      bool value = false;
      auto parsed = ParseBool<kBinary>(bytes, &value);
      return Settle<arrow::BooleanBuilder>(builder, parsed, value);
    }
    case Kind::kInt16: {
      int16_t value = 0;
      auto parsed = ParseInteger<kBinary>(bytes, &value);
      return Settle<arrow::Int16Builder>(builder, parsed, value);
    }
    case Kind::kInt32: {
      int32_t value = 0;
      auto parsed = ParseInteger<kBinary>(bytes, &value);
      return Settle<arrow::Int32Builder>(builder, parsed, value);
    }
    case Kind::kInt64: {
      int64_t value = 0;
      auto parsed = ParseInteger<kBinary>(bytes, &value);
      return Settle<arrow::Int64Builder>(builder, parsed, value);
    }
    case Kind::kFloat32: {
      float value = 0;
      auto parsed = ParseFloat<kBinary, float, uint32_t>(bytes, &value);
      return Settle<arrow::FloatBuilder>(builder, parsed, value);
    }
    case Kind::kFloat64: {
      double value = 0;
      auto parsed = ParseFloat<kBinary, double, uint64_t>(bytes, &value);
      return Settle<arrow::DoubleBuilder>(builder, parsed, value);
    }
    case Kind::kNumeric: {
      arrow::Decimal128 value;
      auto parsed = kBinary ? ParseBinaryNumeric(bytes, type_.precision, type_.scale, &value)
                            : ParseTextNumeric(bytes, type_.precision, type_.scale, &value);
      return Settle<arrow::Decimal128Builder>(builder, parsed, value);
    }
    case Kind::kDate: {
      int32_t value = 0;
      auto parsed = kBinary ? ParseBinaryDate(bytes, &value) : ParseTextDate(bytes, &value);
      return Settle<arrow::Date32Builder>(builder, parsed, value);
    }
    case Kind::kTimestamp:
    case Kind::kTimestampTz: {
      int64_t value = 0;
      auto parsed = kBinary ? ParseBinaryTimestamp(bytes, &value)
                            : ParseTextTimestamp(bytes, type_.kind == Kind::kTimestampTz, &value);
      return Settle<arrow::TimestampBuilder>(builder, parsed, value);
    }
    default:
      return AppendTextual<kBinary>(builder, bytes);
  }
}

/// dimensions(4) has_null(4) element oid(4), then per dimension size(4) lower bound(4), then per
/// element length(4) bytes.
/// Source: PostgreSQL 15, src/backend/utils/adt/arrayfuncs.c, array_send.
bool ColumnDecoder::AppendBinaryArray(std::string_view bytes) {
  auto* list = static_cast<arrow::ListBuilder*>(builder_.get());
  if (bytes.size() < 12) return false;
  auto dimensions = LoadBigEndian<int32_t>(bytes.data());
  bytes.remove_prefix(12);
  if (dimensions == 0) return bytes.empty() && list->Append().ok();
  if (dimensions < 0) return false;
  if (dimensions > 1) return AppendUnholdable();
  if (bytes.size() < 8) return false;
  int64_t count = LoadBigEndian<int32_t>(bytes.data());
  bytes.remove_prefix(8);
  // Every element has a length of four bytes at least: a count beyond that is bad, and must not
  // become an allocation.
  if (count < 0 || static_cast<size_t>(count) > bytes.size() / 4) return false;
  if (!list->Append().ok() || !elements()->Reserve(count).ok()) return false;
  for (int64_t i = 0; i < count; ++i) {
    if (bytes.size() < 4) return false;
    auto length = LoadBigEndian<int32_t>(bytes.data());
    bytes.remove_prefix(4);
    if (length == -1) {
      if (!elements()->AppendNull().ok()) return false;
      continue;
    }
    if (length < 0 || static_cast<size_t>(length) > bytes.size()) return false;
    if (!AppendScalar<true>(elements(), bytes.substr(0, static_cast<size_t>(length)))) return false;
    bytes.remove_prefix(static_cast<size_t>(length));
  }
  return bytes.empty();
}

/// `{a,"b \" c",NULL}`, before it `[0:1]=` when the lower bound is not 1; nested braces for more
/// dimensions.
/// Source: PostgreSQL, "Array Input and Output Syntax".
bool ColumnDecoder::AppendTextArray(std::string_view text) {
  if (text.starts_with('[')) {
    size_t equals = text.find('=');
    if (equals == std::string_view::npos) return false;
    if (text.substr(0, equals).find("][") != std::string_view::npos) return AppendUnholdable();
    text.remove_prefix(equals + 1);
  }
  if (text.size() < 2 || text.front() != '{' || text.back() != '}') return false;
  text = text.substr(1, text.size() - 2);
  if (text.starts_with('{')) return AppendUnholdable();
  if (!static_cast<arrow::ListBuilder*>(builder_.get())->Append().ok()) return false;
  return text.empty() || AppendTextElements(text);
}

bool ColumnDecoder::AppendTextElements(std::string_view text) {
  std::string unquoted;
  size_t at = 0;
  while (true) {
    if (!elements()->Reserve(1).ok()) return false;
    std::string_view element;
    bool quoted = at < text.size() && text[at] == '"';
    if (quoted) {
      unquoted.clear();
      for (++at; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] == '\\' && ++at == text.size()) return false;
        unquoted += text[at];
      }
      if (at == text.size()) return false;
      ++at;
      element = unquoted;
    } else {
      size_t comma = std::min(text.find(',', at), text.size());
      element = text.substr(at, comma - at);
      at = comma;
    }
    bool good = !quoted && element == "NULL" ? elements()->AppendNull().ok()
                                             : AppendScalar<false>(elements(), element);
    if (!good) return false;
    if (at == text.size()) return true;
    if (text[at++] != ',') return false;
  }
}

}  // namespace freshet::sources::postgres
