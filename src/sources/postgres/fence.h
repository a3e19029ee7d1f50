// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>

#include "base/clock.h"
#include "sources/postgres/connection.h"
#include "sources/postgres/lsn.h"

namespace freshet::sources::postgres {

/// Finds out how far the server's log must have been read so that everything committed by now has
/// been. One thread at a time.
///
/// Everything committed lies before the insert position, but only what is flushed is decoded. They
/// differ while others write, and stay apart while an open transaction idles; a commit with
/// synchronous_commit = off is flushed within three times wal_writer_delay, so after that time the
/// flushed position is enough.
/// Source: PostgreSQL, "Asynchronous Commit".
class FenceAsker {
 public:
  explicit FenceAsker(Connection* connection) : connection_(connection) {}

  /// Forget what was asked: the next answer is for this moment.
  void Restart() { insert_first_.reset(); }
  /// Return the fence, or nothing when it is not known yet: ask again in a moment.
  Result<std::optional<Lsn>> Ask(MonotonicTime now);
  /// The log has been read up to `seen`, which is not at the fence, and nothing more comes. The
  /// flushed log may end within a record, and where nobody commits the server flushes the rest up
  /// to 15 s later. After a second of that an empty message has it flushed.
  /// Source: PostgreSQL, src/backend/access/transam/xlog.c, XLogBackgroundFlush.
  Status Urge(Lsn seen, MonotonicTime now);
  /// The server's end of log when last asked; 0 never.
  Lsn flushed() const { return flushed_; }
  Lsn inserted() const { return inserted_; }
  MonotonicTime asked_at() const { return asked_at_; }

 private:
  Connection* const connection_;
  std::optional<Lsn> insert_first_;
  /// An insert position, and since when it is known: what lies before it was inserted before that.
  Lsn old_insert_ = 0;
  MonotonicTime old_insert_since_{};
  Lsn flushed_ = 0;
  Lsn inserted_ = 0;
  MonotonicTime asked_at_{};
  std::optional<std::chrono::milliseconds> flush_delay_;
  // Where reading rests, since when, and whether the server was urged there.
  Lsn rests_at_ = 0;
  MonotonicTime rests_since_{};
  bool urged_ = false;
};

/// Whether reading up to `seen` passes `fence`. A position at a page's start is also told with the
/// page's header added, which no record ends at. Source: PostgreSQL,
/// src/backend/access/transam/xlog.c, XLogBytePosToRecPtr and XLogBytePosToEndRecPtr.
bool Passes(Lsn seen, Lsn fence);

}  // namespace freshet::sources::postgres
