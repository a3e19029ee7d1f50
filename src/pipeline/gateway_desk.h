// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "pipeline/capture_plan.h"
#include "record/shape.h"

namespace freshet::pipeline {

/// What this server's gateways capture just now, for the updates over them. What of it must survive
/// is in staging. Thread-safe.
class GatewayDesk {
 public:
  /// The gateway's process captures for these pipelines as they were authored then, and for no
  /// others; it has left out what it could not take.
  void Serve(const std::string& gateway, const std::vector<Follower>& followers,
             std::map<record::TableName, Status> left_out);
  /// Its process is gone.
  void Close(const std::string& gateway);
  /// Whether it captures for the pipeline as it was authored at `modified_at` or later.
  bool Serves(const std::string& gateway, const std::string& pipeline, int64_t modified_at) const;
  /// Return what it left out, and why.
  std::vector<std::pair<record::TableName, Status>> LeftOut(const std::string& gateway) const;

 private:
  struct Gateway {
    std::map<std::string, int64_t> modified_at;  // by pipeline
    std::map<record::TableName, Status> left_out;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Gateway> open_;  // protected by mutex_
};

}  // namespace freshet::pipeline
