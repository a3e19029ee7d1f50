// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "staging/manifest.h"

namespace freshet::staging {

/// What a segment's manifest says, one by one, as manifests spell it. Source:
/// docs/formats/staging.md, "Entries".
nlohmann::json EntryToJson(const Entry& entry);
/// Errors: STAGING_CORRUPT. Throws nlohmann's exceptions where a field is not there: caught by
/// FromJson, as for those below.
Result<Entry> EntryFromJson(const nlohmann::json& in);

/// Those of which a checkpoint keeps the newest.
Result<GenerationBegun> GenerationBegunFromJson(const nlohmann::json& in);
TableBroken TableBrokenFromJson(const nlohmann::json& in);

}  // namespace freshet::staging
