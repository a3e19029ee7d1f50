// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.h"
#include "capture/policies.h"
#include "record/observer.h"
#include "sources/source.h"
#include "staging/writer.h"
#include "store/file_store.h"

namespace freshet::capture {

/// What the parts of one gateway share; they live no longer than it.
struct Context {
  sources::Source* source = nullptr;
  staging::StagingWriter* writer = nullptr;
  store::FileStore* staging = nullptr;
  Clock* clock = nullptr;
  record::Observer* observer = nullptr;
  const TablePolicies* policies = nullptr;

  OnSchemaChange on_schema_change(const record::TableName& table) const {
    bool given = policies != nullptr && policies->on_schema_change;
    return given ? policies->on_schema_change(table) : OnSchemaChange::kEvolve;
  }
  std::optional<std::chrono::hours> refresh_lost(const record::TableName& table) const {
    bool given = policies != nullptr && policies->refresh_lost;
    return given ? policies->refresh_lost(table) : std::nullopt;
  }
  void Tell(std::string name,
            std::vector<std::pair<std::string, record::Event::Value>> fields) const {
    observer->OnEvent({.name = std::move(name), .fields = std::move(fields)});
  }
};

}  // namespace freshet::capture
