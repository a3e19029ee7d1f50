// SPDX-License-Identifier: Apache-2.0
#include "capture/gateway.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "capture/answers.h"
#include "capture/context.h"
#include "capture/departures.h"
#include "capture/discovery.h"
#include "capture/expiry.h"
#include "capture/mending.h"
#include "capture/sealed_report.h"
#include "capture/shape_change.h"
#include "capture/snapshots.h"
#include "capture/stream_fence.h"
#include "capture/tables.h"
#include "capture/watching.h"

namespace freshet::capture {
namespace {

/// How often a gateway that reads snapshots looks at what its readers finished.
constexpr std::chrono::milliseconds kWorkInterval{20};
/// A source that answers Idle at once, again and again, is asked no more often than this.
constexpr std::chrono::milliseconds kQuietPause{5};

/// One run of a gateway, from opening the staging to its end. One thread.
class Capture {
 public:
  Capture(Context context, std::unique_ptr<staging::StagingWriter> writer,
          const GatewayOptions& options)
      : context_(context),
        writer_(std::move(writer)),
        options_(options),
        report_(context_),
        tables_(context_),
        discovery_(context_, &tables_, options.selects, options.names),
        own_holder_(context_.source),
        cursor_(writer_->checkpoint().cursor),
        committed_at_(writer_->checkpoint().committed_at) {}

  /// Discover, open the stream at the staged cursor, and make both durable before anything is built
  /// on them.
  Status Begin() {
    FRESHET_TRY(auto found, discovery_.Look(Discovery::Depth::kThorough));
    for (const auto& [table, why] : found.problems) {
      if (!Mending::Mends(why)) tables_.Break(table, why);
    }
    // Those that staging knows first: that they are followed without a gap is the stream's to say.
    FRESHET_TRY(stream_, OpenOrBeginAnew(context_, tables_, &cursor_, &lost_));
    const auto followed = tables_.logged_shapes();
    watching_.emplace(context_, &tables_, stream_.get());
    watching_->TakeMemos();
    FRESHET_CHECK_OK(WatchComing(&found));
    tables_.TakeChanged();
    if (cursor_.text.empty()) cursor_ = stream_->Start();
    fence_.emplace(stream_.get());
    departures_.emplace(&*fence_);
    snapshots_.emplace(context_, &tables_, &*fence_, holder(),
                       Snapshots::Options{.readers = options_.snapshot_readers,
                                          .reread_interval = options_.reread_interval,
                                          .selects = options_.selects,
                                          .serves = options_.serves,
                                          .tells_unread = options_.answers});
    mending_.emplace(context_, &tables_, &*fence_);
    if (options_.answers) answers_.emplace(context_, &*fence_);
    for (auto& fresh : found.fresh) tables_.Follow(std::move(fresh));
    FRESHET_CHECK_OK(departures_->Expect(found.missing));
    FRESHET_CHECK_OK(snapshots_->ReadOn());
    // After it: a snapshot that was read on may have to start again.
    for (const auto& [table, why] : found.untold) snapshots_->Reread(table, AfterEverything(), why);
    JoinAll(&found);
    for (const auto& [table, why] : found.mended) ReadAgain(table, why);
    watching_->TakeMemos();
    for (const auto& shape : followed) {
      if (!lost_.ok()) FRESHET_CHECK_OK(OnProblem(shape->id, lost_));
    }
    FRESHET_CHECK_OK(TakeShown(&found));
    MonotonicTime now = context_.clock->Now();
    discover_at_ = now + limits::kDiscoverInterval;
    // Also in a run that ends within the interval.
    expire_at_ = poll_at_ = sealed_at_ = now;
    if (unsealed()) FRESHET_CHECK_OK(Seal());
    // Whoever has seen the segments through here knows every table that was there at the start.
    context_.Tell("gateway_started", {{"through", writer_->checkpoint().through.value()},
                                      {"tables", std::ssize(tables_.shapes())}});
    return Status::Ok();
  }

  Result<Captured> Loop(const std::stop_token& stop) {
    auto captured = Work(stop);
    report_.TellRest();
    return captured;
  }

 private:
  Result<Captured> Work(const std::stop_token& stop) {
    while (true) {
      if (stop.stop_requested()) return Stop();
      FRESHET_CHECK_OK(snapshots_->Work());
      FRESHET_CHECK_OK(LookAround());
      FRESHET_CHECK_OK(Mend());
      FRESHET_CHECK_OK(Answer());
      FRESHET_TRY(bool drained, Drained());
      if (drained) return Captured{.through = writer_->checkpoint().through};
      FRESHET_CHECK_OK(TakeEvent());
    }
  }

