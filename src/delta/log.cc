// SPDX-License-Identifier: Apache-2.0
#include "delta/log.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "delta/action_json.h"

namespace freshet::delta {
namespace {

constexpr size_t kDigits = 20;
constexpr int kListPage = 10'000;

std::string Numbered(int64_t version) { return fmt::format("{}/{:020}", kLogFolder, version); }

std::optional<int64_t> Number(std::string_view digits) {
  int64_t value = 0;
  const char* end = digits.data() + digits.size();
  auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc() || stop != end || digits.empty()) return std::nullopt;
  return value;
}

/// Parts of a multi-part checkpoint by (version, how many there should be).
using Parts = std::map<std::pair<int64_t, int64_t>, std::vector<std::string>>;

/// Note a file of the log by its name; others' side files are passed over.
void Classify(const std::string& path, LogFiles* files, Parts* parts) {
  const std::string_view name = std::string_view(path).substr(kLogFolder.size() + 1);
  if (name.size() <= kDigits) return;
  const auto version = Number(name.substr(0, kDigits));
  if (!version) return;
  const std::string_view rest = name.substr(kDigits);
  if (rest == ".json") files->commits.push_back(*version);
  constexpr std::string_view kMark = ".checkpoint.";
  if (!rest.starts_with(kMark)) return;
  const std::string_view tail = rest.substr(kMark.size());
  const bool parquet = tail.ends_with("parquet");
  if (tail == "parquet") {
    files->checkpoints.push_back({*version, {path}});
  } else if (parquet && tail.size() == 10 + 1 + 10 + 8) {
    if (auto count = Number(tail.substr(11, 10))) (*parts)[{*version, *count}].push_back(path);
  } else if (parquet || tail.ends_with(".json")) {
    files->checkpoints.push_back({*version, {path}});
  }
}

/// Whether a commit of ours has all of its lines. Nothing else in Delta's log says how many there
/// are: one that was cut at a line's end would read as a smaller commit.
Status CheckLines(const std::vector<Action>& actions, int64_t lines, const std::string& path) {
  if (lines == 0) return Error(ErrorClass::DELTA_CORRUPT, "a commit is empty").With("file", path);
  const auto* info = actions.empty() ? nullptr : std::get_if<CommitInfo>(&actions.front());
  if (info == nullptr) return Status::Ok();
  auto tag = info->tags.find(std::string(kLinesTag));
  if (tag == info->tags.end() || Number(tag->second) == lines) return Status::Ok();
  return Error(ErrorClass::DELTA_CORRUPT, "a commit has {} lines and was written with {}", lines,
               tag->second)
      .With("file", path);
}

}  // namespace

std::string CommitPath(int64_t version) { return Numbered(version) + ".json"; }
std::string CheckpointPath(int64_t version) { return Numbered(version) + ".checkpoint.parquet"; }

std::optional<int64_t> LogVersion(std::string_view path) {
  const std::string_view name = path.substr(std::min(kLogFolder.size() + 1, path.size()));
  if (name.size() <= kDigits || name[kDigits] != '.') return std::nullopt;
  const std::string_view rest = name.substr(kDigits + 1);
  // first.last.compacted.json
  if (rest.ends_with(".compacted.json")) return Number(rest.substr(0, kDigits));
  return Number(name.substr(0, kDigits));
}

Result<LogFiles> ListLog(store::FileStore& table, int64_t from_version) {
  LogFiles files;
  Parts parts;
  std::string after = Numbered(from_version);
  while (true) {
    FRESHET_TRY(const auto page, table.List(kLogFolder, after, kListPage));
    for (const auto& file : page) Classify(file.path, &files, &parts);
    if (page.size() < static_cast<size_t>(kListPage)) break;
    after = page.back().path;
  }
  for (auto& [key, paths] : parts) {
    if (static_cast<int64_t>(paths.size()) == key.second)
      files.checkpoints.push_back({key.first, paths});
  }
  std::stable_sort(files.checkpoints.begin(), files.checkpoints.end(),
                   [](const auto& a, const auto& b) { return a.version < b.version; });
  return files;
}

Result<std::optional<int64_t>> LastCheckpoint(store::FileStore& table) {
  auto text = table.Get(kLastCheckpoint, 0, -1);
  if (text.status().Is(ErrorClass::NOT_FOUND)) return std::optional<int64_t>();
  if (!text.ok()) return text.status();
  const Json json = ParseJson<Json>(**text);
  if (!json.is_object() || !json.contains("version") || !json["version"].is_number_integer())
    return std::optional<int64_t>();
  return std::optional(json["version"].get<int64_t>());
}

Result<std::vector<Action>> ReadCommit(store::FileStore& table, int64_t version) {
  const std::string path = CommitPath(version);
  FRESHET_TRY(const auto text, table.Get(path, 0, -1));
  std::vector<Action> actions;
  int64_t lines = 0;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.find_first_not_of(" \r\t") == std::string_view::npos) continue;
    ++lines;
    auto action = ActionFromJson(line);
    if (!action.ok()) return action.status().With("file", path);
    if (*action) actions.push_back(std::move(**action));
  }
  FRESHET_CHECK_OK(CheckLines(actions, lines, path));
  return actions;
}

}  // namespace freshet::delta
