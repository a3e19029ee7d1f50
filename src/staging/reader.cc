// SPDX-License-Identifier: Apache-2.0
#include "staging/reader.h"

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
      FRESHET_TRY(bool later, AnyAfter(number));
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

  Result<Checkpoint> Latest() override {
    Checkpoint state = Remembered();
    // The first call, and one after a pause so long that segments expired, read the newest full
    // checkpoint.
    Status advanced = state.through.value() == 0
                          ? Error(ErrorClass::STAGING_EXPIRED, "nothing is known yet")
                          : AdvanceToNewest(&state);
    if (advanced.Is(ErrorClass::STAGING_EXPIRED)) {
      FRESHET_TRY(state, ReadState(*store_, staging_id_));
    } else if (!advanced.ok()) {
      return advanced;
    }
    std::lock_guard lock(latest_mutex_);
    if (state.through > latest_.through) latest_ = state;
    return state;
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

  /// Whether any manifest beyond `number` is there.
  Result<bool> AnyAfter(SegmentNumber number) {
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

  Status AdvanceToNewest(Checkpoint* state) {
    while (true) {
      FRESHET_TRY(auto manifests, List(state->through, limits::kApplySegmentsMax));
      for (const auto& manifest : manifests) Advance(*manifest, state);
      if (manifests.size() < static_cast<size_t>(limits::kApplySegmentsMax)) return Status::Ok();
    }
  }

  Checkpoint Remembered() {
    std::lock_guard lock(latest_mutex_);
    return latest_;
  }

  const std::shared_ptr<store::FileStore> store_;
  const std::string staging_id_;
  ManifestCache cache_;
  std::mutex latest_mutex_;
  // State below is protected by latest_mutex_.
  Checkpoint latest_;
};

}  // namespace

Result<std::unique_ptr<StagingReader>> StagingReader::Open(
    std::shared_ptr<store::FileStore> store) {
  FRESHET_TRY(std::string staging_id, ReadIdentity(*store));
  return std::unique_ptr<StagingReader>(
      std::make_unique<StoreReader>(std::move(store), std::move(staging_id)));
}

}  // namespace freshet::staging