  bool unsealed() const { return writer_->dirty() || cursor_ != writer_->checkpoint().cursor; }
  SnapshotHolder* holder() { return options_.holder != nullptr ? options_.holder : &own_holder_; }

  /// Wishes, new tables, expiry: whichever is due.
  Status LookAround() {
    MonotonicTime now = context_.clock->Now();
    bool draining = options_.drain_requested && options_.drain_requested();
    if (draining != draining_ || now >= poll_at_) {
      draining_ = draining;
      poll_at_ = now + limits::kWishInterval;
      FRESHET_CHECK_OK(snapshots_->Poll(draining_));
      polled_draining_ = draining_;
      if (answers_) FRESHET_CHECK_OK(answers_->Poll());
    }
    if (snapshots_->TakeTableMissed() && departures_->empty()) discover_at_ = now;
    if (boundary_ && now >= discover_at_) FRESHET_CHECK_OK(Discover(Discovery::Depth::kAll));
    if (boundary_) FRESHET_CHECK_OK(watching_->Update(now));
    if (now >= expire_at_) FRESHET_CHECK_OK(ExpireDue());
    return Status::Ok();
  }

  /// Have the stream follow the tables that come; those that are locked come at a later look.
  Status WatchComing(Discovery::Found* found) {
    FRESHET_TRY(auto locked, watching_->Add(found->coming()));
    for (const auto& fresh : found->fresh) {
      if (locked.contains(fresh.shape->id)) watching_->Waits(fresh.shape->name);
    }
    found->LeaveForLater(locked);
    return Status::Ok();
  }

  /// What changed before the stream began to tell of them is in no change: they are read again.
  void JoinAll(Discovery::Found* found) {
    for (auto& joined : found->joined) {
      const TableId table = joined.shape->id;
      tables_.Join(std::move(joined));
      snapshots_->Reread(table, AfterEverything(), "the log tells of it by now");
    }
  }

  Status Discover(Discovery::Depth depth) {
    if (depth == Discovery::Depth::kAll)
      discover_at_ = context_.clock->Now() + limits::kDiscoverInterval;
    auto looked = discovery_.Look(depth);
    if (answers_) answers_->TakeUnseen({.why = looked.status(), .tables = {}});
    if (watching_->IsBlocked(looked.status())) return Status::Ok();
    FRESHET_TRY(auto found, std::move(looked));
    for (const auto& [table, why] : found.untold) snapshots_->Reread(table, AfterEverything(), why);
    FRESHET_CHECK_OK(TakeShown(&found));
    if (depth != Discovery::Depth::kFollowed) watching_->ForgetWaiting();
    // The stream first: what is committed from now on is in it, and the snapshot comes after.
    FRESHET_CHECK_OK(WatchComing(&found));
    if (answers_) answers_->TakeUnseen(watching_->Unseen(mending_->blocked()));
    for (auto& fresh : found.fresh) tables_.Follow(std::move(fresh));
    JoinAll(&found);
    for (const auto& [table, why] : found.mended) ReadAgain(table, why);
    watching_->TakeMemos();
    if (!watching_->any_waits() && mending_->blocked().empty()) watching_->Unblocked();
    return departures_->Expect(found.missing);
  }

  void DropPassed() {
    for (const TableId& table : departures_->TakePassed()) Drop(table);
  }

  /// The table is gone, and the stream past all that it told of it.
  void Drop(const TableId& table) {
    tables_.Drop(table, AfterEverything(), committed_at_);
    snapshots_->Stop(table);
    mending_->Done(table);
  }

  Status ExpireDue() {
    expire_at_ = context_.clock->Now() + limits::kExpiryInterval;
    auto rules = options_.expiry;
    rules.keep_from = snapshots_->needed_from();
    return Expire(context_, rules);
  }

  /// Tell those who asked how far everything is staged. The tables are looked at first, so that
  /// they are known which were made before the question.
  Status Answer() {
    if (!answers_ || !boundary_ || !mending_->stuck()) return Status::Ok();
    if (answers_->heard()) {
      FRESHET_CHECK_OK(Discover(Discovery::Depth::kAll));
      FRESHET_CHECK_OK(watching_->Update(context_.clock->Now()));
      return answers_->Ask();
    }
    if (!answers_->due()) return Status::Ok();
    if (unsealed()) FRESHET_CHECK_OK(Seal());
    return answers_->Give(writer_->checkpoint().through, watching_->Unseen(mending_->blocked()));
  }

