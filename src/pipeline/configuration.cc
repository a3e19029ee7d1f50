// SPDX-License-Identifier: Apache-2.0
#include "pipeline/configuration.h"

#include <charconv>
#include <optional>

#include "base/json.h"
#include "catalog/names.h"
#include "pipeline/gateway_definition.h"

namespace freshet::pipeline {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kField[] = "configuration";
constexpr std::string_view kProgress = "pipelines.gateway.progressEventsEnabled",
                           kInterval = "pipelines.gateway.progressEventEmitFrequencySeconds";
/// Of sources that have formulas; those that are read have none.
constexpr std::string_view kFormulas = "pipelines.enableSalesforceFormulaFieldsMVComputation";
/// Source: the published range of the interval, in seconds.
constexpr int64_t kIntervalMin = 30, kIntervalMax = 3600;

Status Wrong(std::string_view key, std::string_view why) {
  return Error(ErrorClass::INVALID_ARGUMENT, "{}.{} {}", kField, key, why);
}

Status TakeFlag(std::string_view key, const std::string& text, bool* flag) {
  auto word = catalog::Lower(text);
  if (word != "true" && word != "false") return Wrong(key, "is neither true nor false");
  *flag = word == "true";
  return Status::Ok();
}

Status TakeInterval(const std::string& text, std::chrono::seconds* interval) {
  int64_t seconds = 0;
  const char* end = text.data() + text.size();
  auto read = std::from_chars(text.data(), end, seconds);
  const bool good = read.ec == std::errc() && read.ptr == end && seconds >= kIntervalMin &&
                    seconds <= kIntervalMax;
  if (!good) {
    return Wrong(kInterval, fmt::format("is not a number of seconds from {} to {}", kIntervalMin,
                                        kIntervalMax));
  }
  *interval = std::chrono::seconds(seconds);
  return Status::Ok();
}

Status TakeSetting(const std::string& key, const Json& value, bool gateway, Configuration* all) {
  if (!value.is_string()) return Wrong(key, "is not a text");
  auto text = value.get<std::string>();
  bool ignored = false;
  if (key == kFormulas) return TakeFlag(key, text, &ignored);
  if (gateway && key == kProgress) return TakeFlag(key, text, &all->tells_progress);
  if (gateway && key == kInterval) return TakeInterval(text, &all->progress_interval);
  all->unused.push_back(key);
  return Status::Ok();
}

}  // namespace

Result<Configuration> ReadConfiguration(std::string_view text, bool gateway) {
  auto json = ParseJson<Json>(text);
  if (!json.is_object())
    return Error(ErrorClass::INVALID_ARGUMENT, "{} is not a map of texts", kField);
  Configuration all;
  for (const auto& [key, value] : json.items())
    FRESHET_CHECK_OK(TakeSetting(key, value, gateway, &all));
  return all;
}

Configuration ConfigurationOf(const PipelineRecord& pipeline) {
  auto spec = ParseJson<Json>(pipeline.spec);
  Configuration all;
  if (!spec.is_object() || !spec.contains(kField) || !spec[kField].is_object()) return all;
  const bool gateway = IsGateway(pipeline);
  for (const auto& [key, value] : spec[kField].items()) {
    if (!TakeSetting(key, value, gateway, &all).ok()) all.unused.push_back(key);
  }
  return all;
}

}  // namespace freshet::pipeline
