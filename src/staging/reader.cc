// SPDX-License-Identifier: Apache-2.0
#include "staging/reader.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "base/limits.h"
#include "staging/layout.h"
#include "staging/pack.h"
#include "staging/state.h"

namespace freshet::staging {
namespace {

/// Keeps the newest manifests read, so that many flows over one staging read each once.
/// Thread-safe.
class ManifestCache {
 public:
  std::shared_ptr<const Manifest> Find(SegmentNumber number) {
    std::lock_guard lock(mutex_);
    auto found = manifests_.find(number);
    return found == manifests_.end() ? nullptr : found->second;
  }
  void Add(std::shared_ptr<const Manifest> manifest) {
    std::lock_guard lock(mutex_);
    manifests_[manifest->number] = std::move(manifest);
    while (manifests_.size() > static_cast<size_t>(limits::kApplySegmentsMax))
      manifests_.erase(manifests_.begin());
  }

 private:
  std::mutex mutex_;
  // State below is protected by mutex_.
  std::map<SegmentNumber, std::shared_ptr<const Manifest>> manifests_;
};

class StoreReader final : public StagingReader {
 public:
  StoreReader(std::shared_ptr<store::FileStore> store, std::string staging_id)
      : store_(std::move(store)), staging_id_(std::move(staging_id)) {}

  const std::string& staging_id() const override { return staging_id_; }
  const std::shared_ptr<store::FileStore>& store() const override { return store_; }

  Result<std::vector<std::shared_ptr<const Manifest>>> List(SegmentNumber after,
                                                            int limit) override {
    std::vector<std::shared_ptr<const Manifest>> manifests;
    for (int i = 0; i < limit; ++i) {
      SegmentNumber number(after.value() + 1 + i);
      auto manifest = Find(number);
      if (manifest.ok()) {
        manifests.push_back(std::move(*manifest));
        continue;
      }
      if (!manifest.status().Is(ErrorClass::NOT_FOUND)) return manifest.status();
      if (!manifests.empty()) break;
      FRESHET_TRY(bool later, AnyBeyond(number));
      if (!later) break;
      // Sealed between the two looks, or gone.
      FRESHET_TRY(bool here, Exists(number));
      if (!here)
        return Error(ErrorClass::STAGING_EXPIRED, "a segment is no longer in staging: {}",
                     number.value());
      --i;
    }
    return manifests;
  }

  Result<std::shared_ptr<const Checkpoint>> Latest() override {
    auto known = Remembered();
    // The first call, and one after a pause so long that segments expired, read the newest full
    // checkpoint.
    Result<std::shared_ptr<const Checkpoint>> newest =
        known->through.value() == 0 ? Error(ErrorClass::STAGING_EXPIRED, "nothing is known yet")
                                    : Advanced(known);
    if (newest.status().Is(ErrorClass::STAGING_EXPIRED)) {
      FRESHET_TRY(Checkpoint state, ReadState(*store_, staging_id_));
      newest = std::shared_ptr<const Checkpoint>(std::make_shared<Checkpoint>(std::move(state)));
    }
    if (!newest.ok()) return newest;
    std::lock_guard lock(latest_mutex_);
    if ((*newest)->through > latest_->through) latest_ = *newest;
    return newest;
  }

  Result<SegmentNumber> PastGap(const TableId& table, SegmentNumber after) override {
    FRESHET_TRY(auto full, OldestFull(after));
    if (full == nullptr) {
      return Error(ErrorClass::STAGING_EXPIRED, "no full checkpoint is left after segment {}",
                   after.value());
    }
    auto found = full->checkpoint->tables.find(table);
    bool touched = found != full->checkpoint->tables.end() && found->second.last_segment > after;
    if (!touched) return full->checkpoint->through;
    return Error(
               ErrorClass::STAGING_EXPIRED,
               "segments that hold changes of the table expired before they were applied: {} to {}",
               after.value() + 1, full->checkpoint->through.value())
        .With("table", table.value());
  }

  Result<std::vector<std::shared_ptr<arrow::RecordBatch>>> Read(const Manifest& manifest,
                                                                const ChangeRun& run) override {
    const std::string& pack = manifest.packs[static_cast<size_t>(run.pack)];
    auto bytes = store_->Get(pack, run.offset, run.length);
    if (bytes.status().Is(ErrorClass::NOT_FOUND))
      return Error(ErrorClass::STAGING_EXPIRED, "a pack of changes is no longer in staging: {}",
                   pack);
    if (!bytes.ok()) return bytes.status();
    return DecodeRun(std::move(*bytes), run);
  }

