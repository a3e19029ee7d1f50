// SPDX-License-Identifier: Apache-2.0
#include "delta/table.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/random.h"
#include "delta/action_json.h"
#include "delta/checkpoint.h"
#include "delta/commit_duties.h"
#include "delta/log.h"
#include "delta/protocol.h"
#include "delta/replay.h"

namespace freshet::delta {
namespace {

using Store = std::shared_ptr<store::FileStore>;
using State = std::shared_ptr<const Snapshot>;
constexpr int64_t kNewest = INT64_MAX;

/// Fold the commits base + 1 … target (or the newest) on a begun replay. Errors: DELTA_CORRUPT on a
/// gap.
Result<State> FoldCommits(const Store& table, const LogFiles& log, int64_t base, int64_t target,
                          int64_t checkpoint, Replay* replay) {
  int64_t version = base;
  for (int64_t commit : log.commits) {
    if (commit <= base || commit > target) continue;
    if (commit != version + 1) {
      return Error(ErrorClass::DELTA_CORRUPT, "the log misses version {} but has {}", version + 1,
                   commit);
    }
    auto actions = ReadCommit(*table, commit);
    if (actions.status().Is(ErrorClass::NOT_FOUND)) {
      // It was listed a moment ago: another writer cleans the log up. NOT_FOUND would say that
      // there is no table.
      return Error(ErrorClass::STORE_UNAVAILABLE, "the log changed while it was read")
          .With("file", CommitPath(commit));
    }
    if (!actions.ok()) return actions.status();
    replay->Apply(std::move(*actions));
    version = commit;
  }
  if (target != kNewest && version != target)
    return Error(ErrorClass::NOT_FOUND, "the table has no version {}", target);
  if (version < 0) return Error(ErrorClass::NOT_FOUND, "there is no Delta table here");
  return replay->Finish(version, checkpoint);
}

/// Begin at the newest readable checkpoint at or before `target`; a damaged one costs time only.
Result<State> LoadFrom(const Store& table, const LogFiles& log, int64_t target) {
  Status damaged;
  for (auto files = log.checkpoints.rbegin(); files != log.checkpoints.rend(); ++files) {
    if (files->version > target) continue;
    Replay replay(nullptr);
    const Status read = ReadCheckpoint(table, *files, &replay);
    if (read.ok()) return FoldCommits(table, log, files->version, target, files->version, &replay);
    if (read.Is(ErrorClass::STORE_UNAVAILABLE)) return read;
    spdlog::warn("Delta checkpoint {} is not readable, going on without it: {}", files->paths[0],
                 read.ToString());
    damaged = read;
  }
  if (log.commits.empty() && !damaged.ok()) return damaged;
  if (!log.commits.empty() && log.commits.front() != 0) {
    if (!damaged.ok())
      return Error(ErrorClass::DELTA_CORRUPT, "no checkpoint is readable: {}", damaged.ToString());
    if (target < log.commits.front())
      return Error(ErrorClass::NOT_FOUND, "the log no longer reaches version {}", target);
    if (target != kNewest && !log.checkpoints.empty()) {
      return Error(ErrorClass::NOT_FOUND, "the log no longer reaches version {}", target);
    }
  }
  Replay replay(nullptr);
  return FoldCommits(table, log, -1, target, -1, &replay);
}

Result<State> Load(const Store& table, int64_t target) {
  FRESHET_TRY(const auto hint, LastCheckpoint(*table));
  if (hint && *hint >= 0 && *hint <= target) {
    FRESHET_TRY(const auto log, ListLog(*table, *hint));
    if (!log.checkpoints.empty() && log.checkpoints.front().version <= target) {
      auto state = LoadFrom(table, log, target);
      if (state.ok() || !state.status().Is(ErrorClass::DELTA_CORRUPT)) return state;
    }
  }
  FRESHET_TRY(const auto log, ListLog(*table, 0));
  return LoadFrom(table, log, target);
}

/// The feed has columns of its own. Source: Delta protocol, "Add CDC File", "Reader Requirements
/// for AddCDCFile".
Status CheckFeedNames(const Snapshot& after) {
  if (!after.keeps_feed()) return Status::Ok();
  for (const auto& column : after.columns) {
    std::string name = column.name;
    std::ranges::transform(name, name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (name == "_change_type" || name == "_commit_version" || name == "_commit_timestamp") {
      return Error(ErrorClass::COLUMN_NAME_CONFLICT,
                   "the table's change data feed has a column named {} itself", column.name)
          .WithRemedy("Rename or leave out the column, or do without the feed.");
    }
  }
  return Status::Ok();
}

/// What our own rules and the table's properties say about a commit before it is tried.
Status CheckCommit(const Snapshot* base, const Snapshot& after,
                   const std::vector<Action>& actions) {
  FRESHET_CHECK_OK(CheckWritable(after.protocol, after.metadata));
  FRESHET_CHECK_OK(CheckFeedNames(after));
  auto set = [&](const char* name) {
    auto found = after.metadata.configuration.find(name);
    return found != after.metadata.configuration.end() && found->second == "true";
  };
  for (const auto& action : actions) {
    const auto* add = std::get_if<AddFile>(&action);
    const auto* remove = std::get_if<RemoveFile>(&action);
    // One that was there when they were turned off stays as long as its rows do.
    auto had = [&] {
      return base != nullptr && base->files.contains(add->path) &&
             UniqueId(base->files.at(add->path).deletion_vector) == UniqueId(add->deletion_vector);
    };
    if (add != nullptr && add->deletion_vector && !after.deletion_vectors_enabled() && !had()) {
      return Error(ErrorClass::DELTA_UNSUPPORTED, "the table does not allow deletion vectors");
    }
    const bool loses_rows = remove != nullptr && remove->data_change;
    if (loses_rows && set("delta.appendOnly"))
      return Error(ErrorClass::DELTA_UNSUPPORTED, "the table is append-only");
  }
  return Status::Ok();
}

/// Whether the commit takes away only what is live, and each path is added and removed once at
/// most: a plan that says otherwise is our own mistake, and must not reach the log.
/// Source: Delta protocol, "Add File and Remove File".
Status CheckFiles(const Snapshot* base, const std::vector<Action>& actions) {
  std::set<std::string> added, removed;
  for (const auto& action : actions) {
    const auto* add = std::get_if<AddFile>(&action);
    const auto* remove = std::get_if<RemoveFile>(&action);
    if (add != nullptr && !added.insert(add->path).second) {
      return Error(ErrorClass::INTERNAL, "a commit adds a file twice: {}", add->path);
    }
    if (remove == nullptr) continue;
    bool is_live = base != nullptr && base->files.contains(remove->path);
    if (is_live) {
      is_live = UniqueId(base->files.at(remove->path).deletion_vector) ==
                UniqueId(remove->deletion_vector);
    }
    if (!is_live || !removed.insert(remove->path).second) {
      return Error(ErrorClass::INTERNAL, "a commit removes a file that is not live: {}",
                   remove->path);
    }
  }
  for (const auto& path : added) {
    if (base != nullptr && base->files.contains(path) && !removed.contains(path)) {
      return Error(ErrorClass::INTERNAL, "a commit adds a file that is live: {}", path);
    }
  }
  return Status::Ok();
}

/// Whether the commit at `version` is the one that carries this id. Errors: NOT_FOUND (nobody's
/// yet).
Result<bool> IsOurs(store::FileStore& table, int64_t version, const std::string& txn_id) {
  FRESHET_TRY(const auto actions, ReadCommit(table, version));
  for (const auto& action : actions) {
    const auto* info = std::get_if<CommitInfo>(&action);
    if (info != nullptr && info->txn_id == txn_id) return true;
  }
  return false;
}

/// Put the commit's file, and find out what became of it: after a lost race or an unknown outcome
/// the version is read, and a commit with our id is ours however its Put answered. An absent one is
/// put again, once: the same bytes can win only once.
Status PutCommit(store::FileStore& table, int64_t version, const std::string& text,
                 const std::string& txn_id) {
  Status put;
  for (int attempt = 0; attempt < 2; ++attempt) {
    put = table.Put(CommitPath(version), text, store::If::kAbsent);
    if (put.ok()) return put;
    if (!put.Is(ErrorClass::ALREADY_EXISTS) && !put.outcome_unknown()) return put;
    auto ours = IsOurs(table, version, txn_id);
    if (ours.ok() && *ours) return Status::Ok();
    if (ours.ok() || ours.status().Is(ErrorClass::DELTA_CORRUPT)) {
      return Error(ErrorClass::DELTA_CONFLICT, "another writer committed version {}", version);
    }
    if (!ours.status().Is(ErrorClass::NOT_FOUND)) return put;
  }
  return put;
}

}  // namespace

Result<State> Table::Latest(const State& known) const {
  if (known == nullptr) return Load(store_, kNewest);
  // Nothing new is the usual answer, and a log may be long: three looks tell without listing it.
  // The next version may also be missing because others cleaned it up, behind a checkpoint.
  const auto next = store_->Stat(CommitPath(known->version + 1));
  if (next.status().Is(ErrorClass::NOT_FOUND)) {
    FRESHET_TRY(const auto hint, LastCheckpoint(*store_));
    const bool newest = !hint || *hint <= known->version;
    if (newest && store_->Stat(CommitPath(known->version)).ok()) return known;
  } else if (!next.ok()) {
    return next.status();
  }
  FRESHET_TRY(const auto log, ListLog(*store_, known->version));
  if (!std::binary_search(log.commits.begin(), log.commits.end(), known->version + 1)) {
    if (!log.commits.empty() && log.commits.back() == known->version) return known;
    return Load(store_, kNewest);
  }
  Replay replay(known);
  int64_t checkpoint = known->checkpoint_version;
  for (const auto& files : log.checkpoints) checkpoint = std::max(checkpoint, files.version);
  return FoldCommits(store_, log, known->version, kNewest, checkpoint, &replay);
}

Result<State> Table::At(int64_t version) const { return Load(store_, version); }

Result<State> Table::Commit(const State& base, CommitInfo info, std::vector<Action> actions) {
  const int64_t version = base == nullptr ? 0 : base->version + 1;
  if (info.txn_id.empty()) info.txn_id = RandomUuid();
  if (base != nullptr) FRESHET_CHECK_OK(CheckWritable(base->protocol, base->metadata));
  FRESHET_CHECK_OK(CheckFiles(base.get(), actions));
  FRESHET_CHECK_OK(FulfilDuties(*store_, base, &info, &actions));
  info.tags[std::string(kLinesTag)] = std::to_string(actions.size() + 1);
  actions.insert(actions.begin(), info);
  Replay replay(base);
  replay.Apply(actions);
  FRESHET_TRY(auto after, replay.Finish(version, base == nullptr ? -1 : base->checkpoint_version));
  FRESHET_CHECK_OK(CheckCommit(base.get(), *after, actions));
  std::string text;
  for (const auto& action : actions) text += ToJson(action) + "\n";
  FRESHET_CHECK_OK(PutCommit(*store_, version, text, info.txn_id));
  return after;
}

Status Table::Checkpoint(const Snapshot& snapshot) const {
  FRESHET_TRY(const auto checkpoint, EncodeCheckpoint(snapshot));
  const auto& bytes = *checkpoint.file.bytes;
  const std::string_view view(reinterpret_cast<const char*>(bytes.data()),
                              static_cast<size_t>(bytes.size()));
  const Status put = store_->Put(CheckpointPath(snapshot.version), view, store::If::kAbsent);
  if (!put.ok() && !put.Is(ErrorClass::ALREADY_EXISTS)) return put;
  const Json hint = {{"version", snapshot.version},
                     {"size", checkpoint.actions},
                     {"sizeInBytes", bytes.size()},
                     {"numOfAddFiles", checkpoint.adds}};
  return store_->Put(kLastCheckpoint, JsonText(hint), store::If::kAlways);
}

}  // namespace freshet::delta
