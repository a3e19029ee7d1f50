// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/array.h>
#include <arrow/builder.h>

#include <memory>
#include <string>
#include <string_view>

#include "sources/postgres/types.h"
#include "sources/postgres/values.h"

namespace freshet::sources::postgres {

/// Turns one column's values from the wire's bytes into an Arrow array, straight into the builder's
/// buffers. The binary and the text form of a value give the same. One thread at a time; knows
/// nothing of rows or messages.
class ColumnDecoder {
 public:
  explicit ColumnDecoder(ColumnType type);

  /// Make room for this many more values. REQUIRES before every append. Errors: out of memory
  /// (INTERNAL).
  arrow::Status Reserve(int64_t values) { return builder_->Reserve(values); }
  /// Append one value; false: the bytes are not what the type says, and nothing may be appended any
  /// more.
  bool AppendBinary(std::string_view bytes) {
    return type_.array ? AppendBinaryArray(bytes) : AppendScalar<true>(builder_.get(), bytes);
  }
  bool AppendText(std::string_view text) {
    return type_.array ? AppendTextArray(text) : AppendScalar<false>(builder_.get(), text);
  }
  void AppendNull();

  /// Return what was appended and begin anew.
  arrow::Result<std::shared_ptr<arrow::Array>> Finish() { return builder_->Finish(); }
  /// Values that became NULL because Delta cannot hold them, ever.
  int64_t values_nulled() const { return values_nulled_; }

 private:
  template <bool kBinary>
  bool AppendScalar(arrow::ArrayBuilder* builder, std::string_view bytes);
  /// The kinds whose destination is text or bytes.
  template <bool kBinary>
  bool AppendTextual(arrow::ArrayBuilder* builder, std::string_view bytes);
  template <typename Builder, typename Value>
  bool Settle(arrow::ArrayBuilder* builder, Parsed parsed, Value value);
  bool AppendBinaryArray(std::string_view bytes);
  bool AppendTextArray(std::string_view text);
  bool AppendTextElements(std::string_view text);
  bool AppendUnholdable();
  arrow::ArrayBuilder* elements();

  ColumnType type_;
  std::unique_ptr<arrow::ArrayBuilder> builder_;
  std::string scratch_;
  int64_t values_nulled_ = 0;
};

}  // namespace freshet::sources::postgres
