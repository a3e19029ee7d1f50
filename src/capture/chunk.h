// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "sources/source.h"
#include "staging/writer.h"
#include "store/file_store.h"

namespace freshet::capture {

/// One chunk to read for one generation. A value: may cross threads.
struct ChunkTask {
  staging::FlowId flow;
  staging::Generation generation;
  std::shared_ptr<sources::Snapshot> snapshot;
  std::shared_ptr<const record::TableShape> shape;
  sources::Chunk chunk;
  std::stop_token stop;                             // the generation was abandoned
  std::shared_ptr<std::atomic<int64_t>> rows_read;  // of the whole generation, for progress
};

/// What came of it: `parts` are in the store, but exist only once a manifest names them.
struct ChunkResult {
  staging::FlowId flow;
  staging::TableId table;
  staging::Generation generation;
  std::string view;  // the snapshot's handle
  int64_t chunk = 0;
  Status status;
  std::vector<staging::SnapshotPart> parts;
  int64_t rows = 0;
  int64_t values_nulled = 0;
};

/// Read a chunk, encode it and put its part files. When it fails, no part is left behind.
/// Errors: SNAPSHOT_STALE, CANCELLED, the source's, the store's.
ChunkResult ReadChunk(const ChunkTask& task, staging::StagingWriter* writer,
                      store::FileStore* store, const std::stop_token& stop);

/// Return the rows of a plan by the source's estimates; -1: of some it has none.
int64_t EstimatedRows(const std::vector<sources::Chunk>& chunks);
/// Return a plan as a manifest keeps it.
std::vector<std::string> TextsOf(const std::vector<sources::Chunk>& chunks);

}  // namespace freshet::capture
