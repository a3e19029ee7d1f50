// SPDX-License-Identifier: Apache-2.0
#include "model/versions.h"

#include <map>

#include "model/source.h"

namespace freshet::model {

Result<std::vector<Row>> VersionsSinceBase(const Database& database, const std::string& table) {
  std::vector<uint64_t> positions{database.tables().at(table).base_position};
  for (const auto& [position, steps] : database.log()) {
    if (position > positions.front()) positions.push_back(position);
  }
  std::vector<Row> versions;
  std::map<Row, Row> open;  // by key: the row, and when it began
  for (uint64_t position : positions) {
    FRESHET_TRY(const auto content, database.At(table, position));
    FRESHET_TRY(const auto at, TimeCell(CommittedAt(position)));
    std::map<Row, Row> now;
    for (const auto& row : content.rows) now[KeyOf(content.shape, row)] = row;
    for (auto before = open.begin(); before != open.end();) {
      auto same = now.find(before->first);
      Row row(before->second.begin(), before->second.end() - 1);
      if (same != now.end() && same->second == row) {
        now.erase(same);
        ++before;
        continue;
      }
      versions.push_back(before->second);
      versions.back().push_back(at);
      before = open.erase(before);
    }
    for (auto& [key, row] : now) {
      row.push_back(at);
      open[key] = row;
    }
  }
  for (auto& [key, row] : open) {
    row.push_back(Cell::Null());
    versions.push_back(row);
  }
  return versions;
}

}  // namespace freshet::model
