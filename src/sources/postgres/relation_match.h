// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace freshet::sources::postgres {

/// A column that a table has or had: what we know it by and what the catalog says of it.
struct TraceColumn {
  int32_t id = 0;
  std::optional<std::string> ours;  // its name in the shape we follow; none: not in it
  std::optional<std::string> now;   // its name in the catalog; none: it is dropped

  /// It came and went while nobody looked: any name may have been its.
  bool unseen() const { return !ours && !now; }
};

/// Find which columns a Relation message names, which tells names but no numbers. `traces`: all
/// columns that the table had since we know it, ascending by id. Of what it may have consisted at
/// some time, the first so many of them less some of the dropped ones, exactly one choice must fit
/// the names. `ordered`: the names come in the order of the ids (they do but in a partition).
/// Returns the id of each name; nothing: no choice fits, or several do.
std::optional<std::vector<int32_t>> MatchColumns(const std::vector<std::string>& names,
                                                 const std::vector<TraceColumn>& traces,
                                                 bool ordered);

}  // namespace freshet::sources::postgres
