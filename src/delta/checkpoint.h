// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "delta/log.h"
#include "delta/replay.h"
#include "parquet/encoder.h"

/// Source: Delta protocol, "Checkpoints": "V1 Spec", "V2 Spec", "Checkpoint Schema".
namespace freshet::delta {

/// Fold a checkpoint, classic or multi-part or V2 with its sidecars, into a replay.
/// Errors: NOT_FOUND, DATA_CORRUPT, DELTA_CORRUPT.
Status ReadCheckpoint(const std::shared_ptr<store::FileStore>& table, const CheckpointFiles& files,
                      Replay* replay);

struct EncodedCheckpoint {
  parquet::EncodedFile file;
  int64_t actions = 0, adds = 0;
};
/// Encode a state as a classic-named checkpoint in one file: the V1 form; with `checkpointMetadata`
/// added, and so a V2 one, where the table's protocol asks for that.
Result<EncodedCheckpoint> EncodeCheckpoint(const Snapshot& snapshot);

}  // namespace freshet::delta
