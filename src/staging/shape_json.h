// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "record/shape.h"

namespace freshet::staging {

/// A table's shape as manifests spell it. Source: docs/formats/staging.md, "Shapes".
nlohmann::json ShapeToJson(const record::TableShape& shape);
/// Errors: STAGING_CORRUPT. Throws nlohmann's exceptions where a field is not there: caught by
/// FromJson.
Result<record::TableShape> ShapeFromJson(const nlohmann::json& in);

/// The imprint of a table's values. Throws as above.
nlohmann::json ImprintToJson(const record::Imprint& imprint);
record::Imprint ImprintFromJson(const nlohmann::json& in);

}  // namespace freshet::staging
