// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/util/decimal.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace freshet::sources::postgres {

/// How reading one value ended.
enum class Parsed : uint8_t {
  kValue,
  /// A legal value that Delta cannot hold (infinity, NaN, out of range): NULL, and counted.
  kUnholdable,
  /// Not what its type says.
  kBad
};

/// Read a big-endian number. REQUIRES: sizeof(T) readable bytes.
template <typename T>
T LoadBigEndian(const char* from) {
  static_assert(std::endian::native == std::endian::little);
  std::make_unsigned_t<T> raw;
  std::memcpy(&raw, from, sizeof(T));
  if constexpr (sizeof(T) == 2) raw = __builtin_bswap16(raw);
  if constexpr (sizeof(T) == 4) raw = __builtin_bswap32(raw);
  if constexpr (sizeof(T) == 8) raw = __builtin_bswap64(raw);
  return static_cast<T>(raw);
}

// One function a form. The binary ones read what the type's send function writes, the text ones
// what its output function writes under the settings of connection.cc. Dates are days, timestamps
// microseconds since 1970-01-01.
// Source: PostgreSQL 15, src/backend/utils/adt/{date,timestamp,numeric,uuid}.c.

Parsed ParseBinaryDate(std::string_view bytes, int32_t* days);
Parsed ParseBinaryTimestamp(std::string_view bytes, int64_t* micros);
Parsed ParseBinaryNumeric(std::string_view bytes, int32_t precision, int32_t scale,
                          arrow::Decimal128* value);

Parsed ParseTextDate(std::string_view text, int32_t* days);
/// `with_zone`: the text may end in +00, as it does when it has a zone and the session's is UTC.
Parsed ParseTextTimestamp(std::string_view text, bool with_zone, int64_t* micros);
Parsed ParseTextNumeric(std::string_view text, int32_t precision, int32_t scale,
                        arrow::Decimal128* value);

/// Write a time's or uuid's text form; return its length, 0 when the bytes are bad. REQUIRES: 36
/// writable bytes.
size_t FormatBinaryTime(std::string_view bytes, char* to);
size_t FormatBinaryUuid(std::string_view bytes, char* to);

}  // namespace freshet::sources::postgres
