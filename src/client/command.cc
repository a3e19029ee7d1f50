// SPDX-License-Identifier: Apache-2.0
#include "client/command.h"

#include <array>
#include <charconv>
#include <iterator>
#include <utility>

#include "client/legible.h"

namespace freshet::client {
namespace {

using Kind = Argument::Kind;
using Place = Argument::Place;

Status Wrong(const Argument& argument, std::string_view why, std::string_view text) {
  return Error(ErrorClass::INVALID_ARGUMENT, "{} {}: '{}'", argument.name, why, Legible(text));
}

Result<Json> PairsOf(const Argument& argument, const std::vector<std::string>& texts) {
  auto pairs = Json::object();
  for (const auto& text : texts) {
    auto equals = text.find('=');
    // It is not shown: it may be a secret.
    if (equals == 0 || equals == std::string::npos)
      return Error(ErrorClass::INVALID_ARGUMENT, "{} is not NAME=VALUE", argument.name);
    pairs[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return pairs;
}

Json ListOf(const std::vector<std::string>& texts) {
  auto list = Json::array();
  for (const auto& text : texts) list.push_back(text);
  return list;
}

Result<Json> ValueOf(const Argument& argument, const Given& given) {
  const auto& texts = given.All(argument.name);
  switch (argument.kind) {
    case Kind::kFlag:
      return Json(argument.flag == "true");
    case Kind::kNumber: {
      FRESHET_TRY(auto number, NumberOf(argument.name, texts.at(0)));
      return Json(number);
    }
    case Kind::kList:
      return ListOf(texts);
    case Kind::kPairs:
      return PairsOf(argument, texts);
    default:
      return Json(texts.at(0));
  }
}

std::string QueryText(const Argument& argument, const Given& given) {
  return argument.kind == Kind::kFlag ? argument.flag : given.Text(argument.name);
}

/// Put what stands for a `{field}` in its place.
Status FillPath(const Argument& argument, const Given& given, std::string* path) {
  auto text = given.Text(argument.name);
  // An empty part would be another path: that of the list.
  if (text.empty() || text == "." || text == "..") return Wrong(argument, "is no name", text);
  auto at = path->find("{" + argument.field + "}");
  FRESHET_ASSERT(at != std::string::npos);
  path->replace(at, argument.field.size() + 2, Encoded(text));
  return Status::Ok();
}

/// Set a field that may lie within others: `changes.0.add`.
void SetIn(Json* body, std::string_view path, Json value) {
  auto* at = body;
  while (!path.empty()) {
    auto end = path.find('.');
    auto part = path.substr(0, end);
    path = end == std::string_view::npos ? std::string_view() : path.substr(end + 1);
    if (part == "0") {
      if (!at->is_array()) *at = Json::array();
      if (at->empty()) at->push_back(Json::object());
      at = &at->front();
    } else {
      if (!at->is_object()) *at = Json::object();
      at = &(*at)[std::string(part)];
    }
  }
  *at = std::move(value);
}

}  // namespace

std::string Given::Text(const std::string& name) const {
  auto found = values_.find(name);
  return found == values_.end() || found->second.empty() ? "" : found->second[0];
}

Result<int64_t> NumberOf(const std::string& name, const std::string& text) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= 0) return number;
  return Error(ErrorClass::INVALID_ARGUMENT, "{} is not a number of 0 or more: '{}'", name,
               Legible(text));
}

Result<Call> CallOf(const Command& command, const Given& given, const std::optional<Json>& whole) {
  if (whole && !whole->is_object())
    return Error(ErrorClass::INVALID_ARGUMENT, "--json is not an object");
  auto path = command.path;
  std::string query;
  auto body = whole.value_or(Json::object());
  for (const auto& argument : command.arguments) {
    if (!given.Has(argument.name)) continue;
    if (argument.place == Place::kPath) {
      FRESHET_CHECK_OK(FillPath(argument, given, &path));
    } else if (argument.place == Place::kQuery) {
      query += fmt::format("{}{}={}", query.empty() ? "?" : "&", argument.field,
                           Encoded(QueryText(argument, given)));
    } else if (argument.place == Place::kBody) {
      FRESHET_TRY(auto value, ValueOf(argument, given));
      SetIn(&body, argument.field, std::move(value));
    }
  }
  if (command.method == "PATCH" && body.empty()) {
    return Error(ErrorClass::INVALID_ARGUMENT, "nothing is said that would change")
        .WithRemedy(
            fmt::format("freshet {} {} --help says what can.", command.resource, command.verb));
  }
  Call call{.method = command.method, .target = path + query};
  if (call.method != "GET" && call.method != "DELETE") call.body = std::move(body);
  return call;
}

Argument InPath(std::string name, std::string field, std::string meaning) {
  return {.name = std::move(name),
          .meaning = std::move(meaning),
          .place = Place::kPath,
          .field = std::move(field),
          .required = true};
}

Argument ThePipeline() {
  auto argument = InPath("PIPELINE", "id", "its id or its name");
  argument.kind = Kind::kPipeline;
  return argument;
}

Argument InQuery(std::string name, std::string field, std::string value_name, std::string meaning) {
  return {.name = std::move(name),
          .meaning = std::move(meaning),
          .place = Place::kQuery,
          .field = std::move(field),
          .value_name = std::move(value_name)};
}

Argument InBody(std::string name, std::string field, std::string value_name, std::string meaning) {
  auto argument =
      InQuery(std::move(name), std::move(field), std::move(value_name), std::move(meaning));
  argument.place = Place::kBody;
  argument.required = !argument.name.starts_with("--");
  return argument;
}

Argument Flag(Place place, std::string name, std::string field, std::string meaning) {
  return {.name = std::move(name),
          .meaning = std::move(meaning),
          .place = place,
          .field = std::move(field),
          .kind = Kind::kFlag};
}

Argument WholeBody(bool required, std::string meaning) {
  return {.name = "--json",
          .meaning = std::move(meaning) + ": JSON, @FILE, or - for standard input",
          .place = Place::kWhole,
          .kind = Kind::kJson,
          .required = required,
          .value_name = "JSON"};
}

Argument Limit() {
  return {.name = "--limit",
          .meaning = "no more than so many",
          .kind = Kind::kNumber,
          .value_name = "NUMBER"};
}

std::vector<Command> AllCommands() {
  std::vector<Command> all;
  for (auto* commands :
       {PipelineCommands, UpdateCommands, ConnectionCommands, CatalogCommands, AccessCommands}) {
    auto some = commands();
    std::move(some.begin(), some.end(), std::back_inserter(all));
  }
  return all;
}

std::string_view SummaryOf(std::string_view resource) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kSummaries{{
      {"pipelines", "pipelines and gateways, their updates and events"},
      {"connections", "how its sources are reached"},
      {"catalogs", "catalogs"},
      {"schemas", "schemas of catalogs"},
      {"tables", "the tables that it keeps"},
      {"volumes", "volumes"},
      {"grants", "who may do what"},
      {"tokens", "one's own access tokens"},
  }};
  for (const auto& [name, summary] : kSummaries) {
    if (name == resource) return summary;
  }
  return "";
}

}  // namespace freshet::client
