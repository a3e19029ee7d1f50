// SPDX-License-Identifier: Apache-2.0
#include "client/auth.h"

#include <algorithm>

#include "client/legible.h"

namespace freshet::client {
namespace {

constexpr char kMe[] = "/api/2.0/preview/scim/v2/Me";

/// A profile's name as it can stand between brackets.
Status CheckName(const std::string& name) {
  bool good = !name.empty() && std::ranges::all_of(name, [](char c) {
    return c > ' ' && c < 0x7f && c != '[' && c != ']';
  });
  if (good) return Status::Ok();
  return Error(ErrorClass::INVALID_ARGUMENT, "a profile's name is one word of ASCII: '{}'",
               Legible(name));
}

Result<Secret> AskForToken(const WantedServer& wanted, const std::string& host,
                           Surroundings* surroundings) {
  if (!wanted.token_file.empty()) {
    FRESHET_TRY(auto text, surroundings->Read(wanted.token_file));
    return TokenOf(text, "--token-file " + wanted.token_file);
  }
  auto variable = surroundings->Variable("FRESHET_TOKEN");
  if (!variable.empty()) return TokenOf(variable, "FRESHET_TOKEN");
  auto asked = surroundings->Ask("Token for " + host);
  if (!asked.empty()) return TokenOf(asked.Reveal(), "what was said");
  return Error(ErrorClass::INVALID_ARGUMENT, "there is no token to keep")
      .WithRemedy("Give --token-file FILE (- is standard input), or run it on a terminal.");
}

Result<std::string> UserOf(Api* api) {
  FRESHET_TRY(auto me, api->Send({.method = "GET", .target = kMe}));
  return Legible(TextIn(me, "userName"));
}

Status Keep(const Profile& profile, Surroundings* surroundings) {
  auto path = ProfilesPath(*surroundings);
  auto text = surroundings->ReadPrivate(path);
  if (!text.ok() && !text.status().Is(ErrorClass::NOT_FOUND)) return text.status();
  auto former = text.ok() ? *text : std::string();
  FRESHET_CHECK_OK(ParseProfiles(former, path));
  return surroundings->WritePrivate(path, WithProfile(former, profile));
}

Status TryLogIn(const WantedServer& wanted, const OpenApi& open, Surroundings* surroundings) {
  Profile profile{.name = wanted.profile.empty() ? std::string(kDefaultProfile) : wanted.profile,
                  .ca_file = wanted.ca_file};
  FRESHET_CHECK_OK(CheckName(profile.name));
  auto host = wanted.host.empty() ? surroundings->Variable("FRESHET_HOST") : wanted.host;
  if (host.empty())
    return Error(ErrorClass::INVALID_ARGUMENT, "no server is named").WithRemedy("Give --host URL.");
  FRESHET_TRY(profile.host, OriginOf(host));
  FRESHET_TRY(profile.token, AskForToken(wanted, profile.host, surroundings));
  auto api = open({.host = profile.host,
                   .token = profile.token,
                   .ca_file = profile.ca_file,
                   .token_from = "what was given"},
                  surroundings->clock());
  FRESHET_TRY(auto user, UserOf(api.get()));
  FRESHET_CHECK_OK(Keep(profile, surroundings));
  surroundings->Print(fmt::format("profile {} of {}: {} at {}\n", profile.name,
                                  ProfilesPath(*surroundings), user, profile.host));
  return Status::Ok();
}

Status TryList(Format format, Surroundings* surroundings) {
  FRESHET_TRY(auto profiles, ReadProfiles(surroundings));
  auto list = Json::array();
  for (const auto& profile : profiles) {
    Json each{{"name", profile.name}, {"host", profile.host}};
    each["has_token"] = !profile.token.empty();
    if (!profile.ca_file.empty()) each["ca_file"] = profile.ca_file;
    list.push_back(std::move(each));
  }
  if (format == Format::kJson) {
    surroundings->Print(PrintedJson(list));
    return Status::Ok();
  }
  std::vector<const Json*> rows;
  for (const auto& each : list) rows.push_back(&each);
  surroundings->Print(TableText(
      {{"NAME", "name"}, {"HOST", "host"}, {"TOKEN", "has_token"}, {"CA FILE", "ca_file"}}, rows));
  return Status::Ok();
}

Status TryDescribe(const WantedServer& wanted, Format format, const OpenApi& open,
                   Surroundings* surroundings) {
  FRESHET_TRY(auto server, ChooseServer(wanted, surroundings));
  Json told{{"host", server.host}, {"token_from", server.token_from}};
  if (!server.ca_file.empty()) told["ca_file"] = server.ca_file;
  auto api = open(std::move(server), surroundings->clock());
  FRESHET_TRY(told["user"], UserOf(api.get()));
  surroundings->Print(format == Format::kJson ? PrintedJson(told) : FieldsText({}, told));
  return Status::Ok();
}

}  // namespace

Outcome LogIn(const WantedServer& wanted, const OpenApi& open, Surroundings* surroundings) {
  return {TryLogIn(wanted, open, surroundings)};
}

Outcome ListProfiles(Format format, Surroundings* surroundings) {
  return {TryList(format, surroundings)};
}

Outcome DescribeLogin(const WantedServer& wanted, Format format, const OpenApi& open,
                      Surroundings* surroundings) {
  return {TryDescribe(wanted, format, open, surroundings)};
}

}  // namespace freshet::client
