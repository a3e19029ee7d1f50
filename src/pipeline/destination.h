// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "record/shape.h"
#include "store/local_file.h"

namespace freshet::pipeline {

/// Return the name as one part of a path: itself, but '/', NUL, '%' and a leading '.' or '_' as
/// `%XX`.
std::string EncodeName(std::string_view name);
/// Return `<schema>/<table>`, each encoded.
std::string FolderOf(const record::TableName& name);

/// What a destination remembers of its source: everything but the password. One that is filled from
/// somebody else's staging has no source, and no connector.
struct SourceRecord {
  std::string connector;  // "postgres"
  std::string identity;   // the server and database, for good
  std::vector<std::pair<std::string, std::string>> parameters{};  // how it was last reached
  std::string slot{}, publication{};
  std::string type_mapping{};  // what the tables' types were made by
  std::string profile{};       // what of Delta they use
  bool slot_given = false,
       publication_given = false;  // by the user: not dropped with the destination
  std::string staging_id;
  /// Which pipeline over that staging; a name that is in the tables' marks.
  std::string pipeline = "ingest";
};

/// Return `freshet_<the directory's name, a-z 0-9 _>_<the staging id's first 8 digits>`, at most 63
/// bytes: PostgreSQL's limit.
std::string SlotNameFor(std::string_view directory, std::string_view staging_id);

/// The use of a destination by one command and the workers it hands the descriptor to. The kernel
/// ends it with the last of them, however they die: so a lock is never stale, and a new run never
/// meets a former run's worker.
class DestinationLock {
 public:
  explicit DestinationLock(store::OpenFile file) : file_(std::move(file)) {}
  int descriptor() const { return file_.get(); }

 private:
  store::OpenFile file_;
};

/// A local directory that tables land in: `DIR/<schema>/<table>`, all else in `DIR/_freshet/`. Not
/// thread-safe.
class Destination {
 public:
  /// Make DIR and DIR/_freshet. Errors: STORE_READ_ONLY, STORE_FULL, STORE_UNAVAILABLE,
  /// INVALID_ARGUMENT.
  static Result<Destination> Make(std::string_view directory);
  /// Errors: NOT_FOUND (no Freshet destination there).
  static Result<Destination> Open(std::string_view directory);

  /// The directory as an absolute path without a trailing '/'.
  const std::string& root() const { return root_; }
  std::string own() const { return root_ + "/_freshet"; }
  std::string staging() const { return own() + "/staging"; }
  std::string index() const { return own() + "/index"; }
  std::string log() const { return own() + "/log"; }
  std::string status() const { return own() + "/status"; }

  /// Take the lock, waiting up to `deadline` for a former run's workers to end. Errors:
  /// DESTINATION_BUSY, STORE_*.
  Result<DestinationLock> Lock(Clock& clock, Deadline deadline) const;
  /// Whether some process holds the lock now.
  bool Busy() const;

  /// Remove all that Make made, the lock too: for a first run that came to nothing. Does nothing
  /// where DIR/_freshet was there before, or a source was recorded since.
  void Unmake() const;

  /// Nothing: the destination has no source yet. Errors: DATA_CORRUPT, STORE_UNAVAILABLE.
  Result<std::optional<SourceRecord>> ReadSource() const;
  Status WriteSource(const SourceRecord& record) const;

 private:
  explicit Destination(std::string root) : root_(std::move(root)) {}
  std::string root_;
  std::vector<std::string> made_;  // folders that were not there before Make, outermost first
};

/// Write a file whole beside its place, then rename it there; `durable`: it survives a power cut.
/// Errors: STORE_*.
Status ReplaceFile(const std::string& path, std::string_view text, bool durable);

}  // namespace freshet::pipeline
