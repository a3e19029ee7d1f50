// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "apply/live_rows.h"
#include "apply/table_form.h"
#include "parquet/reader.h"

namespace freshet::apply {

/// Finds when the versions of keys ended that have none in force: a version that begins must not
/// begin before. The key index does not know closed versions; but commits follow one another, and
/// so a key's last version rarely ended after its next one was committed: only files in which some
/// version ended as late are looked through. Knows of each file when its last version ended. One
/// thread.
class ClosedVersions {
 public:
  struct Asked {
    KeyHash key;
    UtcMicros at = 0;  // versions that ended before this don't matter
    // Found: when the last one ended, and the file it is in (hash of the path).
    std::optional<UtcMicros> ended = {};
    uint64_t file = 0;
  };
  /// REQUIRES: versions begin and end by the time of commits.
  Status Find(const std::shared_ptr<store::FileStore>& table, const TableForm& form, LiveRows* live,
              std::vector<Asked>* asked);

 private:
  Result<UtcMicros> LastEnd(parquet::Reader* reader, const std::string& path,
                            const std::string& column);

  std::unordered_map<std::string, UtcMicros> last_ends_;  // by path
};

}  // namespace freshet::apply
