// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pipeline/flow_book.h"
#include "pipeline/pattern.h"
#include "record/ids.h"
#include "store/file_store.h"

namespace freshet::pipeline {

/// A table that was asked to be read again.
struct RefreshAsked {
  record::TableName table;
  record::FlowId flow;
  record::Generation generation;  // the one that is to come, or is on its way
  bool anew = false;              // false: a refresh of it was under way already
};

/// Ask for a new generation of every table of the pipeline that a pattern matches, by a wish: it
/// stands until a gateway has begun it, whatever crashes. A table whose first generation is still
/// to come, or which is being read again, is not asked for another time. One that broke is mended
/// by it, if its source allows. Without staging there is nothing to ask for.
/// Errors: STORE_*, STAGING_CORRUPT, DELTA_*.
Result<std::vector<RefreshAsked>> AskForRefresh(const std::shared_ptr<store::FileStore>& root,
                                                const FlowBook& book,
                                                const record::PipelineId& pipeline,
                                                const std::vector<TablePattern>& patterns);

/// Return the patterns, as written, that match none of `names`.
std::vector<std::string> UnmatchedPatterns(const std::vector<TablePattern>& patterns,
                                           const std::vector<record::TableName>& names);

}  // namespace freshet::pipeline
