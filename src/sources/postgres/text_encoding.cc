// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/text_encoding.h"

#include <arrow/array/builder_binary.h>
#include <arrow/array/data.h>

#include <cstring>

namespace freshet::sources::postgres {
namespace {

bool IsAscii(const char* from, const char* to) {
  uint64_t bits = 0;
  for (; to - from >= 8; from += 8) {
    uint64_t eight = 0;
    std::memcpy(&eight, from, 8);
    bits |= eight;
  }
  for (; from < to; ++from) bits |= static_cast<unsigned char>(*from);
  return (bits & 0x8080808080808080U) == 0;
}

/// How many bytes of the character at the front are one, 0: they are none.
/// Source: The Unicode Standard, table 3-7, "Well-Formed UTF-8 Byte Sequences".
size_t CharacterSize(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  size_t size = lead >= 0xC2 && lead < 0xE0 ? 2 : lead >= 0xE0 && lead < 0xF0 ? 3 : 4;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  }
  unsigned second = byte(1);
  bool bad = (lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
             (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F);
  return bad ? 0 : size;
}

/// Whether all values are UTF-8: together, and none begins in the middle of a character.
bool AllUtf8(const arrow::StringArray& array) {
  if (array.length() == 0) return true;
  const auto* data = reinterpret_cast<const char*>(array.raw_data());
  const int32_t* offsets = array.raw_value_offsets();
  std::string_view all(data + offsets[0],
                       static_cast<size_t>(offsets[array.length()] - offsets[0]));
  if (IsAscii(all.data(), all.data() + all.size())) return true;
  if (!IsUtf8(all)) return false;
  for (int64_t i = 0; i < array.length(); ++i) {
    bool inside = offsets[i] < offsets[array.length()] &&
                  (static_cast<unsigned char>(data[offsets[i]]) & 0xC0U) == 0x80;
    if (inside) return false;
  }
  return true;
}

arrow::Result<std::shared_ptr<arrow::ArrayData>> SpellOutTexts(
    const std::shared_ptr<arrow::ArrayData>& data, int64_t* changed) {
  arrow::StringArray array(data);
  if (AllUtf8(array)) return data;
  arrow::StringBuilder builder;
  for (int64_t i = 0; i < array.length(); ++i) {
    if (array.IsNull(i)) {
      ARROW_RETURN_NOT_OK(builder.AppendNull());
      continue;
    }
    std::string_view text = array.GetView(i);
    bool good = IsUtf8(text);
    *changed += good ? 0 : 1;
    ARROW_RETURN_NOT_OK(good ? builder.Append(text) : builder.Append(SpellOutInvalid(text)));
  }
  ARROW_ASSIGN_OR_RAISE(auto spelled, builder.Finish());
  return spelled->data();
}

arrow::Result<std::shared_ptr<arrow::ArrayData>> SpellOut(
    const std::shared_ptr<arrow::ArrayData>& data, int64_t* changed) {
  if (data->type->id() == arrow::Type::STRING) return SpellOutTexts(data, changed);
  std::shared_ptr<arrow::ArrayData> result = data;
  for (size_t i = 0; i < data->child_data.size(); ++i) {
    ARROW_ASSIGN_OR_RAISE(auto child, SpellOut(data->child_data[i], changed));
    if (child == data->child_data[i]) continue;
    if (result == data) result = data->Copy();
    result->child_data[i] = std::move(child);
  }
  return result;
}

}  // namespace

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    if (text.size() >= 8 && IsAscii(text.data(), text.data() + 8)) {
      text.remove_prefix(8);
      continue;
    }
    size_t size = CharacterSize(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

std::string SpellOutInvalid(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string spelled;
  while (!text.empty()) {
    size_t size = CharacterSize(text);
    if (size > 0) {
      spelled += text.substr(0, size);
    } else {
      auto byte = static_cast<unsigned char>(text[0]);
      spelled += "\xEF\xBF\xBD";
      spelled += kDigits[byte >> 4];
      spelled += kDigits[byte & 0xF];
    }
    text.remove_prefix(size > 0 ? size : 1);
  }
  return spelled;
}

arrow::Result<std::shared_ptr<arrow::Array>> SpellOutInvalid(std::shared_ptr<arrow::Array> array,
                                                             int64_t* changed) {
  ARROW_ASSIGN_OR_RAISE(auto data, SpellOut(array->data(), changed));
  if (data == array->data()) return array;
  return arrow::MakeArray(data);
}

}  // namespace freshet::sources::postgres
