// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sources/postgres/config.h"
#include "sources/source.h"

namespace freshet::sources::postgres {

/// Which server's changes, and in which of its histories.
struct Origin {
  Config config;
  uint32_t epoch = 0;
  std::string identity;
};

/// Make what following takes (publication, slot) and begin to stream. As Source::OpenChanges.
Result<std::unique_ptr<ChangeStream>> OpenChanges(
    Origin origin, std::vector<std::shared_ptr<const record::TableShape>> shapes,
    const record::Cursor& from);

}  // namespace freshet::sources::postgres
