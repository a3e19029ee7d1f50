// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "capture/context.h"
#include "capture/rereads.h"
#include "capture/snapshot_holder.h"
#include "capture/snapshot_pace.h"
#include "capture/snapshot_readers.h"
#include "capture/snapshot_taker.h"
#include "capture/stream_fence.h"
#include "capture/tables.h"
#include "staging/wishes.h"

namespace freshet::capture {

/// The generations a gateway reads: from wishes, over shared snapshots of the source, to parts
/// named in manifests. Used by the capture thread only; the readers are its own threads.
///
///   ReadOn   what an earlier gateway left: the chunks that are not staged, from the same snapshot
///            if it is still held; else from a later one, or the generation is abandoned
///   Poll     wishes above a flow's newest generation, and successors of abandoned ones → one
///            snapshot for all is asked for; it is taken beside this thread
///   Work     begin its tables as the readers come to them; finished chunks → parts and ChunkDone
///            noted together; the last one ends the
///            generation; hand out the next chunks
///   Restart  the table changed under its snapshot: abandon, the next Poll begins the successor
///            a table that the log does not tell of is due → its next generation, a difference
///   Reread   its rows changed in a way that no change tells: finished snapshots are abandoned too
///   Fill     it has columns that no change fills: a generation of the key and these alone, which
///            ends once the stream has passed its snapshot; its successors are such ones too
class Snapshots {
 public:
  using Key = std::pair<TableId, staging::FlowId>;
  using GenerationBegun = staging::GenerationBegun;

  struct Options {
    int readers = 0;
    std::chrono::milliseconds reread_interval{};
    Rereads::Selects selects;  // which tables are to be read again
    // whose snapshots are read; null: everybody's
    std::function<bool(const staging::FlowId&)> serves;
    // whoever waits for a table that could not be read learns it from staging
    bool tells_unread = false;
  };
  Snapshots(Context context, Tables* tables, StreamFence* fence, SnapshotHolder* holder,
            Options options);

  /// Read on what an earlier gateway did not finish. Errors: the source's.
  Status ReadOn();
  /// Look at the wishes and begin what they ask for. `settled`: no more are to come, so begin at
  /// once. A table that was read since they settled and has to be read again then waits for a later
  /// gateway, unless somebody asks for it: it holds what was asked for, and its partitions may come
  /// and go for ever.
  /// Errors: the source's, the store's.
  Status Poll(bool settled);
  /// Take what the readers finished and give them more; without reader threads, read one chunk
  /// here.
  Status Work();
  /// The table changed at `at`: a snapshot that does not hold the change starts again.
  void Restart(const TableId& table, Sequence at, const std::string& why);
  /// The table's shape changed: read columns alone that no change fills, for every flow that has
  /// all else.
  void Fill(const TableId& table);
  /// Rows of the table came or went at `at` without changes that say so: every snapshot that does
  /// not hold them starts again, also one that is complete.
  void Reread(const TableId& table, Sequence at, const std::string& why);
  /// The table is no longer followed: its generations are left where they are.
  void Stop(const TableId& table);

  /// All that was noted is durable: let go of the snapshots that nobody will read from again, and
  /// of parts that nobody will.
  Status OnSealed();

  /// Nothing runs and nothing was wanted at the last Poll.
  bool idle() const { return running_.empty() && wanted_.empty() && !taking(); }
  /// What is wrong with tables that were to be read, since the last call: stop them, or read them
  /// again.
  std::vector<std::pair<TableId, Status>> TakeProblems() { return std::exchange(problems_, {}); }
  /// Whether Work has something to wait for.
  bool running() const { return !running_.empty() || taking(); }
  /// Segments from here on hold changes of tables that are about to be begun; nothing: none is.
  std::optional<staging::SegmentNumber> needed_from() const {
    return taking() ? std::optional(first_segment_) : std::nullopt;
  }
  /// A wished table was not found at the source: discovery should look, since the last call.
  bool TakeTableMissed() { return std::exchange(table_missed_, false); }

