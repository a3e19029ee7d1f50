// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "record/change.h"
#include "staging/manifest.h"
#include "store/file_store.h"

namespace freshet::staging {

/// Turns what a gateway captured into durable segments. Owned by capture/, used by its one thread;
/// readers of snapshots put their part files themselves (PartPath + FileStore::Put) and hand the
/// entry over.
///
///   loop:  Append(batch) / Note(entry)   collects; full packs are put as they fill
///          Seal(cursor)                  puts the last pack, then the manifest: now the segment
///                                        exists
class StagingWriter {
 public:
  /// Open the staging at the store's root, making it (with a random id) if absent; read its last
  /// state.
  /// Errors: STAGING_CORRUPT, STORE_UNAVAILABLE.
  static Result<std::unique_ptr<StagingWriter>> Open(std::shared_ptr<store::FileStore> store,
                                                     Clock* clock);
  virtual ~StagingWriter() = default;

  virtual const std::string& staging_id() const = 0;
  /// Everything sealed so far, plus what was noted since.
  virtual const Checkpoint& checkpoint() const = 0;
  /// The number the open segment will get.
  virtual SegmentNumber next() const = 0;

  /// Collect a batch. Errors: as FileStore::Put (a full pack is written at once).
  virtual Status Append(const record::ChangeBatch& batch) = 0;
  /// Collect any entry but a ChangeRun; takes effect in `checkpoint()` at once.
  virtual void Note(Entry entry) = 0;
  /// Whether there is anything to seal, and whether it should be sealed at the next commit (size or
  /// age).
  virtual bool dirty() const = 0;
  virtual bool SealDue() const = 0;
  /// Bytes the open segment holds, about.
  virtual size_t open_bytes() const = 0;

  /// Make the open segment durable; after OK every appended row survives a crash.
  /// REQUIRES: no source transaction is open; `cursor` is the last Commit's (or the former one when
  /// nothing was committed since).
  /// Errors: STAGING_FENCED (another gateway owns this number: stop), STORE_UNAVAILABLE, STORE_FULL
  /// (nothing is lost: open again).
  /// Source: docs/formats/staging.md, "Manifest".
  virtual Result<SegmentNumber> Seal(const record::Cursor& cursor, UtcMicros committed_at) = 0;

  /// The runs of changes that the last Seal made durable.
  virtual const std::vector<ChangeRun>& sealed_runs() const = 0;

  /// Return a fresh path for a snapshot part; thread-safe.
  virtual std::string PartPath(const FlowId& flow, const TableId& table, Generation generation,
                               int64_t chunk) = 0;

  /// Remove the segments nobody needs any more, whole folders of manifests at a time, oldest first;
  /// never the folder with the newest full checkpoint. Below `retention` a folder goes only when
  /// every registered reader's floor is past it; beyond `age_max` or `bytes_max` (packs and parts
  /// together) it goes regardless.
  /// Errors: as FileStore; what was removed stays removed.
  struct ExpiryRules {
    std::chrono::microseconds retention = limits::kStagingRetention;
    std::chrono::microseconds age_max = std::chrono::microseconds::max();
    int64_t bytes_max = std::numeric_limits<int64_t>::max();
    // not these, whatever the readers are past
    std::optional<SegmentNumber> keep_from = std::nullopt;
  };
  struct Expired {
    SegmentNumber through;  // the last segment that is gone; 0: none ever
    int64_t segments = 0;   // removed by this call
    bool forced = false;    // a hard limit was reached: a reader may have lost segments
  };
  virtual Result<Expired> Expire(const ExpiryRules& rules) = 0;
};

}  // namespace freshet::staging
