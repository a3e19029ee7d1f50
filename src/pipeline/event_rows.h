// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/record_batch.h>

#include <memory>
#include <span>
#include <vector>

#include "delta/table.h"
#include "pipeline/pipeline_book.h"

namespace freshet::pipeline {

/// The columns of an event log that is a table: a field each of the published PipelineEvent,
/// `details` as JSON text. Source: the published event log schema.
std::vector<delta::Column> EventColumns();

/// Return the events as rows of these columns. What a column has no place for stays in the API's
/// answers alone. Errors: DATA_CORRUPT (an event that is none of ours).
Result<std::shared_ptr<arrow::RecordBatch>> EventRows(std::span<const EventRecord> events);

}  // namespace freshet::pipeline
