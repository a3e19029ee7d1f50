// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "staging/manifest.h"
#include "store/file_store.h"

namespace freshet::staging {

/// Reads segments; any number of readers beside one writer. Thread-safe.
class StagingReader {
 public:
  /// Errors: NOT_FOUND (no staging yet), STAGING_CORRUPT.
  static Result<std::unique_ptr<StagingReader>> Open(std::shared_ptr<store::FileStore> store);
  virtual ~StagingReader() = default;

  virtual const std::string& staging_id() const = 0;
  /// Return the manifests after `after` in order, at most `limit`; fewer when there are no more
  /// yet.
  /// Errors: STAGING_EXPIRED (the one right after `after` is gone), STAGING_CORRUPT.
  virtual Result<std::vector<std::shared_ptr<const Manifest>>> List(SegmentNumber after,
                                                                    int limit) = 0;
  /// Return the state through the last manifest there is now (through = 0: none yet).
  virtual Result<std::shared_ptr<const Checkpoint>> Latest() = 0;
  /// Return where a flow of `table` goes on, that is past `after` and whose next segment expired:
  /// right before the oldest full manifest beyond, if that says that nothing in between touches the
  /// table.
  /// Errors: STAGING_EXPIRED (something does, or there is no such manifest), STAGING_CORRUPT.
  virtual Result<SegmentNumber> PastGap(const TableId& table, SegmentNumber after) = 0;
  /// Read a run's rows (ChangeSchema's form). Errors: STAGING_EXPIRED (the pack is gone: never "no
  /// rows"), STAGING_CORRUPT.
  virtual Result<std::vector<std::shared_ptr<arrow::RecordBatch>>> Read(const Manifest& manifest,
                                                                        const ChangeRun& run) = 0;
  /// The store the parts and packs lie in, for adopting a part as it is.
  virtual const std::shared_ptr<store::FileStore>& store() const = 0;
};

}  // namespace freshet::staging
