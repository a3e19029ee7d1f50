// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "apply/data_writer.h"
#include "apply/table_form.h"
#include "delta/deletion_vector.h"
#include "staging/manifest.h"

namespace freshet::apply {

/// Write the living rows of a file as versions in force that began at `began`, or at their
/// sequence. Errors: CANCELLED, as parquet::Reader and DataWriter.
Status WriteAsVersions(const std::shared_ptr<store::FileStore>& store, const std::string& path,
                       const delta::DeletionVector& dead, UtcMicros began, const TableForm& form,
                       const std::stop_token& stop, DataWriter* writer);

/// Write snapshot parts so. Errors: STAGING_EXPIRED (a part is gone).
Result<std::vector<delta::AddFile>> WriteParts(const std::shared_ptr<store::FileStore>& staging,
                                               const std::vector<staging::SnapshotPart>& parts,
                                               UtcMicros taken_at, const TableForm& form,
                                               DataWriter* writer);

/// The actions by which a table's rows become versions in force. REQUIRES: `form` has their
/// columns.
Result<std::vector<delta::Action>> TurnIntoVersions(const delta::Table& table,
                                                    const delta::Snapshot& snapshot,
                                                    UtcMicros began, const TableForm& form,
                                                    int64_t now_ms, const std::stop_token& stop,
                                                    DataWriter* writer);

}  // namespace freshet::apply
