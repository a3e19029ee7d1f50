// SPDX-License-Identifier: Apache-2.0
#include "api/request.h"

#include <charconv>

namespace freshet::api {
namespace {

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// In a query, '+' is a blank too.
std::optional<std::string> Decode(std::string_view text, bool query) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      int high = i + 2 < text.size() ? DigitOf(text[i + 1]) : -1;
      int low = i + 2 < text.size() ? DigitOf(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && query) {
      c = ' ';
    }
    if (c == '\0') return std::nullopt;
    decoded += c;
  }
  return decoded;
}

std::pair<std::string_view, std::string_view> Cut(std::string_view text, char at) {
  auto end = text.find(at);
  if (end == std::string_view::npos) return {text, {}};
  return {text.substr(0, end), text.substr(end + 1)};
}

struct HttpError {
  int status;
  std::string_view error_code;
};

/// Source: the published table of HTTP statuses and codes; a source's refusal is not the caller's.
HttpError HttpErrorOf(const Status& status) {
  if (status.Is(ErrorClass::DESTINATION_BUSY)) return {409, "RESOURCE_CONFLICT"};
  switch (status.code()) {
    case Code::kInvalidArgument:
    case Code::kUnimplemented:
      return {400, "INVALID_PARAMETER_VALUE"};
    case Code::kFailedPrecondition:
    case Code::kUnauthenticated:
      return {400, "INVALID_STATE"};
    case Code::kNotFound:
      return {404, "RESOURCE_DOES_NOT_EXIST"};
    case Code::kPermissionDenied:
      return {403, "PERMISSION_DENIED"};
    case Code::kAlreadyExists:
      return {409, "RESOURCE_ALREADY_EXISTS"};
    case Code::kAborted:
      return {409, "ABORTED"};
    case Code::kUnavailable:
      return {503, "TEMPORARILY_UNAVAILABLE"};
    case Code::kDeadlineExceeded:
      return {504, "DEADLINE_EXCEEDED"};
    default:
      return {500, "INTERNAL_ERROR"};
  }
}

}  // namespace

std::string Request::parameter(const std::string& name) const {
  auto found = query.find(name);
  return found == query.end() ? "" : found->second;
}

Result<bool> Request::FlagParameter(const std::string& name, bool standard) const {
  if (!query.contains(name)) return standard;
  auto text = parameter(name);
  if (text == "true") return true;
  if (text == "false") return false;
  return Error(ErrorClass::INVALID_ARGUMENT, "{} is not true or false: '{}'", name, text);
}

Result<int64_t> Request::NumberParameter(const std::string& name, int64_t standard) const {
  if (!query.contains(name)) return standard;
  auto text = parameter(name);
  auto number = NumberOf(text);
  if (number.ok()) return number;
  return Error(ErrorClass::INVALID_ARGUMENT, "{} is not a number of 0 or more: '{}'", name, text);
}

Result<int64_t> Request::PageNumber() const {
  // Clients say that they have none, too.
  if (parameter("page_token").empty()) return int64_t{0};
  return NumberParameter("page_token", 0);
}

Result<int64_t> NumberOf(std::string_view text) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= 0) return number;
  return Error(ErrorClass::INVALID_ARGUMENT, "not a number of 0 or more: '{}'", text);
}

Status ReadTarget(Request* request) {
  auto refuse = [] {
    return Error(ErrorClass::INVALID_ARGUMENT, "the request's path or query is not readable");
  };
  auto [path, query] = Cut(request->target, '?');
  if (path.empty() || path[0] != '/') return refuse();
  while (!path.empty()) {
    auto [part, rest] = Cut(path.substr(1), '/');
    path = path.substr(part.size() + 1);
    auto decoded = Decode(part, false);
    if (!decoded || *decoded == "." || *decoded == "..") return refuse();
    // `//` is `/`, and one at the end says nothing.
    if (!decoded->empty()) request->path.push_back(std::move(*decoded));
  }
  auto read = ReadForm(query);
  if (!read.ok()) return refuse();
  request->query = std::move(*read);
  return Status::Ok();
}

Result<std::map<std::string, std::string>> ReadForm(std::string_view text) {
  std::map<std::string, std::string> form;
  while (!text.empty()) {
    auto [pair, rest] = Cut(text, '&');
    text = rest;
    auto [name, value] = Cut(pair, '=');
    auto decoded_name = Decode(name, true), decoded_value = Decode(value, true);
    if (!decoded_name || !decoded_value)
      return Error(ErrorClass::INVALID_ARGUMENT, "the form is not readable");
    if (!decoded_name->empty()) form[*decoded_name] = *decoded_value;
  }
  return form;
}

Response ErrorResponse(const Status& status) {
  auto [http, error_code] = HttpErrorOf(status);
  // The published wordings come without the class's name, which stands in the details.
  auto text = status.ToString();
  auto prefix = std::string(NameOf(status.error_class())) + ": ";
  if (text.starts_with(prefix)) text.erase(0, prefix.size());
  Json metadata = Json::object();
  if (!status.remedy().empty()) metadata["remedy"] = status.remedy();
  Json body{{"error_code", error_code},
            {"message", text},
            {"details", Json::array({{{"@type", "type.googleapis.com/google.rpc.ErrorInfo"},
                                      {"reason", NameOf(status.error_class())},
                                      {"domain", "freshet"},
                                      {"metadata", metadata}}})}};
  return {.status = http, .body = JsonText(body)};
}

Response ErrorResponse(int status, std::string_view error_code, std::string_view message) {
  Json body{{"error_code", error_code}, {"message", message}};
  return {.status = status, .body = JsonText(body)};
}

Response ComeAgain(int64_t seconds, std::string_view message) {
  auto refused = ErrorResponse(429, "REQUEST_LIMIT_EXCEEDED", message);
  refused.headers.emplace_back("Retry-After", std::to_string(seconds));
  return refused;
}

}  // namespace freshet::api
