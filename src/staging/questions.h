// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "staging/manifest.h"
#include "store/file_store.h"

namespace freshet::staging {

/// A reader asks the gateway: through which segment is everything staged that is committed at the
/// source by now? The empty file `questions/<reader>.<id>`; neither part has a dot.
struct Question {
  record::PipelineId reader;
  std::string id;  // random
  auto operator<=>(const Question&) const = default;
};
/// Tables that somebody held locked at the source when they were to be looked at, new ones and
/// perhaps changed ones: what is staged is without them. OK: there were none.
struct Unseen {
  Status why;
  std::vector<record::TableName> tables;  // none: no table could be looked at
};
struct Answer {
  SegmentNumber through;
  Unseen unseen = {};
};
/// Put-if-absent; OK when it was there already. Errors: as FileStore::Put.
Status PutQuestion(store::FileStore& store, const Question& question);
/// Return every question that was not answered, in order.
Result<std::vector<Question>> ListQuestions(store::FileStore& store);
/// Put `answers/<reader>.<id>`, then remove the question. Called again after a crash in between, it
/// leaves the first answer.
Status PutAnswer(store::FileStore& store, const Question& question, const Answer& answer);
/// Return the answer; nothing: there is none yet. Errors: STAGING_CORRUPT.
Result<std::optional<Answer>> AnswerTo(store::FileStore& store, const Question& question);
/// Remove all that the reader ever asked and was told.
Status ForgetQuestions(store::FileStore& store, const record::PipelineId& reader);

}  // namespace freshet::staging
