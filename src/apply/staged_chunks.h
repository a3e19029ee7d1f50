// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "apply/table_form.h"
#include "staging/reader.h"

namespace freshet::apply {

/// The chunks of one generation that one commit takes from staging.
struct StagedChunks {
  record::SegmentNumber through;  // these are all of the generation's chunks up to it
  std::vector<staging::SnapshotPart> parts;
  bool ended = false;  // the generation is complete with them
};

/// Collect the parts of the flow's generation in the segments (after, through], at most about
/// limits::kApplyPartsMax. Errors: STAGING_EXPIRED, STAGING_CORRUPT.
Result<StagedChunks> ScanChunks(staging::StagingReader* staging, const record::TableId& table,
                                const record::FlowId& flow, record::Generation generation,
                                record::SegmentNumber after, record::SegmentNumber through);

/// All of the generation's parts up to `through`, however many.
/// Errors: as ScanChunks.
Result<StagedChunks> ScanAllChunks(staging::StagingReader* staging,
                                   const staging::GenerationBegun& begun,
                                   record::SegmentNumber through);

/// The shape of the table that has this version.
/// Errors: STAGING_EXPIRED (no segment that is left knows it).
Result<record::TableShape> FindShape(staging::StagingReader* staging,
                                     const staging::GenerationBegun& begun,
                                     const staging::TableState& newest);

/// Where snapshot parts come from and go to.
struct Adoption {
  store::FileStore* staging = nullptr;
  std::shared_ptr<store::FileStore> table;
  store::FileStore* root = nullptr;  // may be null: see TableApplier::Context
  std::string staging_prefix, table_prefix;
};
/// Make a snapshot part a data file of the table, as it is, and return its add action. Doing it
/// again finds the file there. Errors: STAGING_EXPIRED (the part is gone), STAGING_CORRUPT.
Result<delta::AddFile> AdoptPart(const Adoption& adoption, const staging::SnapshotPart& part,
                                 const std::vector<delta::Column>& columns, int64_t now_ms);

}  // namespace freshet::apply
