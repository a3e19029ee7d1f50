// SPDX-License-Identifier: Apache-2.0
// COPY: a byte that names the column's type, and by its highest bit the format, then rows of one
// column without the header.
#include <arrow/record_batch.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "sources/postgres/copy.h"
#include "wire_types.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace freshet;  // NOLINT
  static const auto types = fuzz::WireTypes();
  if (size == 0) return 0;
  const auto& type = types[(data[0] & 0x7f) % types.size()];
  using sources::postgres::CopyFormat;
  const auto format = data[0] < 0x80 ? CopyFormat::kBinary : CopyFormat::kText;
  auto schema = arrow::schema({arrow::field("c", sources::postgres::ArrowTypeOf(type))});
  sources::postgres::CopyDecoder decoder(schema, {type}, format);
  std::string header("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
  // Of exactly the bytes' size, so that reading beyond them is seen.
  const std::string rows(reinterpret_cast<const char*>(data + 1), size - 1);
  if (format == CopyFormat::kBinary && !decoder.Take(header).ok()) return 0;
  if (!decoder.Take(rows).ok()) return 0;
  auto batch = decoder.Finish();
  if (batch.ok()) fuzz::Require((*batch)->ValidateFull());
  return 0;
}
