// SPDX-License-Identifier: Apache-2.0
#include "pipeline/profile.h"

#include "delta/features.h"

namespace freshet::pipeline {

bool IsProfile(std::string_view name) {
  return name == kPortable || name == kFull || name == kClassic;
}

std::map<std::string, std::string> PropertiesOfProfile(std::string_view profile) {
  std::map<std::string, std::string> properties;
  if (profile == kClassic) properties[std::string(delta::kEnableVectors)] = "false";
  if (profile != kFull) return properties;
  for (auto name : {delta::kEnableFeed, delta::kEnableRowTracking, delta::kEnableCommitTimes,
                    delta::kEnableWidening}) {
    properties[std::string(name)] = "true";
  }
  properties[std::string(delta::kMappingMode)] = "name";
  return properties;
}

Status CheckProfileChange(std::string_view before, std::string_view after) {
  if (before == after || (before == kPortable && after == kFull)) return Status::Ok();
  return Error(ErrorClass::INVALID_ARGUMENT,
               "this destination's tables are of the profile {}, and cannot become {}", before,
               after)
      .WithRemedy("Leave --profile out, or ingest into another directory.");
}

}  // namespace freshet::pipeline
