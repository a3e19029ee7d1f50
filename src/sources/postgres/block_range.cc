// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/block_range.h"

#include <string_view>

#include "sources/postgres/text_scanner.h"

namespace freshet::sources::postgres {
namespace {

constexpr std::string_view kFile = " file=", kSize = " size=";

}  // namespace

std::string ToText(const BlockRange& range) {
  std::string text = fmt::format("table={} blocks={}..", range.oid, range.first);
  if (range.end) text += std::to_string(*range.end);
  if (range.file != 0) text += fmt::format("{}{}{}{}", kFile, range.file, kSize, range.size);
  return text;
}

Result<BlockRange> BlockRangeFrom(const std::string& text) {
  BlockRange range;
  TextScanner scanner(text);
  scanner.Skip("table=");
  scanner.Take(&range.oid);
  scanner.Skip(" blocks=");
  scanner.Take(&range.first);
  scanner.Skip("..");
  if (!scanner.at_end() && !scanner.starts_with(kFile)) scanner.Take(&range.end.emplace());
  if (!scanner.at_end()) {
    scanner.Skip(kFile);
    scanner.Take(&range.file);
    scanner.Skip(kSize);
    scanner.Take(&range.size);
  }
  if (!scanner.good() || !scanner.at_end())
    return Error(ErrorClass::INVALID_ARGUMENT, "not a chunk of this source: {}", text);
  return range;
}

}  // namespace freshet::sources::postgres
