// SPDX-License-Identifier: Apache-2.0
#include "sources/sample/config.h"

#include <charconv>
#include <filesystem>

namespace freshet::sources::sample {
namespace {

constexpr std::string_view kScheme = "sample://";

}  // namespace

Result<Settings> ParseUri(std::string_view uri) {
  uri.remove_prefix(kScheme.size());
  size_t question = std::min(uri.find('?'), uri.size());
  std::string_view path = uri.substr(0, question);
  if (path.empty()) {
    return Error(ErrorClass::INVALID_ARGUMENT,
                 "the source's URI names no directory: sample:///directory");
  }
  Settings settings;
  settings.parameters.emplace_back("directory", std::filesystem::absolute(path).string());
  std::string_view options = uri.substr(std::min(question + 1, uri.size()));
  while (!options.empty()) {
    std::string_view option = options.substr(0, options.find('&'));
    options.remove_prefix(std::min(option.size() + 1, options.size()));
    size_t equals = std::min(option.find('='), option.size());
    std::string_view name = option.substr(0, equals);
    if (name != "chunk_bytes")
      return Error(ErrorClass::INVALID_ARGUMENT, "the source's URI has an unknown option: {}",
                   name);
    settings.parameters.emplace_back(name, option.substr(std::min(equals + 1, option.size())));
  }
  FRESHET_CHECK_OK(ConfigOf(settings));
  return settings;
}

Result<Config> ConfigOf(const Settings& settings) {
  Config config;
  config.directory = settings.parameter("directory");
  config.reader = settings.slot;
  std::string_view chunk = settings.parameter("chunk_bytes");
  if (chunk.empty()) return config;
  auto [end, error] =
      std::from_chars(chunk.data(), chunk.data() + chunk.size(), config.chunk_bytes);
  if (error != std::errc() || end != chunk.data() + chunk.size() || config.chunk_bytes < 1)
    return Error(ErrorClass::INVALID_ARGUMENT, "chunk_bytes is not a number of bytes: {}", chunk);
  return config;
}

}  // namespace freshet::sources::sample
