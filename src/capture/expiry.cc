// SPDX-License-Identifier: Apache-2.0
#include "capture/expiry.h"

namespace freshet::capture {

Status Expire(const Context& context, const staging::StagingWriter::ExpiryRules& rules) {
  auto expired = context.writer->Expire(rules);
  // A manifest of long ago that cannot be read any more only keeps its files from going.
  if (expired.status().Is(ErrorClass::STAGING_CORRUPT)) {
    context.Tell("warning",
                 {{"reason", "staging does not expire: " + expired.status().ToString()}});
    return Status::Ok();
  }
  FRESHET_CHECK_OK(expired);
  if (expired->segments > 0) {
    context.Tell("segments_expired", {{"through", expired->through.value()},
                                      {"segments", expired->segments},
                                      {"forced", expired->forced}});
  }
  return Status::Ok();
}

}  // namespace freshet::capture
