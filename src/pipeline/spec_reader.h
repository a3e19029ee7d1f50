// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "base/status.h"
#include "pipeline/spec.h"

namespace freshet::pipeline {

/// Read a specification (YAML or JSON, which is YAML) with the fields of the API's
/// `ingestion_definition`, at the top or under that name, into `spec`: objects, slot and
/// publication; what `spec` holds already stays. Fields that a directory has no use for
/// (`connection_name`, `destination_catalog`) are accepted.
/// Errors: UNSUPPORTED_FIELD (a field of the API that is not built yet), INVALID_ARGUMENT (no such
/// field, a wrong value): both name the line and the field.
/// Source: docs/guide/command-line.md, "The specification".
Status ReadSpec(std::string_view text, std::string_view file, PipelineSpec* spec);

}  // namespace freshet::pipeline
