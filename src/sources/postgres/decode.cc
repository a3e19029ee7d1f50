// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/decode.h"

#include <charconv>

#include "base/status.h"
#include "sources/postgres/text_encoding.h"

namespace freshet::sources::postgres {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

/// `0101`, packed from the left. Databricks: bit and bit varying are BINARY.
bool PackBits(std::string_view text, std::string* bytes) {
  bytes->assign((text.size() + 7) / 8, '\0');
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '0' && text[i] != '1') return false;
    char& byte = (*bytes)[i / 8];
    byte = static_cast<char>(byte | (text[i] - '0') << (7 - i % 8));
  }
  return true;
}

/// `\x0123ab`, as bytea_output=hex writes it. Bits never begin like that.
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

/// Take `"…"` at `*at`, a backslash or, if `doubled`, a quote before what it stands for.
bool Unquote(std::string_view text, bool doubled, size_t* at, std::string* unquoted) {
  unquoted->clear();
  for (++*at; *at < text.size(); ++*at) {
    char c = text[*at];
    if (c == '"') {
      ++*at;
      if (!doubled || *at == text.size() || text[*at] != '"') return true;
    } else if (c == '\\' && ++*at == text.size()) {
      return false;
    }
    unquoted->push_back(text[*at]);
  }
  return false;
}

}  // namespace

ColumnDecoder::Node ColumnDecoder::MakeNode(const ColumnType& type, arrow::ArrayBuilder* builder) {
  Node node;
  node.kind = type.kind;
  node.precision = type.precision;
  node.scale = type.scale;
  node.builder = builder;
  for (size_t i = 0; i < type.children.size(); ++i) {
    arrow::ArrayBuilder* child = type.kind == Kind::kArray
                                     ? static_cast<arrow::ListBuilder*>(builder)->value_builder()
                                     : builder->child(static_cast<int>(i));
    node.children.push_back(MakeNode(type.children[i], child));
  }
  if (type.kind == Kind::kArray) node.dimensions = 1 + node.children[0].dimensions;
  return node;
}

ColumnDecoder::ColumnDecoder(const ColumnType& type) : as_text_(type.as_text) {
  auto made = arrow::MakeBuilder(ArrowTypeOf(type));
  FRESHET_ASSERT(made.ok());
  builder_ = std::move(made).MoveValueUnsafe();
  root_ = MakeNode(type, builder_.get());
}

arrow::Result<std::shared_ptr<arrow::Array>> ColumnDecoder::Finish() {
  ARROW_ASSIGN_OR_RAISE(auto array, builder_->Finish());
  return SpellOutInvalid(std::move(array), &values_nulled_);
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

bool ColumnDecoder::AppendUnholdable(Node* node) {
  ++values_nulled_;
  return node->builder->AppendNull().ok();
}

template <bool kBinary>
bool ColumnDecoder::AppendTextual(Node* node, std::string_view bytes) {
  arrow::ArrayBuilder* builder = node->builder;
  switch (node->kind) {
    case Kind::kBytea:
      if (kBinary) return AppendBytes(builder, bytes);
      return (bytes.starts_with("\\x") ? UnpackHex(bytes, &node->scratch)
                                       : PackBits(bytes, &node->scratch)) &&
             AppendBytes(builder, node->scratch);
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
          node->kind == Kind::kTime ? FormatBinaryTime(bytes, text) : FormatBinaryUuid(bytes, text);
      return size > 0 && AppendBytes(builder, {text, size});
    }
    default:
      return AppendBytes(builder, bytes);
  }
}

template <bool kBinary>
bool ColumnDecoder::AppendScalar(Node* node, std::string_view bytes) {
  arrow::ArrayBuilder* builder = node->builder;
  switch (node->kind) {
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
      auto parsed = kBinary ? ParseBinaryNumeric(bytes, node->precision, node->scale, &value)
                            : ParseTextNumeric(bytes, node->precision, node->scale, &value);
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
                            : ParseTextTimestamp(bytes, node->kind == Kind::kTimestampTz, &value);
      return Settle<arrow::TimestampBuilder>(builder, parsed, value);
    }
    default:
      return AppendTextual<kBinary>(node, bytes);
  }
}

/// dimensions(4) has_null(4) element oid(4), then per dimension size(4) lower bound(4), then per
/// element length(4) bytes.
/// Source: PostgreSQL 15, src/backend/utils/adt/arrayfuncs.c, array_send.
bool ColumnDecoder::AppendBinaryArray(std::string_view bytes) {
  auto* list = static_cast<arrow::ListBuilder*>(builder_.get());
  Node* element = &root_.children[0];
  if (bytes.size() < 12) return false;
  auto dimensions = LoadBigEndian<int32_t>(bytes.data());
  bytes.remove_prefix(12);
  if (dimensions == 0) return bytes.empty() && list->Append().ok();
  if (dimensions < 0) return false;
  if (dimensions != root_.dimensions) return AppendUnholdable(&root_);
  if (bytes.size() < 8) return false;
  int64_t count = LoadBigEndian<int32_t>(bytes.data());
  bytes.remove_prefix(8);
  // Every element has a length of four bytes at least: a count beyond that is bad, and must not
  // become an allocation.
  if (count < 0 || static_cast<size_t>(count) > bytes.size() / 4) return false;
  if (!list->Append().ok() || !element->builder->Reserve(count).ok()) return false;
  for (int64_t i = 0; i < count; ++i) {
    if (bytes.size() < 4) return false;
    auto length = LoadBigEndian<int32_t>(bytes.data());
    bytes.remove_prefix(4);
    if (length == -1) {
      if (!element->builder->AppendNull().ok()) return false;
      continue;
    }
    if (length < 0 || static_cast<size_t>(length) > bytes.size()) return false;
    if (!AppendScalar<true>(element, bytes.substr(0, static_cast<size_t>(length)))) return false;
    bytes.remove_prefix(static_cast<size_t>(length));
  }
  return bytes.empty();
}