  /// Whether the drain is done: snapshots finished, the followed tables looked at once more, then
  /// the stream past the source's position of that moment, all sealed.
  Result<bool> Drained() {
    if (!draining_ || !polled_draining_ || !snapshots_->idle()) {
      drain_ticket_.reset();
      return false;
    }
    if (!drain_ticket_) {
      if (!boundary_) return false;
      FRESHET_CHECK_OK(Discover(Discovery::Depth::kFollowed));
      FRESHET_CHECK_OK(watching_->Update(context_.clock->Now()));
      if (!snapshots_->idle()) return false;
      FRESHET_TRY(drain_ticket_, fence_->Ask());
    }
    if (!fence_->Passed(*drain_ticket_) || !boundary_ || !departures_->empty()) return false;
    if (!mending_->stuck()) return false;
    if (unsealed()) FRESHET_CHECK_OK(Seal());
    // All else is done; they are what this run was for, too, and come when it is tried again.
    FRESHET_CHECK_OK(watching_->Unseen(mending_->blocked()).why);
    return true;
  }

  Deadline NextDeadline() const {
    MonotonicTime now = context_.clock->Now();
    Deadline deadline = std::min(poll_at_, now + limits::kWishInterval);
    // Discovery waits for the end of the source transaction.
    if (boundary_) deadline = std::min(deadline, discover_at_);
    if (writer_->dirty()) deadline = std::min(deadline, now + limits::kCommitDelayMax);
    if (snapshots_->running())
      deadline = std::min(deadline, options_.snapshot_readers > 0 ? now + kWorkInterval : now);
    return deadline;
  }

  Status TakeEvent() {
    MonotonicTime asked_at = context_.clock->Now();
    Deadline deadline = NextDeadline();
    FRESHET_TRY(record::StreamEvent event, stream_->Next(deadline));
    bool idle = std::holds_alternative<record::Idle>(event);
    FRESHET_CHECK_OK(std::visit([&](auto& each) { return On(each); }, event));
    FRESHET_CHECK_OK(SealIfDue(idle));
    bool at_once = idle && was_idle_ && context_.clock->Now() - asked_at < kQuietPause;
    if (at_once) context_.clock->WaitUntil(std::min(deadline, asked_at + kQuietPause), {});
    was_idle_ = idle;
    return Status::Ok();
  }

  Status On(record::TableEvent& event) {
    // What a table consists of, that it ends here or could not be read is no part of a transaction.
    const bool apart = std::holds_alternative<record::PartitionsSeen>(event) ||
                       std::holds_alternative<record::TableFailed>(event) ||
                       std::holds_alternative<record::TableUnread>(event);
    if (!apart) boundary_ = false;
    return std::visit([&](auto& each) { return On(each); }, event);
  }
  Status On(record::ChangeBatch& batch) {
    if (!tables_.follows(batch.shape->id)) return Status::Ok();
    FRESHET_TRY(auto staged, tables_.Staged(batch));
    if (!staged) return Status::Ok();
    return writer_->Append(*staged);
  }
  Status On(record::ShapeChange& change) {
    const TableId table = change.after->id;
    if (!tables_.follows(table)) return Status::Ok();
    auto taken = tables_.TakeShape(*change.after, change.at);
    if (!taken.ok()) {
      FRESHET_CHECK_OK(OnProblem(table, taken.status()));
    } else if (*taken) {
      snapshots_->Restart(table, change.at, "the table's shape changed");
      snapshots_->Fill(table);
    }
    return Status::Ok();
  }
  Status On(record::TableEnd& end) {
    if (!tables_.follows(end.table)) return Status::Ok();
    if (end.kind == record::TableEnd::Kind::kDropped) {
      tables_.Drop(end.table, end.at, end.committed_at);
      snapshots_->Stop(end.table);
      departures_->Forget(end.table);
      return Status::Ok();
    }
    context_.Tell("table_truncated", {{"table", tables_.shape(end.table)->name.ToString()}});
    writer_->Note(staging::TableEnded{
        .kind = end.kind, .table = end.table, .at = end.at, .committed_at = end.committed_at});
    snapshots_->Restart(end.table, end.at, "the table was truncated");
    return Status::Ok();
  }
  Status On(record::RowsUntold& untold) {
    if (tables_.follows(untold.table)) snapshots_->Reread(untold.table, untold.at, untold.why);
    return Status::Ok();
  }
  Status On(record::PartitionsSeen& seen) {
    if (!tables_.follows(seen.table)) return Status::Ok();
    auto why = tables_.TakePartitions(seen.table, seen.partitions);
    if (why) snapshots_->Reread(seen.table, AfterEverything(), *why);
    return Status::Ok();
  }
  Status On(record::TableFailed& failed) { return OnProblem(failed.table, failed.why); }
  Status On(record::TableUnread& unread) {
    if (!tables_.follows(unread.table)) return Status::Ok();
    const std::string table = tables_.shape(unread.table)->name.ToString();
    if (unread.why.ok()) {
      context_.Tell("table_readable", {{"table", table}});
      return Status::Ok();
    }
    context_.Tell("table_unread", {{"table", table},
                                   {"class", std::string(NameOf(unread.why.error_class()))},
                                   {"reason", std::string(unread.why.message())},
                                   {"remedy", std::string(unread.why.remedy())}});
    return Status::Ok();
  }
  Status On(record::Commit& commit) {
    boundary_ = true;
    watching_->TakeMemos();
    cursor_ = std::move(commit.cursor);
    committed_at_ = std::max(committed_at_, commit.committed_at);
    return Status::Ok();
  }
  Status On(record::Idle&) {
    FRESHET_CHECK_OK(fence_->OnIdle());
    DropPassed();
    return Status::Ok();
  }
  static Status On(record::Nothing&) { return Status::Ok(); }

