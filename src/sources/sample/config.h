// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/status.h"
#include "sources/connector.h"

namespace freshet::sources::sample {

/// The longest line that is read: one transaction.
inline constexpr size_t kLineBytesMax = 64 * limits::kMiB;

/// Where a journal is and how it is read. Every field of a connector is declared here and nowhere
/// else.
struct Config {
  /// The directory that holds `journal.jsonl`; absolute.
  std::string directory;
  /// About how many bytes of the journal one chunk of a snapshot keeps in memory.
  int64_t chunk_bytes = static_cast<int64_t>(limits::kSnapshotPartBytesMax);
  /// Names this reader: `<reader>.position` says how far it has come. Empty: nothing is written.
  std::string reader;

  std::string journal() const { return directory + "/journal.jsonl"; }
  std::string position_file() const { return directory + "/" + reader + ".position"; }
};

/// Read `sample://DIRECTORY[?chunk_bytes=N]`. Errors: INVALID_ARGUMENT.
Result<Settings> ParseUri(std::string_view uri);
/// Errors: INVALID_ARGUMENT.
Result<Config> ConfigOf(const Settings& settings);

}  // namespace freshet::sources::sample
