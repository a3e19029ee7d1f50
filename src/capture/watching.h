// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <utility>
#include <vector>

#include "capture/context.h"
#include "capture/tables.h"
#include "staging/questions.h"

namespace freshet::capture {

/// What the stream is told to follow, and what it wants kept of each table. A table that somebody
/// holds locked at the source waits; the changes of all others go on. One thread.
class Watching {
 public:
  Watching(Context context, Tables* tables, sources::ChangeStream* stream)
      : context_(context), tables_(tables), stream_(stream) {}

  /// Have the stream follow these too. Returns which of them have to wait.
  /// Errors: the source's, but for SOURCE_BLOCKED: then all of them wait.
  Result<std::set<TableId>> Add(const std::vector<Tables::Fresh>& coming);
  /// Tell the stream what changed of what is followed.
  Status Update(MonotonicTime now);
  /// Keep what the stream wants kept: with the next seal, whose cursor has to be the stream's own.
  void TakeMemos();

  /// Whether a table that somebody holds locked is all that went wrong; it is told once.
  bool IsBlocked(const Status& status);
  /// New tables that have to wait, for somebody holds them locked, at the last look.
  void ForgetWaiting() { waiting_.clear(); }
  void Waits(record::TableName table) { waiting_.push_back(std::move(table)); }
  bool any_waits() const { return !waiting_.empty(); }
  /// These, and those that `mended` names: SOURCE_BLOCKED, where there are some.
  staging::Unseen Unseen(std::vector<record::TableName> mended) const;

  /// Nothing has to wait any more: it is told again the next time.
  void Unblocked() { blocked_told_ = false; }

 private:
  /// Some tables could not be put in, or taken out, yet.
  void Wait(const std::set<TableId>& locked);

  const Context context_;
  Tables* const tables_;
  sources::ChangeStream* const stream_;
  bool due_ = false;  // what is followed changed, and the stream does not know it yet
  MonotonicTime due_at_{};
  bool blocked_told_ = false;
  std::vector<record::TableName> waiting_;
};

}  // namespace freshet::capture
