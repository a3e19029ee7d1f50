// SPDX-License-Identifier: Apache-2.0
#include "client/run_command.h"

#include <algorithm>
#include <limits>

#include "client/legible.h"
#include "client/log_tail.h"
#include "client/server_error.h"
#include "client/watch.h"

namespace freshet::client {
namespace {

using Action = Command::Action;
using Kind = Argument::Kind;
using Place = Argument::Place;
using Shape = Command::Shape;

/// Every user of a machine sees what its processes were started with.
bool LooksSecret(std::string_view name) {
  std::string lower;
  for (char c : name) lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  for (const auto* word :
       {"password", "passwd", "secret", "token", "private", "keyjson", "pvtkey"}) {
    if (lower.find(word) != std::string::npos) return true;
  }
  return false;
}

Status SeenByAll(std::string_view argument, std::string_view name) {
  return Error(ErrorClass::INVALID_ARGUMENT,
               "{} {}: a secret on the command line is seen by every user of this machine",
               argument, Legible(name));
}

/// Put what stands in files in the place of `NAME=@FILE`.
Status ReadFiles(const Command& command, Given* given, Surroundings* surroundings) {
  for (const auto& argument : command.arguments) {
    if (argument.kind != Kind::kPairs || !given->Has(argument.name)) continue;
    auto texts = given->All(argument.name);
    for (auto& text : texts) {
      auto equals = text.find('=');
      if (equals == std::string::npos) continue;
      auto name = text.substr(0, equals), value = text.substr(equals + 1);
      if (value.starts_with('@')) {
        FRESHET_TRY(auto content, surroundings->Read(value.substr(1)));
        while (content.ends_with('\n') || content.ends_with('\r')) content.pop_back();
        text = name + "=" + content;
      } else if (argument.field == "options" && LooksSecret(name)) {
        return SeenByAll(argument.name, name)
            .WithRemedy(fmt::format("{} {}=@FILE takes it from a file, {}=@- from standard input.",
                                    argument.name, name, name));
      }
    }
    given->Set(argument.name, std::move(texts));
  }
  return Status::Ok();
}

/// `{…}`, `@FILE` or `-`; nothing: it was not given.
Result<std::optional<Json>> WholeOf(const Command& command, const Given& given,
                                    Surroundings* surroundings) {
  for (const auto& argument : command.arguments) {
    if (argument.place != Place::kWhole || !given.Has(argument.name)) continue;
    auto text = given.Text(argument.name);
    const bool elsewhere = text == "-" || text.starts_with('@');
    if (elsewhere) {
      FRESHET_TRY(text, surroundings->Read(text == "-" ? text : text.substr(1)));
    }
    auto json = ParseJson<Json>(text);
    if (json.is_discarded())
      return Error(ErrorClass::INVALID_ARGUMENT, "{} is not JSON", argument.name);
    if (const auto* options = At(json, "options"); !elsewhere && options != nullptr) {
      for (const auto& [name, value] : options->items()) {
        if (!LooksSecret(name)) continue;
        return SeenByAll(argument.name, name)
            .WithRemedy(fmt::format("{0} @FILE takes all of it from a file, {0} - from standard "
                                    "input.",
                                    argument.name));
      }
    }
    return std::optional(std::move(json));
  }
  return std::optional<Json>();
}

bool LooksLikeId(std::string_view text) {
  constexpr size_t kUuidSize = 36;
  return text.size() == kUuidSize && std::ranges::all_of(text, [](char c) {
           return c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Status NamePipeline(const Command& command, Given* given, Api* api) {
  for (const auto& argument : command.arguments) {
    if (argument.kind != Kind::kPipeline) continue;
    FRESHET_TRY(auto id, PipelineNamed(api, given->Text(argument.name)));
    given->Set(argument.name, {id});
  }
  return Status::Ok();
}

std::string WithQuery(std::string target, std::string_view name, std::string_view value) {
  target += target.find('?') == std::string::npos ? '?' : '&';
  return target + std::string(name) + "=" + Encoded(value);
}

/// What `items` of an answer are.
Result<const Json*> ListIn(const Json& answer, const std::string& items) {
  static const Json kNone = Json::array();
  const auto* list = At(answer, items);
  if (list == nullptr) return &kNone;
  if (list->is_array()) return list;
  return Refused("the server's answer has no list of {}", items);
}

/// The rows of all pages. Source: the published lists: one ends where no token is returned, and may
/// have empty pages before.
Result<Json> AllPages(const Command& command, const Call& call, int64_t limit, Api* api) {
  auto all = Json::array();
  auto page = call;
  while (true) {
    FRESHET_TRY(auto answer, api->Send(page));
    FRESHET_TRY(const auto* list, ListIn(answer, command.items));
    for (const auto& each : *list) {
      if (static_cast<int64_t>(all.size()) == limit) return all;
      all.push_back(each);
    }
    auto token = TextIn(answer, "next_page_token");
    if (token.empty()) return all;
    page.target = WithQuery(call.target, "page_token", token);
  }
}

std::vector<const Json*> RowsOf(const Json& list) {
  std::vector<const Json*> rows;
  for (const auto& each : list) rows.push_back(&each);
  return rows;
}

/// What was done where the answer has nothing to say.
std::string DoneText(const Command& command, const Given& given) {
  for (const auto& argument : command.arguments) {
    if (argument.required && argument.kind != Kind::kJson)
      return fmt::format("{} {}\n", command.done, Legible(given.Text(argument.name)));
  }
  return command.done + "\n";
}

Result<std::string> TextOf(const Command& command, const Given& given, const Json& answer) {
  if (answer.empty() && !command.done.empty()) return DoneText(command, given);
  if (command.shape == Shape::kObject) {
    const auto* shown = command.items.empty() ? &answer : At(answer, command.items);
    // A pipeline that was only checked has none of what one is shown by.
    bool known = shown != nullptr && std::ranges::any_of(command.columns, [&](const auto& column) {
                   return At(*shown, column.field) != nullptr;
                 });
    return FieldsText(known ? command.columns : std::vector<Column>(), shown ? *shown : answer);
  }
  FRESHET_TRY(const auto* list, ListIn(answer, command.shape == Shape::kList ? "" : command.items));
  return TableText(command.columns, RowsOf(*list));
}

/// What the answer's own verdict says, by the first of its findings that counts.
Status VerdictOf(const Command& command, const Json& answer) {
  const auto* verdict = command.verdict.empty() ? nullptr : At(answer, command.verdict);
  if (verdict == nullptr || *verdict != false) return Status::Ok();
  FRESHET_TRY(const auto* list, ListIn(answer, command.items));
  for (const auto& finding : *list) {
    auto error_class = ErrorClassOf(TextIn(finding, "error_class"));
    if (TextIn(finding, "table").empty() && error_class) {
      return MakeError(*error_class, "nothing can be ingested as it is")
          .WithRemedy("What is said above mends it.");
    }
  }
  return Refused("nothing can be ingested as it is");
}

/// Levels and updates are conditions like others.
Status AddConditions(Given* given) {
  auto filter = given->Text("--filter");
  for (const auto& [name, field] :
       {std::pair("--level", "level"), std::pair("--update", "update_id")}) {
    if (!given->Has(name)) continue;
    auto value = given->Text(name);
    if (value.find('\'') != std::string::npos)
      return Error(ErrorClass::INVALID_ARGUMENT, "{} is none: '{}'", name, Legible(value));
    filter += fmt::format("{}{} = '{}'", filter.empty() ? "" : " AND ", field, value);
  }
  if (!filter.empty()) given->Set("--filter", {filter});
  return Status::Ok();
}

/// `said`: what was given, before names became ids.
Status Request(const Command& command, const Given& said, const Given& given, Format format,
               Api* api, Surroundings* surroundings, Json* answer) {
  FRESHET_TRY(auto whole, WholeOf(command, given, surroundings));
  FRESHET_TRY(auto call, CallOf(command, given, whole));
  if (command.shape == Shape::kList) {
    auto limit = std::numeric_limits<int64_t>::max();
    if (given.Has("--limit")) {
      FRESHET_TRY(limit, NumberOf("--limit", given.Text("--limit")));
    }
    FRESHET_TRY(*answer, AllPages(command, call, limit, api));
  } else {
    FRESHET_TRY(*answer, api->Send(call));
  }
  // Of an update that is watched only the watching is shown.
  if (command.action == Action::kStart && given.Has("--wait")) return Status::Ok();
  if (format == Format::kJson) {
    surroundings->Print(PrintedJson(*answer));
  } else {
    FRESHET_TRY(auto text, TextOf(command, said, *answer));
    surroundings->Print(text);
    if (command.shape == Shape::kListIn && At(*answer, "next_page_token") != nullptr)
      surroundings->Note("there are more: choose some with --tables\n");
  }
  return VerdictOf(command, *answer);
}

Outcome Watched(const Given& given, const std::string& update, Format format, Api* api,
                Surroundings* surroundings) {
  return Watch({.pipeline = given.Text("PIPELINE"),
                .update = update,
                .lines_of_json = format == Format::kJson},
               api, surroundings);
}

}  // namespace

Result<std::string> PipelineNamed(Api* api, const std::string& text) {
  if (LooksLikeId(text)) return text;
  if (text.empty()) return Error(ErrorClass::INVALID_ARGUMENT, "PIPELINE is no name: ''");
  // A quote cannot be said in a pattern, and a wildcard finds more than it: the names decide.
  std::string target = "/api/2.0/pipelines?max_results=100";
  if (text.find('\'') == std::string::npos)
    target = WithQuery(target, "filter", fmt::format("name LIKE '{}'", text));
  Command list{.items = "statuses"};
  FRESHET_TRY(auto found, AllPages(list, {.method = "GET", .target = target},
                                   std::numeric_limits<int64_t>::max(), api));
  std::vector<std::string> ids;
  for (const auto& each : found) {
    if (TextIn(each, "name") == text) ids.push_back(TextIn(each, "pipeline_id"));
  }
  if (ids.size() == 1) return ids[0];
  if (ids.empty()) {
    return Error(ErrorClass::NOT_FOUND, "there is no pipeline '{}', or none that you may see",
                 Legible(text))
        .WithRemedy("'freshet pipelines list' lists them.");
  }
  return Error(ErrorClass::INVALID_ARGUMENT, "{} pipelines are called '{}'", ids.size(),
               Legible(text))
      .WithRemedy(fmt::format("Name one by its id: {}", fmt::join(ids, ", ")));
}

Outcome RunCommand(const Command& command, const Given& given, Format format, Api* api,
                   Surroundings* surroundings) {
  auto complete = given;
  auto prepare = [&]() -> Status {
    FRESHET_CHECK_OK(ReadFiles(command, &complete, surroundings));
    FRESHET_CHECK_OK(NamePipeline(command, &complete, api));
    return command.verb == "list-pipeline-events" ? AddConditions(&complete) : Status::Ok();
  };
  if (auto prepared = prepare(); !prepared.ok()) return {prepared};
  if (command.action == Action::kWatch)
    return Watched(complete, complete.Text("--update"), format, api, surroundings);
  if (command.action == Action::kLogs) {
    return TailLog({.pipeline = complete.Text("PIPELINE"),
                    .name = complete.Text("--name"),
                    .update = complete.Text("--update"),
                    .follow = complete.Has("--follow"),
                    .lines_of_json = format == Format::kJson},
                   api, surroundings);
  }
  Json answer;
  auto status = Request(command, given, complete, format, api, surroundings, &answer);
  if (!status.ok() || command.action != Action::kStart || !complete.Has("--wait")) return {status};
  return Watched(complete, TextIn(answer, "update_id"), format, api, surroundings);
}

}  // namespace freshet::client