 private:
  struct Running {
    staging::GenerationBegun begun;
    std::shared_ptr<sources::Snapshot> snapshot;
    std::shared_ptr<const record::TableShape> shape;  // to read it in
    // of some columns alone, or of two moments: passed before it ends
    std::optional<StreamFence::Ticket> fence = {};
    std::deque<sources::Chunk> waiting;  // not handed out yet
    int64_t chunks_left = 0;
    int64_t rows = 0;
    int64_t values_nulled = 0;
    std::stop_source stop;
    std::shared_ptr<std::atomic<int64_t>> rows_read = std::make_shared<std::atomic<int64_t>>(0);
    MonotonicTime begun_at, told_at;
    SnapshotPace pace{begun_at, 0};
  };
  using Views = std::map<std::string, std::shared_ptr<sources::Snapshot>>;
  /// The source shows another shape than the stream has announced: waits until the stream has
  /// passed the snapshot that showed it.
  struct Ahead {
    record::TableShape shape;
    StreamFence::Ticket ticket;
  };

  /// The newest generation of a flow. REQUIRES: there is one.
  const staging::GenerationState& StateOf(const Key& key) const;
  std::map<Key, staging::Generation> Wanted(const std::vector<staging::Wish>& wishes) const;
  /// Generations of some columns alone that are due: of all tables, of one.
  void AddFills(std::map<Key, staging::Generation>* wanted) const;
  void AddFills(const TableId& table, const staging::TableState& state,
                std::map<Key, staging::Generation>* wanted) const;
  void AddRests(std::map<Key, staging::Generation>* wanted) const;
  /// Whether the flow's next generation is one of some columns; its state is that of the last.
  bool IsFill(const Key& key, const staging::GenerationState& state) const;
  /// See to it that the generation, if changes are to be applied along with it, ends behind its
  /// snapshot.
  Status SetFence(Running* running);
  /// End what is read, as far as it may end.
  void EndRead();
  /// The table is not what it was, or not there: reading it from a later snapshot can help.
  static bool IsStale(const Status& status);
  bool MayWait(const Key& key) const;
  bool taking() const { return taker_.busy() || beginning_ != nullptr; }
  Status ForgetAnswered(const std::vector<staging::Wish>& wishes);
  void NoteWished(const std::vector<staging::Wish>& wishes);
  /// Of the taker's thread: have one taken and held, and open it.
  SnapshotTaker::Taken TakeSnapshot() const;
  /// Take over the snapshot that was asked for, when it is there.
  Status TakeTaken();
  /// Begin the next of its tables, as many as keep the readers busy.
  Status BeginSome();
  Status BeginNext(const Key& key, staging::Generation generation);
  /// Begin a generation of all the table's columns, or its rest, if it has one.
  Status BeginWhole(const Key& key, staging::Generation generation,
                    const std::shared_ptr<const record::TableShape>& shape);
  Status EndBeginning();
  int64_t chunks_waiting() const;
  Status HoldOff(const Status& why);
  /// Whether tables that were read are followed, beside those that wait for a snapshot.
  bool OthersGoOn() const;
  /// Return the shape to read a table in, or nothing when it cannot be read from this snapshot.
  Result<std::shared_ptr<const record::TableShape>> ShapeFor(sources::Snapshot& snapshot,
                                                             const TableId& table);
  Result<std::shared_ptr<const record::TableShape>> ShapeAhead(const record::TableShape& shown,
                                                               Sequence position);
  Status Begin(const Key& key, staging::Generation generation,
               const std::shared_ptr<sources::Snapshot>& snapshot,
               const std::shared_ptr<const record::TableShape>& shape,
               staging::SegmentNumber first_segment);
  /// Return the snapshot of the generation, or nothing when it is gone.
  Result<std::shared_ptr<sources::Snapshot>> ViewOf(const staging::GenerationState& state,
                                                    Views* views) const;
  Status Continue(const Key& key, const staging::GenerationState& state,
                  std::shared_ptr<sources::Snapshot> snapshot);
  /// Whether what is left of the generation can be read from another snapshot.
  bool MayRest(const Key& key) const;
  /// Have the rest of a generation, whose snapshot is lost, read from a later one, where that can
  /// be. False, and nothing done: it cannot.
  bool LeaveRest(Key key, const std::string& why);
  /// Chunks on their way are given up; nothing is noted.
  void StopReading(const Key& key);
  /// The table changed at `at`: generations whose rest waits for a snapshot start again.
  void RestartRests(const TableId& table, Sequence at, const std::string& why, bool untold);
  /// Flows that want all of a table to be of one moment ask for it anew: no more of the rest is
  /// read for them.
  void GiveUpRests();
  /// Go on with the generation from the snapshot that was taken. False: it is abandoned instead.
  /// Errors: as Snapshot::PlanRest.
  Result<bool> BeginRest(const Key& key, staging::Generation generation,
                         const std::shared_ptr<const record::TableShape>& shape);
  void End(const Key& key, Running& running);
  /// `untold`: its rows, and those of every earlier generation, are no longer what the changes make
  /// of them.
  void Abandon(const Key& key, const std::string& why, bool untold);
  void Restart(const TableId& table, Sequence at, const std::string& why, bool untold);
  /// A generation that holds what no change tells takes the place of those that do not.
  void EndFormer(const GenerationBegun& begun, const std::string& why);
  Status OnResult(ChunkResult result);
  /// See to a table that the log does not tell of and that could not be read: it alone is left
  /// until its next time. False: that is not so.
  bool LeaveUnread(const TableId& table, const Status& why);
  void LeaveUnread(const Key& key, const Status& why);
  /// The same of all that a snapshot was asked for; false, and nothing done, where that is not so
  /// of one.
  bool LeaveAllUnread(const Status& why);
  /// Tell those who wait what became of readings, and hear who wants another try.
  Status TellUnread(const std::vector<staging::Wish>& wishes);
  /// Parts of readings that a later one has taken the place of.
  Status RemoveObsolete();
  void HandOut();
  void TellProgress();
  void TellProgress(const Key& key, Running& running);
  int snapshots_open() const;

