// SPDX-License-Identifier: Apache-2.0
#include "pipeline/inquiry.h"

#include "base/random.h"
#include "pipeline/flow_book.h"
#include "staging/unread.h"
#include "staging/wishes.h"

namespace freshet::pipeline {
namespace {

constexpr int kIdBytes = 8;

}  // namespace

Result<Inquiry> Inquiry::Ask(std::shared_ptr<store::FileStore> staging,
                             const record::PipelineId& pipeline) {
  FRESHET_CHECK_OK(staging::ForgetQuestions(*staging, pipeline));
  staging::Question question{.reader = pipeline, .id = RandomHex(kIdBytes)};
  FRESHET_CHECK_OK(staging::PutQuestion(*staging, question));
  return Inquiry(std::move(staging), std::move(question));
}

Result<std::optional<record::SegmentNumber>> Inquiry::Answer() {
  if (!answer_) {
    FRESHET_TRY(answer_, staging::AnswerTo(*staging_, question_));
  }
  return answer_;
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
