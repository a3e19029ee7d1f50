// SPDX-License-Identifier: Apache-2.0
#include "catalog/names.h"

#include <algorithm>

#include "base/server_limits.h"

namespace freshet::catalog {
namespace {

/// Between the parts of a key: no name holds it.
constexpr char kBetween = '\x1f';

Status NotAName(std::string_view text) {
  return Error(ErrorClass::INVALID_ARGUMENT, "not a full name: '{}'", text);
}

/// Read the quoted part that begins at `*at`, and step behind it.
bool ReadQuoted(std::string_view text, size_t* at, std::string* part) {
  for (size_t i = *at + 1; i < text.size(); ++i) {
    if (text[i] != '`') {
      *part += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == '`') {
      *part += text[i++];
    } else {
      *at = i + 1;
      return true;
    }
  }
  return false;
}

}  // namespace

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (auto& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

Result<Path> ParseFullName(std::string_view text, size_t parts) {
  Path path;
  for (size_t at = 0; at <= text.size(); ++at) {
    std::string part;
    if (at < text.size() && text[at] == '`') {
      if (!ReadQuoted(text, &at, &part)) return NotAName(text);
    } else {
      auto end = std::min(text.find('.', at), text.size());
      part = text.substr(at, end - at);
      at = end;
    }
    if (part.empty() || (at < text.size() && text[at] != '.')) return NotAName(text);
    path.push_back(std::move(part));
  }
  if (path.empty() || (parts != 0 && path.size() != parts)) return NotAName(text);
  return path;
}

std::string FullName(const Path& path) {
  std::string full;
  for (const auto& part : path) {
    if (!full.empty()) full += '.';
    if (part.find_first_of(".`") == std::string::npos) {
      full += part;
      continue;
    }
    full += '`';
    for (char c : part) full += c == '`' ? "``" : std::string(1, c);
    full += '`';
  }
  return full;
}

std::string KeyOf(const Path& path) {
  std::string key;
  for (const auto& part : path) {
    if (!key.empty()) key += kBetween;
    key += Lower(part);
  }
  return key;
}

Status CheckName(std::string_view kind, std::string_view name) {
  auto refuse = [&](std::string_view why) {
    return Error(ErrorClass::INVALID_ARGUMENT, "{} name {}: '{}'", kind, why,
                 name.substr(0, limits::kNameBytesMax));
  };
  if (name.empty()) return Error(ErrorClass::INVALID_ARGUMENT, "{} name is missing", kind);
  if (name.size() > limits::kNameBytesMax) return refuse("is longer than 255 bytes");
  auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::ranges::any_of(name, control)) return refuse("holds a control character");
  if (name.find('/') != std::string_view::npos) return refuse("holds a '/'");
  if (name == "." || name == "..") return refuse("is a folder's own");
  return Status::Ok();
}

}  // namespace freshet::catalog