  const Context context_;
  Tables* const tables_;
  StreamFence* const fence_;
  SnapshotHolder* const holder_;
  const std::function<bool(const staging::FlowId&)> serves_;
  const bool tells_unread_;
  std::set<std::string> held_;  // what the holder has for us
  std::map<Key, staging::Generation> wanted_;
  bool settled_ = false;  // no more wishes are to come
  int polls_unsettled_ = 0;
  // The snapshot that is being taken, or whose tables are being begun: for which tables still, and
  // the first segment that can hold a change beyond it.
  std::shared_ptr<sources::Snapshot> beginning_;
  bool begun_some_ = false;
  Status blocked_;  // one of its tables was
  std::map<Key, staging::Generation> taking_;
  staging::SegmentNumber first_segment_;
  bool blocked_told_ = false;
  MonotonicTime begin_after_{};
  std::set<Key> begun_settled_;
  std::set<Key> wished_;  // for which a whole one is asked, at the last look
  std::map<Key, Running> running_;
  std::set<Key> rests_;  // whose rest waits for a snapshot
  std::map<TableId, Ahead> ahead_;
  bool table_missed_ = false;
  std::vector<std::pair<TableId, Status>> problems_;
  Rereads rereads_;
  std::map<Key, Status> unread_;  // to be told; OK: read since
  // Earlier differences, whose parts are of no use once a later one has ended; and is durable.
  std::map<Key, std::vector<staging::Generation>> superseded_, obsolete_;
  SnapshotReaders readers_;
  SnapshotTaker taker_;
};

}  // namespace freshet::capture
