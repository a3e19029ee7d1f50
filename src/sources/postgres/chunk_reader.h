// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sources/postgres/connection.h"
#include "sources/postgres/cursor_query.h"
#include "sources/postgres/shared_snapshot.h"
#include "sources/source.h"

namespace freshet::sources::postgres {

/// The sessions that read chunks of one snapshot, used again chunk after chunk, and one that sees
/// the catalog as it is now. Thread-safe.
class ReaderPool {
 public:
  ReaderPool(const Config& config, SharedSnapshot snapshot)
      : config_(config), snapshot_(std::move(snapshot)) {}

  /// Take a session that nobody else uses.
  Result<std::unique_ptr<Connection>> Borrow();
  /// Give it back; one that is not usable any more is closed.
  void Return(std::unique_ptr<Connection> connection);
  /// What the catalog says now about the table, in `SignatureQuery`'s words.
  Result<std::string> SignatureNow(const std::string& query);
  const SharedSnapshot& snapshot() const { return snapshot_; }
  /// Whoever reads gives up.
  void Cancel() { cancelled_ = true; }
  TypeMapping type_mapping() const { return config_.type_mapping; }
  /// The SQL condition of the table's rows that are read; empty: all.
  std::string ConditionOf(const record::TableName& table) const {
    return config_.rules == nullptr ? ""
                                    : AliveCondition(config_.rules->Of(table).deletion_condition);
  }

 private:
  const Config config_;
  const SharedSnapshot snapshot_;
  std::atomic<bool> cancelled_ = false;
  std::mutex mutex_;
  // State below is protected by mutex_.
  std::vector<std::unique_ptr<Connection>> idle_;
  std::mutex now_mutex_;
  // Used under now_mutex_.
  std::unique_ptr<Connection> now_;
};

/// Open one chunk: `chunk.text` is a BlockRange's or a KeyRange's. Errors: SNAPSHOT_STALE,
/// SOURCE_UNREACHABLE, SOURCE_PRIVILEGE, INVALID_ARGUMENT.
Result<std::unique_ptr<ChunkReader>> OpenChunk(std::shared_ptr<ReaderPool> pool,
                                               std::shared_ptr<const record::TableShape> shape,
                                               const Chunk& chunk);

}  // namespace freshet::sources::postgres
