// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/array.h>
#include <arrow/builder.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sources/postgres/types.h"
#include "sources/postgres/values.h"

namespace freshet::sources::postgres {

/// Turns one column's values from the wire's bytes into an Arrow array, straight into the builder's
/// buffers. The binary and the text form of a value give the same. One thread at a time; knows
/// nothing of rows or messages. Reads what it is given and nothing beyond, whatever it holds; nests
/// no deeper than the type.
class ColumnDecoder {
 public:
  explicit ColumnDecoder(const ColumnType& type);

  /// Make room for this many more values. REQUIRES before every append. Errors: out of memory
  /// (INTERNAL).
  arrow::Status Reserve(int64_t values) { return builder_->Reserve(values); }
  /// Append one value, as binary COPY of CopyExpression sends it; false: the bytes are not what the
  /// type says, and nothing may be appended any more.
  bool AppendBinary(std::string_view bytes) {
    if (as_text_) return AppendText(bytes);
    return root_.kind == Kind::kArray ? AppendBinaryArray(bytes)
                                      : AppendScalar<true>(&root_, bytes);
  }
  bool AppendText(std::string_view text) { return AppendTextTo(&root_, text); }
  void AppendNull();

  /// Return what was appended and begin anew. In text, each byte that is not UTF-8 has become
  /// U+FFFD and its two hex digits.
  arrow::Result<std::shared_ptr<arrow::Array>> Finish();
  /// Values that became NULL because Delta cannot hold them, ever; and texts that were not UTF-8,
  /// up to the last Finish.
  int64_t values_nulled() const { return values_nulled_; }

 private:
  /// One type of the tree: a column's own, an array's element, a composite's field.
  struct Node {
    Kind kind = Kind::kText;
    int32_t precision = 0;
    int32_t scale = 0;
    /// Of an array: how many lie within each other from here on.
    int32_t dimensions = 0;
    arrow::ArrayBuilder* builder = nullptr;
    std::vector<Node> children;
    /// The child's text or bytes without quotes and escapes; used again.
    std::string scratch;
  };

  static Node MakeNode(const ColumnType& type, arrow::ArrayBuilder* builder);
  template <bool kBinary>
  bool AppendScalar(Node* node, std::string_view bytes);
  /// The kinds whose destination is text or bytes.
  template <bool kBinary>
  bool AppendTextual(Node* node, std::string_view bytes);
  template <typename Builder, typename Value>
  bool Settle(arrow::ArrayBuilder* builder, Parsed parsed, Value value);
  bool AppendBinaryArray(std::string_view bytes);
  bool AppendTextTo(Node* node, std::string_view text);
  /// AppendTextTo after making room, for values within others.
  bool AppendChild(Node* node, std::string_view text);
  bool AppendTextArray(Node* node, std::string_view text);
  bool AppendElements(Node* node, std::string_view text, size_t* at);
  bool AppendRow(Node* node, std::string_view text);
  bool AppendMap(Node* node, std::string_view text);
  bool AppendUnholdable(Node* node);

  bool as_text_ = false;
  std::unique_ptr<arrow::ArrayBuilder> builder_;
  Node root_;
  int64_t values_nulled_ = 0;
};

}  // namespace freshet::sources::postgres
