// SPDX-License-Identifier: Apache-2.0
#include "pipeline/run_logs.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "base/server_limits.h"
#include "pipeline/destination.h"
#include "pipeline/update_plan.h"
#include "store/folder_tree.h"
#include "store/local_file.h"

namespace freshet::pipeline {
namespace {

using store::FolderTree;

constexpr std::string_view kSuffix = ".log";
constexpr char kRun[] = "run";
/// A random UUID's text.
constexpr size_t kUuidLength = 36;

/// Runs have a folder of their own; the engine keeps its workers' logs as it does everywhere.
std::string RunFolder(const std::string& data, const std::string& pipeline) {
  return FolderOfPipeline(data, pipeline) + "/log";
}
std::string WorkerFolder(const std::string& data, const std::string& pipeline) {
  return FolderOfPipeline(data, pipeline) + "/_freshet/log";
}

std::string WithoutSuffix(std::string name) {
  if (name.ends_with(kSuffix)) name.resize(name.size() - kSuffix.size());
  return name;
}

/// `<time>-<update>-<worker>.log`; those of earlier versions have no update.
RunLog WorkerLog(const store::TreeEntry& entry) {
  RunLog log{.name = entry.name, .worker = {}, .update = {}};
  auto stem = WithoutSuffix(entry.name);
  const auto time = stem.find('-'), worker = stem.rfind('-');
  if (worker == std::string::npos) return log;
  log.worker = stem.substr(worker + 1);
  if (worker - time == kUuidLength + 1) log.update = stem.substr(time + 1, kUuidLength);
  return log;
}

Status AddLogs(const std::string& folder, bool runs, std::vector<RunLog>* logs) {
  auto entries = FolderTree(folder).List({}, "", limits::kRunLogsListed);
  if (entries.status().Is(ErrorClass::NOT_FOUND)) return Status::Ok();
  FRESHET_CHECK_OK(entries);
  for (const auto& entry : *entries) {
    if (entry.folder) continue;
    auto log = runs
                   ? RunLog{.name = entry.name, .worker = kRun, .update = WithoutSuffix(entry.name)}
                   : WorkerLog(entry);
    log.bytes = entry.size;
    log.modified_at = entry.modified_at;
    logs->push_back(std::move(log));
  }
  return Status::Ok();
}

/// Their names say nothing of their age.
void ForgetOldest(const std::string& folder) {
  std::vector<std::pair<std::filesystem::file_time_type, std::filesystem::path>> files;
  std::error_code error;
  std::filesystem::directory_iterator file(folder, error), end;
  for (; !error && file != end; file.increment(error))
    files.emplace_back(file->last_write_time(error), file->path());
  if (files.size() < limits::kRunLogsKept) return;
  std::ranges::sort(files);
  files.resize(files.size() - limits::kRunLogsKept + 1);
  for (const auto& [at, path] : files) std::filesystem::remove(path, error);
}

Result<std::string> ReadAt(const store::OpenFile& file, int64_t from, int64_t bytes) {
  std::string text(static_cast<size_t>(bytes), '\0');
  size_t read = 0;
  while (read < text.size()) {
    auto count = pread(file.get(), text.data() + read, text.size() - read,
                       static_cast<off_t>(from) + static_cast<off_t>(read));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return store::FromErrno(errno, "cannot read", "a log");
    if (count == 0) break;
    read += static_cast<size_t>(count);
  }
  text.resize(read);
  return text;
}

}  // namespace

Result<std::string> MakeRunLog(const std::string& data, const std::string& pipeline,
                               const std::string& update) {
  auto folder = RunFolder(data, pipeline);
  FRESHET_CHECK_OK(store::MakeFolders(folder));
  ForgetOldest(folder);
  return fmt::format("{}/{}{}", folder, update, kSuffix);
}

Result<std::vector<RunLog>> RunLogsOf(const std::string& data, const std::string& pipeline) {
  std::vector<RunLog> logs;
  FRESHET_CHECK_OK(AddLogs(RunFolder(data, pipeline), true, &logs));
  FRESHET_CHECK_OK(AddLogs(WorkerFolder(data, pipeline), false, &logs));
  std::ranges::sort(logs, [](const RunLog& one, const RunLog& other) {
    return std::pair(other.modified_at, one.name) < std::pair(one.modified_at, other.name);
  });
  return logs;
}

Result<RunLogPiece> ReadRunLog(const std::string& data, const std::string& pipeline,
                               const std::string& name, std::optional<int64_t> from,
                               int64_t bytes_max) {
  Result<store::OpenFile> file = FolderTree(RunFolder(data, pipeline)).Open({name});
  if (file.status().Is(ErrorClass::NOT_FOUND))
    file = FolderTree(WorkerFolder(data, pipeline)).Open({name});
  FRESHET_CHECK_OK(file);
  const auto bytes = static_cast<int64_t>(lseek(file->get(), 0, SEEK_END));
  RunLogPiece piece;
  piece.bytes = bytes;
  piece.from = from ? std::min(*from, bytes) : std::max<int64_t>(0, bytes - bytes_max);
  FRESHET_TRY(piece.text, ReadAt(*file, piece.from, std::min(bytes_max, bytes - piece.from)));
  const bool cut = piece.text.size() == static_cast<size_t>(bytes_max);
  // The end of a file begins within a line, perhaps.
  const auto line = piece.text.find('\n');
  if (!from && piece.from > 0 && line != std::string::npos && line + 1 < piece.text.size()) {
    piece.text.erase(0, line + 1);
    piece.from += static_cast<int64_t>(line) + 1;
  }
  const auto end = piece.text.rfind('\n');
  if (end != std::string::npos || !cut) piece.text.resize(end == std::string::npos ? 0 : end + 1);
  piece.to = piece.from + static_cast<int64_t>(piece.text.size());
  return piece;
}

}  // namespace freshet::pipeline
