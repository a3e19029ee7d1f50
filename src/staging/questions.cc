// SPDX-License-Identifier: Apache-2.0
#include "staging/questions.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/json.h"
#include "staging/layout.h"
#include "staging/reason.h"

namespace freshet::staging {
namespace {

using nlohmann::json;

std::string PathOf(std::string_view folder, const Question& question) {
  return fmt::format("{}/{}.{}", folder, question.reader.value(), question.id);
}

/// A question read back from a path; nothing when that is not of its form.
std::optional<Question> QuestionIn(std::string_view path) {
  std::string_view name = LastPart(path);
  size_t dot = name.find('.');
  if (dot == 0 || dot == std::string_view::npos || dot + 1 == name.size()) return std::nullopt;
  return Question{.reader = record::PipelineId(std::string(name.substr(0, dot))),
                  .id = std::string(name.substr(dot + 1))};
}

Result<std::vector<Question>> ListIn(store::FileStore& store, std::string_view folder) {
  FRESHET_TRY(auto files, store.List(folder, "", std::numeric_limits<int>::max()));
  std::vector<Question> questions;
  for (const auto& file : files) {
    if (auto question = QuestionIn(file.path)) questions.push_back(*std::move(question));
  }
  std::ranges::sort(questions);
  return questions;
}

json ToJson(const Unseen& unseen) {
  auto tables = json::array();
  for (const auto& name : unseen.tables) tables.push_back({name.schema, name.table});
  json out = ReasonToJson(unseen.why);
  out["tables"] = std::move(tables);
  return out;
}

bool UnseenIn(const json& in, Unseen* unseen) {
  auto why = ReasonIn(in);
  if (!why || !in.value("tables", json()).is_array()) return false;
  unseen->why = *std::move(why);
  for (const auto& name : in["tables"]) {
    bool readable =
        name.is_array() && name.size() == 2 && name[0].is_string() && name[1].is_string();
    if (!readable) return false;
    unseen->tables.push_back({name[0].get<std::string>(), name[1].get<std::string>()});
  }
  return true;
}

}  // namespace

Status PutQuestion(store::FileStore& store, const Question& question) {
  Status put =
      store.Put(PathOf(kQuestionsFolder, question), std::string_view(), store::If::kAbsent);
  return put.Is(ErrorClass::ALREADY_EXISTS) ? Status::Ok() : put;
}

Result<std::vector<Question>> ListQuestions(store::FileStore& store) {
  return ListIn(store, kQuestionsFolder);
}

Status PutAnswer(store::FileStore& store, const Question& question, const Answer& answer) {
  json out = {{"through", answer.through.value()}};
  if (!answer.unseen.why.ok()) out["unseen"] = ToJson(answer.unseen);
  Status put = store.Put(PathOf(kAnswersFolder, question), JsonText(out), store::If::kAbsent);
  if (!put.ok() && !put.Is(ErrorClass::ALREADY_EXISTS)) return put;
  return store.Remove(PathOf(kQuestionsFolder, question));
}

Result<std::optional<Answer>> AnswerTo(store::FileStore& store, const Question& question) {
  auto path = PathOf(kAnswersFolder, question);
  auto text = store.Get(path, 0, -1);
  if (text.status().Is(ErrorClass::NOT_FOUND)) return std::optional<Answer>();
  if (!text.ok()) return text.status();
  json in = ParseJson<json>(**text);
  if (!in.is_object() || !in.value("through", json()).is_number_integer())
    return Error(ErrorClass::STAGING_CORRUPT, "an answer is not readable: {}", path);
  Answer answer{.through = SegmentNumber(in["through"].get<int64_t>())};
  if (in.contains("unseen") && !UnseenIn(in["unseen"], &answer.unseen))
    return Error(ErrorClass::STAGING_CORRUPT, "an answer is not readable: {}", path);
  return std::optional(std::move(answer));
}

Status ForgetQuestions(store::FileStore& store, const record::PipelineId& reader) {
  for (std::string_view folder : {kQuestionsFolder, kAnswersFolder}) {
    FRESHET_TRY(auto questions, ListIn(store, folder));
    for (const auto& question : questions) {
      if (question.reader == reader) FRESHET_CHECK_OK(store.Remove(PathOf(folder, question)));
    }
  }
  return Status::Ok();
}

}  // namespace freshet::staging
