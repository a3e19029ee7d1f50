// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <string_view>
#include <system_error>

namespace freshet::sources::postgres {

/// Takes words and numbers off the front of a chunk's text; what does not fit makes it bad for
/// good.
class TextScanner {
 public:
  explicit TextScanner(std::string_view text) : rest_(text) {}

  bool Skip(std::string_view word) {
    good_ = good_ && rest_.starts_with(word);
    if (good_) rest_.remove_prefix(word.size());
    return good_;
  }
  template <typename T>
  void Take(T* number) {
    if (!good_) return;
    auto [stop, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), *number);
    good_ = error == std::errc();
    if (good_) rest_.remove_prefix(static_cast<size_t>(stop - rest_.data()));
  }
  /// Take what stands before the next `end`, and pass over that.
  std::string_view TakeUntil(char end) {
    const size_t size = rest_.find(end);
    good_ = good_ && size != std::string_view::npos;
    if (!good_) return {};
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size + 1);
    return taken;
  }
  bool starts_with(std::string_view word) const { return rest_.starts_with(word); }
  bool at_end() const { return rest_.empty(); }
  bool good() const { return good_; }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace freshet::sources::postgres
