// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "sources/postgres/cursor_moment.h"
#include "sources/postgres/cursor_reader.h"
#include "sources/source.h"

namespace freshet::sources::postgres {

/// Changes by reading, again and again, the rows that may have changed. One read is one source
/// transaction: a repeatable view of all tables, ended by one Commit. A table that cannot be read
/// is left out of it, and the next read takes up where that table's last one was.
///
///   Next: a read is open → the next batch of its table; its tables end → Commit, and Idle if the
///           fence was set before the read began
///         a fence is set, or the interval is over → begin a read
///         else wait for the deadline
class QueriedStream final : public ChangeStream {
 public:
  QueriedStream(Config config, QueriedPosition position)
      : config_(std::move(config)), position_(std::move(position)) {}

  /// Connect; without a former read take the moment from which on all is read.
  Status Begin(std::vector<std::shared_ptr<const record::TableShape>> shapes, bool from_now);

  record::Cursor Start() const override { return ToCursor(position_); }
  Status Fence() override {
    fence_ = true;
    return Status::Ok();
  }
  Result<record::StreamEvent> Next(Deadline deadline) override;
  Result<std::set<record::TableId>> Watch(
      std::vector<std::shared_ptr<const record::TableShape>> shapes) override;
  std::map<record::TableId, std::string> TakeMemos() override;
  Status Acknowledge(const record::Cursor&) override { return Status::Ok(); }
  int64_t BytesBehind() const override { return -1; }
  int64_t values_nulled() const override {
    return nulled_ + (reader_ == nullptr ? 0 : reader_->values_nulled());
  }

 private:
  Status TakeMoment();
  Status TakeFirstMark(const record::TableId& id);
  Status BeginRead();
  Status BeginTable();
  Status OpenTable(TableNotes* notes);
  Status FitShape(const QueriedTable& table);
  Status Sweep(const QueriedTable& table, TableNotes* notes);
  Status EndTable();
  /// Leave the open table out of this read. Errors: `why`, if the session is gone with it.
  Status LeaveTable(Status why);
  void TellUnread(Status why);
  Status EndRead();
  Result<record::StreamEvent> FromRead();
  record::Sequence At() const { return record::Sequence::Of(moment_.timeline, lsn_, ordinal_); }

  const Config config_;
  /// Of the last read that ended.
  QueriedPosition position_;
  std::map<record::TableId, TableNotes> notes_;  // and of what was watched since
  std::map<record::TableId, std::string> told_;  // as it was taken
  std::unique_ptr<Connection> connection_;
  std::map<record::TableId, std::shared_ptr<const record::TableShape>> shapes_;
  std::set<record::TableId> unread_;  // told, and not read since
  bool fence_ = false;
  MonotonicTime read_at_;  // when the next read is due

  // The open read.
  bool reading_ = false;
  bool answers_fence_ = false;
  ReadMoment moment_;
  Lsn lsn_ = 0;
  uint64_t ordinal_ = 0;
  UtcMicros taken_at_ = 0;
  std::vector<record::TableId> left_;  // tables, the next one last
  std::map<record::TableId, TableNotes> read_notes_;
  // Its open table.
  record::TableId table_;
  bool shape_changed_ = false;
  bool refused_ = false;  // its sweep
  std::unique_ptr<QueriedReader> reader_;

  std::deque<record::StreamEvent> ready_;
  int64_t nulled_ = 0;
};

/// As Source::OpenChanges.
Result<std::unique_ptr<ChangeStream>> OpenQueriedChanges(
    const Config& config, const std::string& identity,
    std::vector<std::shared_ptr<const record::TableShape>> shapes, const record::Cursor& from);

}  // namespace freshet::sources::postgres
