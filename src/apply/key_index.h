// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/status.h"
#include "record/ids.h"

namespace freshet::apply {

/// A seeded 128-bit hash of a row's key (keyless: of its whole content).
struct KeyHash {
  uint64_t high = 0, low = 0;
  auto operator<=>(const KeyHash&) const = default;
};

/// Where a row lies: which data file (64-bit hash of its path) and which row of it.
struct RowAddress {
  uint64_t file = 0;
  uint32_t row = 0;
  auto operator<=>(const RowAddress&) const = default;
};

struct IndexEntry {
  KeyHash key;
  RowAddress address;
};

class EntryRuns;

/// (flow, key hash) → addresses: a cache that knows which Delta version it reflects. Losing or
/// lagging it costs time, never rows. An address may be stale: it counts only if its file is live
/// and the row not in its deletion vector. Keyed flows keep one address a key (the newest wins);
/// keyless flows keep all. Thread-safe; one writer a flow.
class KeyIndex {
 public:
  /// Open the RocksDB of a pipeline in a local directory; a damaged one is thrown away and made
  /// anew.
  static Result<std::unique_ptr<KeyIndex>> Open(const std::string& directory);
  virtual ~KeyIndex() = default;

  /// The Delta version and key layout the flow's entries reflect; nothing: no entries.
  struct Mark {
    int64_t version = -1;
    // form of the hashes, table id and key columns: another layout means rebuild
    std::string layout;
    bool operator==(const Mark&) const = default;
  };
  virtual Result<std::optional<Mark>> Version(const record::FlowId& flow) = 0;
  /// Add entries and move the mark in one atomic step. `entries` need not be sorted.
  virtual Status Ingest(const record::FlowId& flow, bool keyless, std::vector<IndexEntry> entries,
                        const Mark& mark) = 0;
  /// The same with any number of entries, in two files at most: a look-up in entries that came
  /// piece by piece asks as many files, and they are merged again and again. REQUIRES: nothing was
  /// read of `entries`. Errors: CANCELLED too; nothing is left of it then.
  virtual Status IngestRuns(const record::FlowId& flow, EntryRuns* entries, const Mark& mark,
                            const std::stop_token& stop) = 0;
  /// Look up keys; the result has one list a key, in the order asked. Sorted input is fastest.
  virtual Result<std::vector<std::vector<RowAddress>>> Find(const record::FlowId& flow,
                                                            bool keyless,
                                                            std::span<const KeyHash> keys) = 0;
  /// Forget entries of a keyless flow whose rows are dead at the version it reflects. Stale ones
  /// cost a look each time their key is asked for; losing this call costs no more than that.
  virtual Status Forget(const record::FlowId& flow, std::span<const IndexEntry> entries) = 0;
  /// Forget a flow.
  virtual Status Reset(const record::FlowId& flow) = 0;
};

}  // namespace freshet::apply