 private:
  Result<std::shared_ptr<const Manifest>> Find(SegmentNumber number) {
    if (auto known = cache_.Find(number)) return known;
    FRESHET_TRY(auto manifest, ReadManifest(*store_, staging_id_, number));
    cache_.Add(manifest);
    return manifest;
  }

  Result<bool> Exists(SegmentNumber number) {
    auto info = store_->Stat(ManifestPath(number));
    if (info.ok()) return true;
    if (info.status().Is(ErrorClass::NOT_FOUND)) return false;
    return info.status();
  }

  /// Whether any manifest beyond `number` is there, which is not. Every flow asks at the end of
  /// what is staged, so the usual case looks at no folder: segments expire from the oldest on, and
  /// what stands before a gap has expired with it.
  Result<bool> AnyBeyond(SegmentNumber number) {
    FRESHET_TRY(bool next, Exists(SegmentNumber(number.value() + 1)));
    if (next) return true;
    if (number.value() > 1) {
      FRESHET_TRY(bool former, Exists(SegmentNumber(number.value() - 1)));
      if (former) return false;
    }
    FRESHET_TRY(auto same, store_->List(FolderPath(kSegmentsFolder, FolderOf(number)),
                                        ManifestPath(number), 1));
    if (!same.empty()) return true;
    FRESHET_TRY(auto folders, ListFolders(*store_, kSegmentsFolder));
    for (int64_t folder : folders) {
      if (folder <= FolderOf(number)) continue;
      FRESHET_TRY(auto files, store_->List(FolderPath(kSegmentsFolder, folder), "", 1));
      if (!files.empty()) return true;
    }
    return false;
  }

  /// The state itself when nothing was sealed since: it is asked for by every table, and large.
  Result<std::shared_ptr<const Checkpoint>> Advanced(std::shared_ptr<const Checkpoint> known) {
    std::shared_ptr<Checkpoint> state;
    while (true) {
      SegmentNumber after = state == nullptr ? known->through : state->through;
      FRESHET_TRY(auto manifests, List(after, limits::kApplySegmentsMax));
      if (manifests.empty() && state == nullptr) return known;
      if (state == nullptr) state = std::make_shared<Checkpoint>(*known);
      for (const auto& manifest : manifests) Advance(*manifest, state.get());
      if (manifests.size() < static_cast<size_t>(limits::kApplySegmentsMax))
        return std::shared_ptr<const Checkpoint>(std::move(state));
    }
  }

  /// The oldest manifest after `after` that carries a full checkpoint; null: none. A folder that
  /// went in part begins without one.
  Result<std::shared_ptr<const Manifest>> OldestFull(SegmentNumber after) {
    FRESHET_TRY(auto folders, ListFolders(*store_, kSegmentsFolder));
    for (int64_t folder : folders) {
      SegmentNumber first(std::max<int64_t>(1, folder * limits::kManifestsPerFolder));
      if (first <= after) continue;
      auto manifest = Find(first);
      if (manifest.status().Is(ErrorClass::NOT_FOUND)) continue;
      if (!manifest.ok()) return manifest.status();
      if ((*manifest)->checkpoint) return manifest;
    }
    return std::shared_ptr<const Manifest>();
  }

  std::shared_ptr<const Checkpoint> Remembered() {
    std::lock_guard lock(latest_mutex_);
    return latest_;
  }

  const std::shared_ptr<store::FileStore> store_;
  const std::string staging_id_;
  ManifestCache cache_;
  std::mutex latest_mutex_;
  // State below is protected by latest_mutex_.
  std::shared_ptr<const Checkpoint> latest_ = std::make_shared<Checkpoint>();
};

}  // namespace

Result<std::unique_ptr<StagingReader>> StagingReader::Open(
    std::shared_ptr<store::FileStore> store) {
  FRESHET_TRY(std::string staging_id, ReadIdentity(*store));
  return std::unique_ptr<StagingReader>(
      std::make_unique<StoreReader>(std::move(store), std::move(staging_id)));
}

}  // namespace freshet::staging
