// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/result.h>
#include <arrow/status.h>

#include "base/status.h"

namespace freshet {

/// Arrow's errors at our border: memory → STORE_FULL's kin is never guessed, so all are INTERNAL
/// except I/O errors.
inline Status FromArrow(const arrow::Status& status) {
  if (status.ok()) return Status::Ok();
  auto error_class = status.IsIOError() ? ErrorClass::STORE_UNAVAILABLE : ErrorClass::INTERNAL;
  return MakeError(error_class, status.ToString());
}

template <>
struct StatusTraits<arrow::Status> {
  static Status Take(const arrow::Status& status) { return FromArrow(status); }
};
template <typename T>
struct StatusTraits<arrow::Result<T>> {
  static Status Take(const arrow::Result<T>& result) { return FromArrow(result.status()); }
  static T Value(arrow::Result<T>&& result) { return std::move(result).MoveValueUnsafe(); }
};

}  // namespace freshet
