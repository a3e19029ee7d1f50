// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "base/json.h"
#include "delta/actions.h"

namespace freshet::delta {

/// Keeps the order of members: commit info says its time first, as people expect.
using Json = nlohmann::ordered_json;

/// An action as its line's object, `{"add": {…}}`: the form in commits, and row by row in
/// checkpoints.
Json JsonOf(const Action& action);
/// The reverse; nothing for kinds that are not known. Errors: DELTA_CORRUPT.
Result<std::optional<Action>> ActionOf(const Json& line);

/// Percent-encode a relative path as `add.path` and its like want it, and back; absolute URIs are
/// left as they are.
/// Source: Delta protocol, "Add File and Remove File".
std::string EncodePath(std::string_view path);
std::string DecodePath(std::string_view path);

/// What tells two logical files of one path apart; empty without a vector. Source: Delta protocol,
/// "Deletion Vectors".
std::string UniqueId(const std::optional<DeletionVectorDescriptor>& vector);

}  // namespace freshet::delta
