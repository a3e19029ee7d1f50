// SPDX-License-Identifier: Apache-2.0
#include "pipeline/gateway_desk.h"

namespace freshet::pipeline {

void GatewayDesk::Serve(const std::string& gateway, const std::vector<Follower>& followers,
                        std::map<record::TableName, Status> left_out) {
  Gateway open{.modified_at = {}, .left_out = std::move(left_out)};
  for (const auto& follower : followers)
    open.modified_at[follower.record.id] = follower.record.modified_at;
  std::lock_guard lock(mutex_);
  open_[gateway] = std::move(open);
}

void GatewayDesk::Close(const std::string& gateway) {
  std::lock_guard lock(mutex_);
  open_.erase(gateway);
}

bool GatewayDesk::Serves(const std::string& gateway, const std::string& pipeline,
                         int64_t modified_at) const {
  std::lock_guard lock(mutex_);
  auto open = open_.find(gateway);
  if (open == open_.end()) return false;
  auto known = open->second.modified_at.find(pipeline);
  return known != open->second.modified_at.end() && known->second >= modified_at;
}

std::vector<std::pair<record::TableName, Status>> GatewayDesk::LeftOut(
    const std::string& gateway) const {
  std::lock_guard lock(mutex_);
  auto open = open_.find(gateway);
  if (open == open_.end()) return {};
  return {open->second.left_out.begin(), open->second.left_out.end()};
}

}  // namespace freshet::pipeline