  /// A table cannot be followed as it is: it is put off, to be read again, or ends.
  Status OnProblem(const TableId& table, const Status& why) {
    Status ends = why;
    if (Mending::Mends(why) || Mending::IsLoss(why.error_class())) {
      // The stream may still have more of what it was.
      if (!tables_.follows(table)) return Status::Ok();
      const bool logged = tables_.shape(table)->logged;
      bool again = logged && tables_.policy(table) == OnSchemaChange::kEvolve;
      if (Mending::IsLoss(why.error_class())) {
        FRESHET_TRY(again, MayReadLost(context_, table));
      } else if (!again && logged) {
        ends = Paused(tables_.shape(table)->name, why.message());
      }
      if (again) {
        ReadAgain(table, why);
        tables_.PutOff(table);
        return mending_->PutOff(table);
      }
    }
    tables_.Break(table, ends);
    snapshots_->Stop(table);
    mending_->Done(table);
    departures_->Forget(table);
    return Status::Ok();
  }

  /// The generations that were read of a table end here, and others take their places.
  void ReadAgain(const TableId& table, const Status& why) {
    context_.Tell("refresh_needed", {{"table", tables_.shape(table)->name.ToString()},
                                     {"class", std::string(NameOf(why.error_class()))},
                                     {"reason", why.message()}});
    snapshots_->Reread(table, AfterEverything(), why.message());
  }

  /// What discovery found out of tables that are followed.
  Status TakeShown(Discovery::Found* found) {
    for (const auto& [table, name] : found->renamed) tables_.Rename(table, name);
    for (const auto& [table, why] : found->lost) FRESHET_CHECK_OK(OnProblem(table, why));
    for (const auto& [table, why] : found->problems) FRESHET_CHECK_OK(OnProblem(table, why));
    for (auto& shown : found->ahead) FRESHET_CHECK_OK(mending_->Expect(std::move(shown)));
    return Status::Ok();
  }

  /// Go on with tables that waited for the stream to pass what they were.
  Status Mend() {
    for (const auto& [table, why] : snapshots_->TakeProblems())
      FRESHET_CHECK_OK(OnProblem(table, why));
    MonotonicTime now = context_.clock->Now();
    if (!boundary_ || mending_->empty() || now < mend_at_) return Status::Ok();
    FRESHET_TRY(auto due, mending_->Passed(draining_));
    if (watching_->IsBlocked(due.blocked)) mend_at_ = now + limits::kDiscoverInterval;
    for (const auto& [table, why] : due.problems) FRESHET_CHECK_OK(OnProblem(table, why));
    for (const TableId& table : due.changed) {
      snapshots_->Restart(table, AfterEverything(), "the table's shape changed");
      snapshots_->Fill(table);
    }
    for (const TableId& table : due.gone) Drop(table);
    if (due.fresh.empty()) return Status::Ok();
    FRESHET_TRY(auto locked, watching_->Add(due.fresh));
    if (!locked.empty()) mend_at_ = now + limits::kDiscoverInterval;
    for (auto& fresh : due.fresh) {
      if (locked.contains(fresh.shape->id)) {
        mending_->Block(fresh.shape->id);
        continue;
      }
      mending_->Done(fresh.shape->id);
      tables_.Follow(std::move(fresh));
    }
    watching_->TakeMemos();
    // What they wait for is to be begun before anything is said to be done.
    poll_at_ = now;
    polled_draining_ = false;
    return Status::Ok();
  }

