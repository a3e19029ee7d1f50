// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <vector>

#include "capture/stream_fence.h"
#include "record/ids.h"

namespace freshet::capture {

/// Followed tables that are gone at the source while changes of theirs may still be on their way:
/// each is dropped once the stream is past the moment at which it was missed. The capture thread's.
class Departures {
 public:
  explicit Departures(StreamFence* fence) : fence_(fence) {}

  Status Expect(const std::vector<record::TableId>& missing) {
    for (const record::TableId& table : missing) {
      if (tickets_.contains(table)) continue;
      FRESHET_TRY(tickets_[table], fence_->Ask());
    }
    return Status::Ok();
  }
  bool empty() const { return tickets_.empty(); }
  /// The log told of its end, or it goes on in another way.
  void Forget(const record::TableId& table) { tickets_.erase(table); }
  /// Those that the stream is past by now.
  std::vector<record::TableId> TakePassed() {
    std::vector<record::TableId> passed;
    std::erase_if(tickets_, [&](const auto& each) {
      if (!fence_->Passed(each.second)) return false;
      passed.push_back(each.first);
      return true;
    });
    return passed;
  }

 private:
  StreamFence* const fence_;
  std::map<record::TableId, StreamFence::Ticket> tickets_;
};

}  // namespace freshet::capture
