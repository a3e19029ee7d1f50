// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/status.h"
#include "staging/questions.h"

namespace freshet::pipeline {

/// What an update over a gateway asks it: through which segment everything is staged that was
/// committed at the source when the update began. A gateway that is down answers when it is up
/// again. Where tables of the pipeline's could not be looked at, for somebody holds them locked, it
/// asks again for a while. One thread.
class Inquiry {
 public:
  using Selects = std::function<bool(const record::TableName&)>;
  /// Ask; what the pipeline asked before is forgotten. `selects`: which tables are the pipeline's.
  /// Errors: STORE_*.
  static Result<Inquiry> Ask(std::shared_ptr<store::FileStore> staging,
                             const record::PipelineId& pipeline, Clock* clock, Selects selects);
  /// Return the answer to go by; what it leaves out is the pipeline's. Nothing: there is none yet.
  /// Errors: STORE_*, STAGING_CORRUPT.
  Result<std::optional<staging::Answer>> Answer();

 private:
  Inquiry(std::shared_ptr<store::FileStore> staging, record::PipelineId pipeline, Clock* clock,
          Selects selects);
  Status Ask();
  void KeepOwn(staging::Unseen* unseen) const;

  std::shared_ptr<store::FileStore> staging_;
  const record::PipelineId pipeline_;
  Clock* clock_;
  Selects selects_;
  Deadline give_up_at_;
  staging::Question question_;
  std::optional<MonotonicTime> ask_at_;  // not asked until then
  std::optional<staging::Answer> answer_;
};

/// The pipeline reads this staging no more: neither its wishes nor its position hold anything back.
/// Errors: STORE_*.
Status LeaveStaging(store::FileStore& staging, const record::PipelineId& pipeline);

}  // namespace freshet::pipeline
