// SPDX-License-Identifier: Apache-2.0
#include "staging/unread.h"

#include <fmt/format.h>

#include <limits>
#include <string>
#include <string_view>

#include "base/json.h"
#include "staging/layout.h"
#include "staging/reason.h"

namespace freshet::staging {
namespace {

std::string PathOf(const UnreadKey& key) {
  return fmt::format("{}/{}.{}", kUnreadFolder, key.table.value(), key.flow.value());
}

/// A key read back from a path; nothing when that is not of its form.
std::optional<UnreadKey> KeyIn(std::string_view path) {
  std::string_view name = LastPart(path);
  size_t dot = name.find('.');
  if (dot == 0 || dot == std::string_view::npos || dot + 1 == name.size()) return std::nullopt;
  return UnreadKey{.table = TableId(std::string(name.substr(0, dot))),
                   .flow = FlowId(std::string(name.substr(dot + 1)))};
}

}  // namespace

Status PutUnread(store::FileStore& store, const UnreadKey& key, const Status& why) {
  return store.Put(PathOf(key), JsonText(ReasonToJson(why)), store::If::kAlways);
}

Status ForgetUnread(store::FileStore& store, const UnreadKey& key) {
  Status removed = store.Remove(PathOf(key));
  return removed.Is(ErrorClass::NOT_FOUND) ? Status::Ok() : removed;
}

Result<std::set<UnreadKey>> ListUnread(store::FileStore& store) {
  FRESHET_TRY(auto files, store.List(kUnreadFolder, "", std::numeric_limits<int>::max()));
  std::set<UnreadKey> keys;
  for (const auto& file : files) {
    if (auto key = KeyIn(file.path)) keys.insert(*std::move(key));
  }
  return keys;
}

Result<std::optional<Status>> WhyUnread(store::FileStore& store, const UnreadKey& key) {
  auto text = store.Get(PathOf(key), 0, -1);
  if (text.status().Is(ErrorClass::NOT_FOUND)) return std::optional<Status>();
  if (!text.ok()) return text.status();
  auto why = ReasonIn(ParseJson<nlohmann::json>(**text));
  if (!why) return Error(ErrorClass::STAGING_CORRUPT, "a reason is not readable: {}", PathOf(key));
  return why;
}

}  // namespace freshet::staging
