// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace freshet::sources::postgres {

/// The copy-both messages one block holds, in order.
class WireBlock {
 public:
  void Add(std::string_view message);
  /// Take the next message; nothing at the end. The view lives as long as the block.
  std::optional<std::string_view> Next();
  bool HasMore() const { return at_ < bytes_.size(); }
  size_t size() const { return bytes_.size(); }

 private:
  std::string bytes_;
  size_t at_ = 0;
};

}  // namespace freshet::sources::postgres
