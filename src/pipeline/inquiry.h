// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "base/status.h"
#include "staging/questions.h"

namespace freshet::pipeline {

/// What an update over a gateway asks it: through which segment everything is staged that was
/// committed at the source when the update began. A gateway that is down answers when it is up
/// again. One thread.
class Inquiry {
 public:
  /// Ask; what the pipeline asked before is forgotten. Errors: STORE_*.
  static Result<Inquiry> Ask(std::shared_ptr<store::FileStore> staging,
                             const record::PipelineId& pipeline);
  /// Nothing: it was not answered yet. Errors: STORE_*, STAGING_CORRUPT.
  Result<std::optional<record::SegmentNumber>> Answer();

 private:
  Inquiry(std::shared_ptr<store::FileStore> staging, staging::Question question)
      : staging_(std::move(staging)), question_(std::move(question)) {}
  std::shared_ptr<store::FileStore> staging_;
  staging::Question question_;
  std::optional<record::SegmentNumber> answer_;
};

/// The pipeline reads this staging no more: neither its wishes nor its position hold anything back.
/// Errors: STORE_*.
Status LeaveStaging(store::FileStore& staging, const record::PipelineId& pipeline);

}  // namespace freshet::pipeline
