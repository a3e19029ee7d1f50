// SPDX-License-Identifier: Apache-2.0
#include "pipeline/inquiry.h"

#include "base/random.h"
#include "pipeline/flow_book.h"
#include "staging/unread.h"
#include "staging/wishes.h"

namespace freshet::pipeline {
namespace {

constexpr int kIdBytes = 8;
/// Between two questions while a table is locked, and how long they go on: as long as a run without
/// a gateway tries again.
constexpr std::chrono::seconds kAskInterval{1}, kAskMax{120};

}  // namespace

Inquiry::Inquiry(std::shared_ptr<store::FileStore> staging, record::PipelineId pipeline,
                 Clock* clock, Selects selects)
    : staging_(std::move(staging)),
      pipeline_(std::move(pipeline)),
      clock_(clock),
      selects_(std::move(selects)),
      give_up_at_(clock->Now() + kAskMax) {}

Result<Inquiry> Inquiry::Ask(std::shared_ptr<store::FileStore> staging,
                             const record::PipelineId& pipeline, Clock* clock, Selects selects) {
  Inquiry inquiry(std::move(staging), pipeline, clock, std::move(selects));
  FRESHET_CHECK_OK(inquiry.Ask());
  return inquiry;
}

Status Inquiry::Ask() {
  ask_at_.reset();
  FRESHET_CHECK_OK(staging::ForgetQuestions(*staging_, pipeline_));
  question_ = {.reader = pipeline_, .id = RandomHex(kIdBytes)};
  return staging::PutQuestion(*staging_, question_);
}

void Inquiry::KeepOwn(staging::Unseen* unseen) const {
  if (unseen->tables.empty()) return;
  std::erase_if(unseen->tables, [&](const auto& name) { return !selects_(name); });
  if (unseen->tables.empty()) unseen->why = Status::Ok();
}

Result<std::optional<staging::Answer>> Inquiry::Answer() {
  if (answer_) return answer_;
  if (ask_at_) {
    if (clock_->Now() >= *ask_at_) FRESHET_CHECK_OK(Ask());
    return std::optional<staging::Answer>();
  }
  FRESHET_TRY(auto answer, staging::AnswerTo(*staging_, question_));
  if (!answer) return answer;
  KeepOwn(&answer->unseen);
  if (answer->unseen.why.ok() || clock_->Now() >= give_up_at_) {
    answer_ = std::move(answer);
    return answer_;
  }
  ask_at_ = clock_->Now() + kAskInterval;
  return std::optional<staging::Answer>();
}

Status LeaveStaging(store::FileStore& staging, const record::PipelineId& pipeline) {
  FRESHET_TRY(auto wishes, staging::ListWishes(staging));
  for (const auto& wish : wishes) {
    if (IsFlowOf(pipeline, wish.flow)) FRESHET_CHECK_OK(staging::RemoveWish(staging, wish));
  }
  FRESHET_CHECK_OK(staging::ForgetQuestions(staging, pipeline));
  FRESHET_TRY(auto unread, staging::ListUnread(staging));
  for (const auto& key : unread) {
    if (IsFlowOf(pipeline, key.flow)) FRESHET_CHECK_OK(staging::ForgetUnread(staging, key));
  }
  // Last: it is what a second try looks at.
  return staging::RemoveReader(staging, pipeline);
}

}  // namespace freshet::pipeline
