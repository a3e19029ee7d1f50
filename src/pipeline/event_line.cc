// SPDX-License-Identifier: Apache-2.0
#include "pipeline/event_line.h"

#include <fstream>

#include "base/json.h"

namespace freshet::pipeline {
namespace {

using Json = nlohmann::ordered_json;
using record::Event;

const Event::Value* Find(const Event& event, std::string_view field) {
  for (const auto& [name, value] : event.fields) {
    if (name == field) return &value;
  }
  return nullptr;
}

Result<Event::Value> ValueOf(const Json& json) {
  if (json.is_boolean()) return Event::Value(json.get<bool>());
  if (json.is_number_integer()) return Event::Value(json.get<int64_t>());
  if (json.is_number()) return Event::Value(json.get<double>());
  if (json.is_string()) return Event::Value(json.get<std::string>());
  return Error(ErrorClass::INVALID_ARGUMENT, "an event's field is nested");
}

std::string_view RetryName(Retry retry) {
  switch (retry) {
    case Retry::kBackoff:
      return "backoff";
    case Retry::kAfterReset:
      return "after_reset";
    case Retry::kNever:
      break;
  }
  return "never";
}

}  // namespace

std::string ToLine(const Event& event) {
  Json json;
  json["event"] = event.name;
  for (const auto& [name, value] : event.fields) {
    std::visit([&, &field = name](const auto& held) { json[field] = held; }, value);
  }
  return JsonText(json) + "\n";
}

Result<Event> EventFromLine(std::string_view line) {
  auto json = ParseJson<Json>(line);
  if (!json.is_object() || !json.contains("event") || !json["event"].is_string()) {
    return Error(ErrorClass::INVALID_ARGUMENT, "not an event's line: {}", line.substr(0, 200));
  }
  Event event;
  for (const auto& [name, value] : json.items()) {
    if (name == "event") {
      event.name = value.get<std::string>();
      continue;
    }
    FRESHET_TRY(auto held, ValueOf(value));
    event.fields.emplace_back(name, std::move(held));
  }
  return event;
}

std::string TextOf(const Event& event, std::string_view field) {
  auto* value = Find(event, field);
  auto* text = value == nullptr ? nullptr : std::get_if<std::string>(value);
  return text == nullptr ? std::string() : *text;
}

int64_t NumberOf(const Event& event, std::string_view field) {
  auto* value = Find(event, field);
  if (value == nullptr) return 0;
  if (auto* number = std::get_if<int64_t>(value)) return *number;
  if (auto* flag = std::get_if<bool>(value)) return *flag ? 1 : 0;
  return 0;
}

double RealOf(const Event& event, std::string_view field, double absent) {
  auto* value = Find(event, field);
  if (value == nullptr) return absent;
  if (auto* real = std::get_if<double>(value)) return *real;
  if (auto* number = std::get_if<int64_t>(value)) return static_cast<double>(*number);
  return absent;
}

bool Has(const Event& event, std::string_view field) { return Find(event, field) != nullptr; }

std::string ReasonOf(const Status& status) {
  auto text = status.ToString();
  if (status.ok()) return text;
  auto prefix = std::string(NameOf(status.error_class())) + ": ";
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

Event WithStatus(Event event, const Status& status) {
  if (status.ok()) return event;
  event.fields.emplace_back("class", std::string(NameOf(status.error_class())));
  event.fields.emplace_back("reason", ReasonOf(status));
  event.fields.emplace_back("remedy", std::string(status.remedy()));
  event.fields.emplace_back("retry", std::string(RetryName(status.retry())));
  return event;
}

Status StatusOf(const Event& event) {
  if (!Has(event, "class")) return Status::Ok();
  auto error_class = ErrorClassOf(TextOf(event, "class")).value_or(ErrorClass::INTERNAL);
  return MakeError(error_class, TextOf(event, "reason")).WithRemedy(TextOf(event, "remedy"));
}

std::optional<Event> ReadEventFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string line;
  if (!file || !std::getline(file, line)) return std::nullopt;
  auto event = EventFromLine(line);
  return event.ok() ? std::optional(*event) : std::nullopt;
}

std::vector<std::string> LineBuffer::Take() {
  std::vector<std::string> lines;
  size_t from = 0;
  for (auto end = pending_.find('\n'); end != std::string::npos; end = pending_.find('\n', from)) {
    lines.push_back(pending_.substr(from, end - from));
    from = end + 1;
  }
  pending_.erase(0, from);
  return lines;
}

}  // namespace freshet::pipeline
