// SPDX-License-Identifier: Apache-2.0
#include "api/router.h"

namespace freshet::api {
namespace {

std::vector<std::string_view> PartsOf(std::string_view pattern) {
  std::vector<std::string_view> parts;
  while (!pattern.empty()) {
    pattern.remove_prefix(1);
    auto end = std::min(pattern.find('/'), pattern.size());
    parts.push_back(pattern.substr(0, end));
    pattern.remove_prefix(end);
  }
  return parts;
}

bool IsName(std::string_view part) { return part.starts_with('{'); }
bool IsRest(std::string_view part) { return part.starts_with("{*"); }
std::string NameOf(std::string_view part) { return std::string(part.substr(1, part.size() - 2)); }

bool Matches(std::string_view pattern, const std::vector<std::string>& path,
             std::map<std::string, std::string>* names, std::vector<std::string>* rest) {
  auto parts = PartsOf(pattern);
  bool open = IsRest(parts.back());
  if (open ? parts.size() > path.size() : parts.size() != path.size()) return false;
  names->clear();
  rest->clear();
  for (size_t i = 0; i < parts.size(); ++i) {
    if (IsRest(parts[i])) {
      rest->assign(path.begin() + static_cast<int>(i), path.end());
      return true;
    }
    if (IsName(parts[i])) {
      (*names)[NameOf(parts[i])] = path[i];
    } else if (parts[i] != path[i]) {
      return false;
    }
  }
  return true;
}

}  // namespace

void Router::Add(Route route) { routes_.push_back(std::move(route)); }

void Router::Describe(std::string_view text) {
  auto read = ReadDescription(text, &descriptions_);
  FRESHET_ASSERT(read.ok(), "{}", read.ToString());
}

const Described* Router::DescribedOf(const Route& route) const {
  auto found = descriptions_.operations.find(route.operation);
  return found == descriptions_.operations.end() ? nullptr : &found->second;
}

const Route* Router::Find(Request* request) const {
  for (const auto& route : routes_) {
    // A HEAD is a GET whose body is left out.
    bool method =
        route.method == request->method || (route.method == "GET" && request->method == "HEAD");
    if (method && Matches(route.pattern, request->path, &request->parts, &request->rest))
      return &route;
  }
  return nullptr;
}

}  // namespace freshet::api
