// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::api {

/// A permission level; in a list of them each holds those before it.
struct Level {
  std::string_view name, description;
};
using Levels = std::span<const Level>;

/// Source: the published levels of pipelines.
inline constexpr std::array<Level, 4> kPipelineLevels{
    {{"CAN_VIEW", "Can see the pipeline, its updates and its events"},
     {"CAN_RUN", "Can also start and stop it"},
     {"CAN_MANAGE", "Can also edit and delete it, and say who may do what with it"},
     {"IS_OWNER", "Can also give it another owner"}}};

/// Source: the published levels of directories and files.
inline constexpr std::array<Level, 4> kFolderLevels{
    {{"CAN_READ", "Can see it and what is in it"},
     {"CAN_RUN", "Can also run it"},
     {"CAN_EDIT", "Can also put files into it and change them"},
     {"CAN_MANAGE", "Can also delete it, and say who may do what with it"}}};

/// Whether one of the levels that somebody holds is, or holds, the one that is needed.
inline bool Holds(Levels levels, const std::vector<std::string>& held, std::string_view needed) {
  bool enough = false, holds = false;
  for (const auto& level : levels) {
    enough |= level.name == needed;
    for (const auto& each : held) holds |= enough && each == level.name;
  }
  return holds;
}

}  // namespace freshet::api
