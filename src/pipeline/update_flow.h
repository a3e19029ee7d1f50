// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/update.h"

namespace freshet::pipeline {

/// What an update knows of one table.
struct Update::FlowState {
  apply::Flow flow;
  std::string folder;
  std::vector<apply::Flow> formers;  // whose table and folder it takes over
  std::unique_ptr<apply::TableApplier> applier;
  record::SegmentNumber done_through;  // nothing up to here can be done any more
  // what is being read will take the changes after it
  std::optional<record::SegmentNumber> needed_after;
  record::SegmentNumber last_segment;  // that touches the table
  bool more = true;                    // never asked yet, or its last step was a commit
  bool current = false;
  bool refreshing = false;  // a later generation is built, and was told of
  int conflicts = 0;
  bool excluded = false;  // this update leaves it as it is
  std::optional<Status> failed;
  bool broken = false;          // … with what staging says of the table
  bool reread = false;          // it was wished again by this process, or need not be
  bool unread = false;          // … and could not be read
  std::optional<Status> stale;  // it was never whole, and waits to be read anew
};

}  // namespace freshet::pipeline
