// SPDX-License-Identifier: Apache-2.0
#include "pipeline/follower_log.h"

#include "pipeline/event_line.h"
#include "pipeline/event_log.h"
#include "pipeline/flow_book.h"

namespace freshet::pipeline {

Result<std::optional<std::string>> FollowerLog::UpdateOf(const PipelineRecord& pipeline,
                                                         const record::Event& event) {
  FRESHET_TRY(auto active, book_->Active(pipeline.id));
  const auto flow = TextOf(event, "flow");
  const bool begins = event.name == "snapshot_started";
  if (begins) unasked_.erase(flow);
  if (active) return std::optional(active->id);
  // Tables without a log are read again and again, asked or not: that would fill the logs of
  // pipelines that seldom run.
  if (begins && NumberOf(event, "difference") != 0) unasked_.insert(flow);
  if (unasked_.contains(flow)) return std::optional<std::string>();
  FRESHET_TRY(auto last, book_->Updates(pipeline.id, 1, 0));
  return last.empty() ? std::nullopt : std::optional(last[0].id);
}

Status FollowerLog::Tell(const std::vector<Follower>& followers, const record::Event& event) {
  const bool read = event.name == "snapshot_started" || event.name == "snapshot_progress" ||
                    event.name == "snapshot_completed";
  const bool unread = event.name == "table_unread";
  if (!read && !unread) return Status::Ok();
  const record::FlowId flow(TextOf(event, "flow"));
  for (const auto& [pipeline, definition] : followers) {
    if (!IsFlowOf(record::PipelineId(pipeline.id), flow)) continue;
    // An update that ends says it itself.
    if (unread && !pipeline.continuous) continue;
    FRESHET_TRY(auto update, UpdateOf(pipeline, event));
    if (!update) continue;
    EventLog log(book_, pipeline, *update);
    FRESHET_CHECK_OK(log.Take(event));
  }
  return Status::Ok();
}

}  // namespace freshet::pipeline