  Status SealIfDue(bool quiet) {
    report_.TellDue();
    if (!boundary_) return Status::Ok();
    bool moved = cursor_ != writer_->checkpoint().cursor &&
                 context_.clock->Now() - sealed_at_ >= limits::kIdlePositionInterval;
    return (writer_->dirty() ? writer_->SealDue() || quiet : moved) ? Seal() : Status::Ok();
  }

  /// Make the open segment durable, then let the source forget what it holds.
  Status Seal() {
    bool moved = cursor_ != writer_->checkpoint().cursor;
    FRESHET_TRY(record::SegmentNumber number, writer_->Seal(cursor_, committed_at_));
    sealed_at_ = context_.clock->Now();
    report_.OnSealed(number, committed_at_, *stream_);
    if (moved) FRESHET_CHECK_OK(stream_->Acknowledge(cursor_));
    return snapshots_->OnSealed();
  }

  /// Read on to the end of the source transaction, if that is near, so that what came before it is
  /// not read again.
  Status Stop() {
    Deadline deadline = context_.clock->Now() + limits::kStopDelayMax;
    while (!boundary_ && context_.clock->Now() < deadline) FRESHET_CHECK_OK(TakeEvent());
    if (boundary_ && writer_->dirty()) FRESHET_CHECK_OK(Seal());
    return Error(ErrorClass::CANCELLED, "the gateway was stopped");
  }

  const Context context_;
  const std::unique_ptr<staging::StagingWriter> writer_;
  const GatewayOptions& options_;
  SealedReport report_;
  Tables tables_;
  Discovery discovery_;
  HeldSnapshots own_holder_;
  record::Cursor cursor_;   // of the last Commit
  UtcMicros committed_at_;  // the newest source commit captured
  bool boundary_ = true;    // no source transaction is open
  bool was_idle_ = false;
  bool draining_ = false;
  bool polled_draining_ = false;
  std::optional<StreamFence::Ticket> drain_ticket_;
  MonotonicTime discover_at_, expire_at_, poll_at_, sealed_at_, mend_at_;
  std::unique_ptr<sources::ChangeStream> stream_;
  std::optional<Watching> watching_;
  std::optional<StreamFence> fence_;
  std::optional<Departures> departures_;
  std::optional<Mending> mending_;
  std::optional<Answers> answers_;
  Status lost_;                         // what the source did not have any more at the beginning
  std::optional<Snapshots> snapshots_;  // last: its threads use the writer
};

}  // namespace

struct Gateway::Rep {
  sources::Source* source;
  std::shared_ptr<store::FileStore> staging;
  Clock* clock;
  record::Observer* observer;
  GatewayOptions options;
};

Gateway::Gateway(sources::Source* source, std::shared_ptr<store::FileStore> staging, Clock* clock,
                 record::Observer* observer, GatewayOptions options)
    : rep_(std::make_unique<Rep>(Rep{.source = source,
                                     .staging = std::move(staging),
                                     .clock = clock,
                                     .observer = observer,
                                     .options = std::move(options)})) {}
Gateway::~Gateway() = default;

Result<Captured> Gateway::Run(const std::stop_token& stop) {
  FRESHET_TRY(auto writer, staging::StagingWriter::Open(rep_->staging, rep_->clock));
  Context context{.source = rep_->source,
                  .writer = writer.get(),
                  .staging = rep_->staging.get(),
                  .clock = rep_->clock,
                  .observer = rep_->observer,
                  .policies = &rep_->options.policies};
  Capture capture(context, std::move(writer), rep_->options);
  FRESHET_CHECK_OK(capture.Begin());
  return capture.Loop(stop);
}

}  // namespace freshet::capture
