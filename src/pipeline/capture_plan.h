// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "pipeline/gateway_definition.h"

namespace freshet::pipeline {

/// A pipeline over a gateway, as it was authored at some moment.
struct Follower {
  PipelineRecord record;
  Definition definition;
};

/// What a gateway captures: the union of what its pipelines ask for.
struct CapturePlan {
  std::string database;  // empty: nobody has named it yet
  PipelineSpec spec;     // of the capturing half alone; without pipelines it selects nothing
  std::vector<Follower> followers;
};

/// Return the pipelines over a gateway, the oldest first; those that cannot be read are passed
/// over.
Result<std::vector<Follower>> FollowersOf(PipelineBook& book, const std::string& gateway);

/// Bring together what pipelines over a gateway ask for. What is said of a table is true for all of
/// them: each may leave it to the others, but none may say something else.
/// Errors: INVALID_ARGUMENT (two databases; two words for one table, slot, publication or mapping
/// of types): names the pipeline that said it first.
Result<CapturePlan> PlanCapture(const GatewayDefinition& gateway, std::vector<Follower> followers);

}  // namespace freshet::pipeline
