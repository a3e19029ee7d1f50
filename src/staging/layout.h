// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "staging/manifest.h"

namespace freshet::staging {

// Where everything lies below the staging's root. Source: docs/formats/staging.md, "Files".

inline constexpr std::string_view kIdentityPath = "staging.json";
inline constexpr std::string_view kSegmentsFolder = "segments";
inline constexpr std::string_view kPacksFolder = "packs";
inline constexpr std::string_view kPartsFolder = "parts";
inline constexpr std::string_view kWishesFolder = "wishes";
inline constexpr std::string_view kReadersFolder = "readers";
inline constexpr std::string_view kQuestionsFolder = "questions";
inline constexpr std::string_view kAnswersFolder = "answers";
inline constexpr std::string_view kUnreadFolder = "unread";

/// Return the number of the folder a segment's manifest and packs lie in.
int64_t FolderOf(SegmentNumber number);
/// Whether the manifest of this number is the first of its folder, which carries the full
/// checkpoint.
bool IsFirstOfFolder(SegmentNumber number);
/// Return `<top>/<folder>`, 12 digits.
std::string FolderPath(std::string_view top, int64_t folder);
/// Return `packs/<folder>/<number>-<writer>-<ordinal>.arrow`.
std::string PackPath(SegmentNumber number, std::string_view writer_id, int ordinal);
/// Return the folder of a flow's generations, `parts/<table>/<flow>`.
std::string FlowPath(const FlowId& flow, const TableId& table);
/// Return the folder of a generation's parts, `parts/<table>/<flow>/<generation>`.
std::string GenerationPath(const FlowId& flow, const TableId& table, Generation generation);

/// A pack's or manifest's segment, read back from its path; nothing when the path is not of that
/// form.
std::optional<SegmentNumber> NumberInPath(std::string_view path);
/// The number that begins a path's last part (`…/000000000007-…`), or nothing.
std::optional<int64_t> LeadingNumber(std::string_view path);
/// Return the last part of a path, a trailing '/' left out.
std::string_view LastPart(std::string_view path);

}  // namespace freshet::staging
