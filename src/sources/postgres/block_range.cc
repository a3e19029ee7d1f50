// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/block_range.h"

#include <charconv>
#include <string_view>

namespace freshet::sources::postgres {
namespace {

/// Takes words and numbers off the front of a text; what does not fit makes it bad for good.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

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
  bool starts_with(std::string_view word) const { return rest_.starts_with(word); }
  bool at_end() const { return rest_.empty(); }
  bool good() const { return good_; }

 private:
  std::string_view rest_;
  bool good_ = true;
};

constexpr std::string_view kFile = " file=", kSize = " size=";

}  // namespace

std::string ToText(const BlockRange& range) {
  std::string text = fmt::format("table={} blocks={}..", range.oid, range.first);
  if (range.end) text += std::to_string(*range.end);
  if (range.file != 0) text += fmt::format("{}{}{}{}", kFile, range.file, kSize, range.size);
  return text;
}

Result<BlockRange> BlockRangeFrom(const std::string& text) {
  BlockRange range;
  Scanner scanner(text);
  scanner.Skip("table=");
  scanner.Take(&range.oid);
  scanner.Skip(" blocks=");
  scanner.Take(&range.first);
  scanner.Skip("..");
  if (!scanner.at_end() && !scanner.starts_with(kFile)) scanner.Take(&range.end.emplace());
  if (!scanner.at_end()) {
    scanner.Skip(kFile);
    scanner.Take(&range.file);
    scanner.Skip(kSize);
    scanner.Take(&range.size);
  }
  if (!scanner.good() || !scanner.at_end())
    return Error(ErrorClass::INVALID_ARGUMENT, "not a chunk of this source: {}", text);
  return range;
}

}  // namespace freshet::sources::postgres