bool ColumnDecoder::AppendTextTo(Node* node, std::string_view text) {
  switch (node->kind) {
    case Kind::kArray:
      return AppendTextArray(node, text);
    case Kind::kStruct:
      return AppendRow(node, text);
    case Kind::kMap:
      return AppendMap(node, text);
    default:
      return AppendScalar<false>(node, text);
  }
}

bool ColumnDecoder::AppendChild(Node* node, std::string_view text) {
  return node->builder->Reserve(1).ok() && AppendTextTo(node, text);
}

/// `{a,"b \" c",NULL}`, before it `[0:1]=` when the lower bound is not 1; nested braces for more
/// dimensions: as many as there are at the front, for an element that begins with one is quoted.
/// Source: PostgreSQL, "Array Input and Output Syntax".
bool ColumnDecoder::AppendTextArray(Node* node, std::string_view text) {
  if (text.starts_with('[')) {
    size_t equals = text.find('=');
    if (equals == std::string_view::npos) return false;
    text.remove_prefix(equals + 1);
  }
  if (text == "{}") return static_cast<arrow::ListBuilder*>(node->builder)->Append().ok();
  size_t dimensions = std::min(text.find_first_not_of('{'), text.size());
  if (dimensions == 0 || text.back() != '}') return false;
  if (dimensions != static_cast<size_t>(node->dimensions)) return AppendUnholdable(node);
  size_t at = 0;
  return AppendElements(node, text, &at) && at == text.size();
}

bool ColumnDecoder::AppendElements(Node* node, std::string_view text, size_t* at) {
  Node* element = &node->children[0];
  if (*at == text.size() || text[(*at)++] != '{') return false;
  if (!static_cast<arrow::ListBuilder*>(node->builder)->Append().ok()) return false;
  while (true) {
    bool good = false;
    if (element->kind == Kind::kArray) {
      good = element->builder->Reserve(1).ok() && AppendElements(element, text, at);
    } else if (*at < text.size() && text[*at] == '"') {
      good = Unquote(text, /*doubled=*/false, at, &node->scratch) &&
             AppendChild(element, node->scratch);
    } else {
      size_t end = std::min(text.find_first_of(",}", *at), text.size());
      std::string_view value = text.substr(*at, end - *at);
      *at = end;
      good = value == "NULL" ? element->builder->AppendNull().ok() : AppendChild(element, value);
    }
    if (!good || *at == text.size()) return false;
    char next = text[(*at)++];
    if (next == '}') return true;
    if (next != ',') return false;
  }
}

/// `(1,"a ""b""",)`: nothing between two commas is NULL, `""` is the empty text.
/// Source: PostgreSQL, "Composite Type Input and Output Syntax".
bool ColumnDecoder::AppendRow(Node* node, std::string_view text) {
  if (text.size() < 2 || text.front() != '(' || text.back() != ')') return false;
  if (!static_cast<arrow::StructBuilder*>(node->builder)->Append().ok()) return false;
  size_t at = 1;
  for (size_t i = 0; i < node->children.size(); ++i) {
    Node* field = &node->children[i];
    bool good = false;
    if (text[at] == '"') {
      good =
          Unquote(text, /*doubled=*/true, &at, &node->scratch) && AppendChild(field, node->scratch);
    } else {
      size_t end = std::min(text.find_first_of(",)", at), text.size());
      std::string_view value = text.substr(at, end - at);
      at = end;
      good = value.empty() ? field->builder->AppendNull().ok() : AppendChild(field, value);
    }
    if (!good || at == text.size()) return false;
    bool last = i + 1 == node->children.size();
    if (text[at++] != (last ? ')' : ',') || (!last && at == text.size())) return false;
  }
  return at == text.size();
}

/// `"key"=>"value", "other"=>NULL`, all that is not NULL quoted.
/// Source: PostgreSQL 15, contrib/hstore/hstore_io.c, hstore_out.
bool ColumnDecoder::AppendMap(Node* node, std::string_view text) {
  auto* map = static_cast<arrow::MapBuilder*>(node->builder);
  if (!map->Append().ok()) return false;
  for (size_t at = 0; at < text.size();) {
    if (text[at] != '"' || !Unquote(text, /*doubled=*/false, &at, &node->scratch) ||
        !AppendBytes(map->key_builder(), node->scratch) || !text.substr(at).starts_with("=>"))
      return false;
    at += 2;
    if (text.substr(at).starts_with("NULL")) {
      at += 4;
      if (!map->item_builder()->AppendNull().ok()) return false;
    } else if (at == text.size() || text[at] != '"' ||
               !Unquote(text, /*doubled=*/false, &at, &node->scratch) ||
               !AppendBytes(map->item_builder(), node->scratch)) {
      return false;
    }
    if (at == text.size()) return true;
    if (!text.substr(at).starts_with(", ")) return false;
    at += 2;
    if (at == text.size()) return false;
  }
  return true;
}

}  // namespace freshet::sources::postgres
