// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/relation_match.h"

#include <algorithm>

namespace freshet::sources::postgres {
namespace {

/// With more dropped columns than this nobody tries out which of them were there.
constexpr size_t kDroppedMax = 10;

using Choice = std::vector<const TraceColumn*>;

bool Fits(const TraceColumn& column, const std::string& name) {
  return column.unseen() || column.ours == name || column.now == name;
}

std::optional<std::vector<int32_t>> InOrder(const std::vector<std::string>& names,
                                            const Choice& choice) {
  std::vector<int32_t> ids;
  for (size_t i = 0; i < names.size(); ++i) {
    if (!Fits(*choice[i], names[i])) return std::nullopt;
    ids.push_back(choice[i]->id);
  }
  return ids;
}

/// Each name must be exactly one column's, and each column's.
std::optional<std::vector<int32_t>> InAnyOrder(const std::vector<std::string>& names,
                                               const Choice& choice) {
  std::vector<int32_t> ids;
  for (const auto& name : names) {
    auto fits = [&](const TraceColumn* column) { return Fits(*column, name); };
    if (std::count_if(choice.begin(), choice.end(), fits) != 1) return std::nullopt;
    ids.push_back((*std::find_if(choice.begin(), choice.end(), fits))->id);
  }
  auto sorted = ids;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) return std::nullopt;
  return ids;
}

}  // namespace

std::optional<std::vector<int32_t>> MatchColumns(const std::vector<std::string>& names,
                                                 const std::vector<TraceColumn>& traces,
                                                 bool ordered) {
  std::vector<size_t> dropped;
  for (size_t i = 0; i < traces.size(); ++i) {
    if (!traces[i].now) dropped.push_back(i);
  }
  if (dropped.size() > kDroppedMax) return std::nullopt;
  std::optional<std::vector<int32_t>> found;
  for (size_t count = names.size(); count <= traces.size(); ++count) {
    for (uint32_t gone = 0; gone < 1U << dropped.size(); ++gone) {
      Choice choice;
      for (size_t i = 0; i < count; ++i) {
        auto at = std::find(dropped.begin(), dropped.end(), i);
        bool left = at != dropped.end() && (gone >> (at - dropped.begin()) & 1U) != 0;
        if (!left) choice.push_back(&traces[i]);
      }
      if (choice.size() != names.size()) continue;
      auto ids = ordered ? InOrder(names, choice) : InAnyOrder(names, choice);
      if (!ids) continue;
      if (found && *found != *ids) return std::nullopt;
      found = std::move(ids);
    }
  }
  return found;
}

}  // namespace freshet::sources::postgres
