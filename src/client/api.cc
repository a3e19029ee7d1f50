// SPDX-License-Identifier: Apache-2.0
#include "client/api.h"

#include <charconv>

#include "client/legible.h"
#include "client/server_error.h"

namespace freshet::client {
namespace {

constexpr int kUnauthenticated = 401;

Status NotOurs(int status, std::string_view host) {
  return Unreachable("what answers at {} is no Freshet server: it answered with status {}", host,
                     status)
      .WithRemedy("Correct the host: the one that 'freshet server' says it is listening on.");
}

/// What our servers add to the published body.
struct Named {
  std::string reason, remedy;
};

Named NamedIn(const Json& body) {
  const auto* details = At(body, "details");
  if (details == nullptr || !details->is_array()) return {};
  for (const auto& detail : *details) {
    auto reason = TextIn(detail, "reason");
    if (reason.empty()) continue;
    const auto* remedy = At(detail, "metadata.remedy");
    bool told = remedy != nullptr && remedy->is_string();
    return {reason, told ? remedy->get<std::string>() : ""};
  }
  return {};
}

Status Refusal(int status, const Json& body, std::string_view host) {
  auto message = Legible(TextIn(body, "message"));
  auto code = Legible(TextIn(body, "error_code"));
  if (status == kUnauthenticated) {
    return TokenRefused("{} does not take the token: it is wrong or has expired", host);
  }
  auto named = NamedIn(body);
  if (auto error_class = ErrorClassOf(named.reason)) {
    auto error = MakeError(*error_class, message);
    return named.remedy.empty() ? error : std::move(error).WithRemedy(LegibleLines(named.remedy));
  }
  auto error = Refused("{}: {}", code, message);
  if (code != "ENDPOINT_NOT_FOUND") return error;
  return std::move(error).WithRemedy("The server is of another version than this command.");
}

}  // namespace

std::string Encoded(std::string_view text) {
  std::string encoded;
  for (char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '-' || c == '.' || c == '_' || c == '~';
    if (plain)
      encoded += c;
    else
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

Result<Json> ReadAnswer(int status, std::string_view text, std::string_view host) {
  auto body = text.empty() ? Json::object() : ParseJson<Json>(text);
  if (status >= 200 && status < 300) {
    if (body.is_discarded()) return NotOurs(status, host);
    return body;
  }
  if (!body.is_object() || TextIn(body, "error_code").empty()) return NotOurs(status, host);
  return Refusal(status, body, host);
}

std::string TextIn(const Json& object, std::string_view field) {
  if (!object.is_object()) return "";
  auto found = object.find(std::string(field));
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

const Json* At(const Json& value, std::string_view path) {
  const auto* at = &value;
  while (at != nullptr && !path.empty()) {
    auto end = path.find('.');
    auto part = path.substr(0, end);
    path = end == std::string_view::npos ? std::string_view() : path.substr(end + 1);
    if (at->is_object()) {
      auto found = at->find(std::string(part));
      at = found == at->end() ? nullptr : &*found;
    } else if (at->is_array()) {
      size_t position = 0;
      auto [stopped, error] = std::from_chars(part.data(), part.data() + part.size(), position);
      bool whole = error == std::errc() && stopped == part.data() + part.size();
      at = whole && position < at->size() ? &(*at)[position] : nullptr;
    } else {
      at = nullptr;
    }
  }
  return at;
}

}  // namespace freshet::client
