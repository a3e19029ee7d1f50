// SPDX-License-Identifier: Apache-2.0
#include "client/profiles.h"

#include <algorithm>
#include <optional>

#include "client/legible.h"

namespace freshet::client {
namespace {

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  auto from = text.find_first_not_of(kBlanks), to = text.find_last_not_of(kBlanks);
  return from == std::string_view::npos ? "" : text.substr(from, to - from + 1);
}

/// The lines of a text, without their ends.
std::vector<std::string_view> LinesOf(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    auto end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

/// The name between the brackets; nothing: the line begins no profile.
std::optional<std::string_view> HeadOf(std::string_view line) {
  line = Trimmed(line);
  if (!line.starts_with('[') || !line.ends_with(']') || line.size() < 2) return std::nullopt;
  return Trimmed(line.substr(1, line.size() - 2));
}

bool IsComment(std::string_view line) {
  line = Trimmed(line);
  return line.empty() || line[0] == '#' || line[0] == ';';
}

/// One place that may say where the server is and what it is asked with.
struct Place {
  std::string name{};
  Profile says{};
};

/// The profile of that name; an absent one is an error only where somebody named it.
Result<std::optional<Profile>> Find(const std::vector<Profile>& profiles, const std::string& name,
                                    const Surroundings& surroundings) {
  auto wanted = name.empty() ? std::string(kDefaultProfile) : name;
  for (const auto& profile : profiles) {
    if (profile.name == wanted) return std::optional(profile);
  }
  if (name.empty()) return std::optional<Profile>();
  return Error(ErrorClass::INVALID_ARGUMENT, "there is no profile '{}' in {}", Legible(name),
               ProfilesPath(surroundings))
      .WithRemedy("'freshet auth profiles' lists them, 'freshet auth login' makes one.");
}

Result<Place> OfVariables(const std::string& prefix, const Surroundings& surroundings) {
  Place place{.name = prefix + "_TOKEN"};
  place.says.host = surroundings.Variable((prefix + "_HOST").c_str());
  auto token = surroundings.Variable((prefix + "_TOKEN").c_str());
  if (token.empty()) return place;
  FRESHET_TRY(place.says.token, TokenOf(token, place.name));
  return place;
}

/// All of them, what counts most first.
Result<std::vector<Place>> PlacesOf(const WantedServer& wanted, Surroundings* surroundings) {
  std::vector<Place> places(1);
  auto& line = places[0];
  line.name = "--token-file " + wanted.token_file;
  line.says.host = wanted.host;
  if (!wanted.token_file.empty()) {
    FRESHET_TRY(auto text, surroundings->Read(wanted.token_file));
    FRESHET_TRY(line.says.token, TokenOf(text, line.name));
  }
  FRESHET_TRY(auto profiles, ReadProfiles(surroundings));
  if (wanted.profile.empty()) {
    FRESHET_TRY(auto variables, OfVariables("FRESHET", *surroundings));
    places.push_back(std::move(variables));
  }
  auto name =
      wanted.profile.empty() ? surroundings->Variable("FRESHET_CONFIG_PROFILE") : wanted.profile;
  FRESHET_TRY(auto profile, Find(profiles, name, *surroundings));
  if (profile) {
    auto from = fmt::format("profile {} of {}", profile->name, ProfilesPath(*surroundings));
    places.push_back({.name = from, .says = *std::move(profile)});
  }
  FRESHET_TRY(auto published, OfVariables("DATABRICKS", *surroundings));
  // Theirs are often without a scheme, which is https there.
  auto& host = published.says.host;
  if (!host.empty() && host.find("://") == std::string::npos) host = "https://" + host;
  // Their token is for their host: alone it is for nobody knows whom.
  if (!host.empty()) places.push_back(std::move(published));
  return places;
}

}  // namespace

Result<Secret> TokenOf(std::string_view text, std::string_view from) {
  auto token = Trimmed(text);
  bool good =
      !token.empty() && std::ranges::all_of(token, [](char c) { return c > ' ' && c < 0x7f; });
  if (good) return Secret(std::string(token));
  return Error(ErrorClass::INVALID_ARGUMENT, "{} holds no token", from)
      .WithRemedy("A token is one word; 'freshet tokens create' makes one.");
}

Result<std::vector<Profile>> ParseProfiles(std::string_view text, const std::string& path) {
  std::vector<Profile> profiles;
  size_t number = 0;
  for (auto line : LinesOf(text)) {
    ++number;
    auto wrong = [&](std::string_view why) {
      return Error(ErrorClass::INVALID_ARGUMENT, "{} line {} {}", path, number, why);
    };
    if (IsComment(line)) continue;
    if (auto head = HeadOf(line)) {
      for (const auto& profile : profiles) {
        if (profile.name == *head) return wrong("names a profile for the second time");
      }
      profiles.push_back({.name = std::string(*head)});
      continue;
    }
    auto equals = line.find('=');
    if (equals == std::string_view::npos || profiles.empty())
      return wrong("is neither [NAME] nor, below one, KEY = VALUE");
    auto key = Trimmed(line.substr(0, equals)), value = Trimmed(line.substr(equals + 1));
    auto& profile = profiles.back();
    if (key == "host") {
      profile.host = value;
    } else if (key == "ca_file") {
      profile.ca_file = value;
    } else if (key == "token") {
      FRESHET_TRY(profile.token, TokenOf(value, fmt::format("{} line {}", path, number)));
    } else {
      return wrong("is none of host, token and ca_file");
    }
  }
  return profiles;
}

std::string WithProfile(std::string_view text, const Profile& profile) {
  std::string own = fmt::format("[{}]\nhost = {}\n", profile.name, profile.host);
  if (!profile.token.empty()) own += fmt::format("token = {}\n", profile.token.Reveal());
  if (!profile.ca_file.empty()) own += fmt::format("ca_file = {}\n", profile.ca_file);
  std::string result;
  bool inside = false, placed = false;
  for (auto line : LinesOf(text)) {
    if (auto head = HeadOf(line)) {
      inside = *head == profile.name;
      if (inside) {
        result += own;
        placed = true;
      }
    }
    if (!inside || IsComment(line)) result += std::string(line) + "\n";
  }
  if (placed) return result;
  return result + (result.empty() ? "" : "\n") + own;
}

std::string ProfilesPath(const Surroundings& surroundings) {
  auto named = surroundings.Variable("FRESHET_CONFIG_FILE");
  return named.empty() ? surroundings.Variable("HOME") + "/.freshetcfg" : named;
}

Result<std::vector<Profile>> ReadProfiles(Surroundings* surroundings) {
  auto path = ProfilesPath(*surroundings);
  auto text = surroundings->ReadPrivate(path);
  if (text.status().Is(ErrorClass::NOT_FOUND)) return std::vector<Profile>();
  FRESHET_CHECK_OK(text);
  return ParseProfiles(*text, path);
}

Result<Server> ChooseServer(const WantedServer& wanted, Surroundings* surroundings) {
  FRESHET_TRY(auto places, PlacesOf(wanted, surroundings));
  Server server;
  for (const auto& place : places) {
    if (place.says.host.empty()) continue;
    FRESHET_TRY(server.host, OriginOf(place.says.host));
    server.ca_file = place.says.ca_file;
    break;
  }
  if (server.host.empty()) {
    return Error(ErrorClass::INVALID_ARGUMENT, "no server is named")
        .WithRemedy(
            "Give --host URL, set FRESHET_HOST, or make a profile: freshet auth login --host URL");
  }
  auto ca_file = surroundings->Variable("FRESHET_CA_FILE");
  if (!ca_file.empty()) server.ca_file = ca_file;
  if (!wanted.ca_file.empty()) server.ca_file = wanted.ca_file;
  for (const auto& place : places) {
    if (place.says.token.empty()) continue;
    if (!place.says.host.empty()) {
      FRESHET_TRY(auto own, OriginOf(place.says.host));
      if (own != server.host) continue;
    }
    server.token = place.says.token;
    server.token_from = place.name;
    return server;
  }
  return Error(ErrorClass::INVALID_ARGUMENT, "there is no token for {}", server.host)
      .WithRemedy(fmt::format(
          "Give --token-file FILE or FRESHET_TOKEN, or keep one: freshet auth login --host {} "
          "(a token that was given together with a host goes to no other).",
          server.host));
}

}  // namespace freshet::client
