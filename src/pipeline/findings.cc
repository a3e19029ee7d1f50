// SPDX-License-Identifier: Apache-2.0
#include "pipeline/findings.h"

#include <algorithm>

namespace freshet::pipeline {

std::vector<sources::Finding> FindingsOf(sources::Source& source) {
  auto findings = source.Check();
  auto listings = source.ListTables();
  if (!listings.ok()) {
    if (findings.empty()) findings.push_back({.table = std::nullopt, .problem = listings.status()});
    return findings;
  }
  for (const auto& listing : *listings) {
    bool told = std::ranges::any_of(findings, [&](const auto& finding) {
      return finding.fatal && finding.table == listing.name;
    });
    if (!listing.problem.ok() && !listing.derived && !told)
      findings.push_back({.table = listing.name, .problem = listing.problem});
  }
  return findings;
}

}  // namespace freshet::pipeline
