// SPDX-License-Identifier: Apache-2.0
#include "pipeline/exit_code.h"

#include <string_view>

namespace freshet::pipeline {

ExitCode ExitCodeOf(const Status& status) {
  if (status.ok()) return ExitCode::kOk;
  switch (status.error_class()) {
    case ErrorClass::CANCELLED:
      return ExitCode::kInterrupted;
    case ErrorClass::INVALID_ARGUMENT:
    case ErrorClass::UNSUPPORTED_FIELD:
    case ErrorClass::NO_TABLE_MATCHES:
    case ErrorClass::KEY_NOT_SELECTED:
      return ExitCode::kUsage;
    case ErrorClass::PUBLICATION_MISSING:
      return ExitCode::kSource;
    case ErrorClass::NOT_FOUND:
    case ErrorClass::ALREADY_EXISTS:
    case ErrorClass::DATA_CORRUPT:
    case ErrorClass::TABLE_FOREIGN:
    case ErrorClass::POSITION_LOST:
    case ErrorClass::COMMIT_ZOMBIE:
      return ExitCode::kDestination;
    case ErrorClass::SNAPSHOT_STALE:
    case ErrorClass::KEY_CHANGED:
    case ErrorClass::SCHEMA_CHANGE_PAUSED:
    case ErrorClass::SHAPE_CHANGE_UNSUPPORTED:
    case ErrorClass::CURSOR_UNSUITABLE:
    case ErrorClass::SWEEP_REFUSED:
    case ErrorClass::COLUMN_RESERVED:
    case ErrorClass::COLUMN_NAME_CONFLICT:
    case ErrorClass::VALUE_NOT_SENT:
      return ExitCode::kTables;
    default:
      break;
  }
  std::string_view name = NameOf(status.error_class());
  if (name.starts_with("SOURCE_") || name.starts_with("SLOT_")) return ExitCode::kSource;
  if (name.starts_with("STORE_") || name.starts_with("DESTINATION_") ||
      name.starts_with("DELTA_") || name.starts_with("STAGING_")) {
    return ExitCode::kDestination;
  }
  if (name.starts_with("TABLE_")) return ExitCode::kTables;
  return ExitCode::kInternal;
}

}  // namespace freshet::pipeline
