// SPDX-License-Identifier: Apache-2.0
#include "staging/layout.h"

#include <fmt/format.h>

#include <charconv>

#include "base/limits.h"

namespace freshet::staging {

int64_t FolderOf(SegmentNumber number) { return number.value() / limits::kManifestsPerFolder; }

bool IsFirstOfFolder(SegmentNumber number) {
  return number.value() == 1 || number.value() % limits::kManifestsPerFolder == 0;
}

std::string FolderPath(std::string_view top, int64_t folder) {
  return fmt::format("{}/{:012}", top, folder);
}

std::string PackPath(SegmentNumber number, std::string_view writer_id, int ordinal) {
  return fmt::format("{}/{:012}-{}-{:03}.arrow", FolderPath(kPacksFolder, FolderOf(number)),
                     number.value(), writer_id, ordinal);
}

std::string FlowPath(const FlowId& flow, const TableId& table) {
  return fmt::format("{}/{}/{}", kPartsFolder, table.value(), flow.value());
}

std::string GenerationPath(const FlowId& flow, const TableId& table, Generation generation) {
  return fmt::format("{}/{}", FlowPath(flow, table), generation.value());
}

std::string_view LastPart(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);
  size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::optional<int64_t> LeadingNumber(std::string_view path) {
  std::string_view name = LastPart(path);
  int64_t number = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end == name.data() || number < 0) return std::nullopt;
  return number;
}

std::optional<SegmentNumber> NumberInPath(std::string_view path) {
  std::optional<int64_t> number = LeadingNumber(path);
  if (!number || *number == 0) return std::nullopt;
  return SegmentNumber(*number);
}

}  // namespace freshet::staging
