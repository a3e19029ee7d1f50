// SPDX-License-Identifier: Apache-2.0
#include "capture/answers.h"

#include <algorithm>
#include <iterator>

namespace freshet::capture {

Status Answers::Poll() {
  FRESHET_TRY(heard_, staging::ListQuestions(*context_.staging));
  // Those that are being answered stand until they are.
  std::erase_if(heard_, [&](const auto& question) {
    return std::ranges::find(asked_, question) != asked_.end();
  });
  return Status::Ok();
}

Status Answers::Ask() {
  FRESHET_TRY(ticket_, fence_->Ask());
  asked_ = std::exchange(heard_, {});
  left_out_ = unseen_;
  return Status::Ok();
}

Status Answers::Give(staging::SegmentNumber through, const staging::Unseen& unseen) {
  const bool saw_none = !left_out_.why.ok() && left_out_.tables.empty();
  if (!saw_none && !unseen.why.ok()) {
    if (left_out_.why.ok()) left_out_.why = unseen.why;
    std::ranges::copy_if(
        unseen.tables, std::back_inserter(left_out_.tables), [&](const auto& each) {
          return std::ranges::find(left_out_.tables, each) == left_out_.tables.end();
        });
  }
  for (const auto& question : asked_)
    FRESHET_CHECK_OK(
        staging::PutAnswer(*context_.staging, question, {.through = through, .unseen = left_out_}));
  asked_.clear();
  ticket_.reset();
  return Status::Ok();
}

}  // namespace freshet::capture
