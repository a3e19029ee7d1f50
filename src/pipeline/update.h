// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "apply/table_applier.h"
#include "base/clock.h"
#include "pipeline/flow_book.h"
#include "pipeline/spec.h"
#include "record/observer.h"
#include "staging/reader.h"
#include "staging/wishes.h"

namespace freshet::pipeline {

/// One pipeline's reading half: every selected table of a staging into its Delta table. A loop over
/// interfaces, so that tests and simulation run it in one thread (`threads = 0`). Not thread-safe;
/// a crash anywhere is repaired by opening it again.
///
///   Step:  list what was staged since
///          a table without a flow     → claim its folder; of one that is not chosen: leave all as
///                                     it is
///          every flow with work       → one commit each, side by side
///          a table that fails         → reported, left; the others go on
///          a flow without a snapshot  → wish one
///          a wish that could not be fulfilled → reported, and waited for no longer
///
/// Events: table_found, table_excluded, table_committed, table_current, table_refreshing,
/// table_failed, table_unread, segment_seen, wished.
/// Source: docs/guide/command-line.md, "Events".
class Update {
 public:
  using OpenApplier = std::function<Result<std::unique_ptr<apply::TableApplier>>(
      apply::Flow, apply::TableApplier::Context)>;
  struct Parts {
    staging::StagingReader* staging = nullptr;
    std::shared_ptr<store::FileStore> root;  // the destination's
    std::string staging_prefix;              // of the staging in `root`
    apply::KeyIndex* index = nullptr;
    std::string scratch_folder = {};
    Clock* clock = nullptr;
    record::Observer* observer = nullptr;
    OpenApplier open_applier = apply::TableApplier::Open;
  };
  struct Options {
    PipelineSpec spec;
    record::PipelineId pipeline{kOnlyPipeline};
    /// Wish that tables the log does not tell of are read once more, as a run with a gateway of its
    /// own has them read.
    bool reread = false;
    int threads = 2;  // 0: in the caller's
  };
  /// Registers the pipeline as a reader of the staging first. Errors: STORE_*, STAGING_CORRUPT,
  /// DATA_CORRUPT.
  static Result<std::unique_ptr<Update>> Open(Parts parts, Options options);
  ~Update();

  struct Round {
    record::SegmentNumber through;  // everything staged up to here was seen
    bool worked = false;            // something was committed or found
    bool settled = false;           // no table can go further with what is staged
    bool staged = false;            // so is every snapshot that was wished and can be taken
    bool reread = false;            // a table was compared with a new reading of it
  };
  /// Errors: CANCELLED, and what concerns every table (STORE_*, COMMIT_ZOMBIE, STAGING_EXPIRED of
  /// the list).
  Result<Round> Step(const std::stop_token& stop);
  /// Say of tables that never were whole, and wait to be read anew, that they failed: to be called
  /// when nobody reads any more.
  void FailStale();
  /// Publish how far all flows are, and let staging forget what nobody needs.
  Status Tidy();

 private:
  struct FlowState;
  struct Outcome;
  Update(Parts parts, Options options, FlowBook book);
  Status Register();
  Result<bool> TakeSegments();
  Status SkipExpired();
  Status AddFlows();
  Status WishAll();
  /// Whether a flow that lost changes waits for a generation that was wished, or is wished now.
  Result<bool> WaitsForRefresh(const FlowState& flow, const Status& why);
  bool MayRefresh(const staging::TableState& state, const staging::GenerationState& newest) const;
  static void Revive(FlowState& flow, const staging::TableState& state);
  Status AddFlow(const record::TableId& table, const staging::TableState& state);
  void Exclude(FlowState& flow) const;
  Status Wish(FlowState& flow, const staging::TableState& state);
  /// Hear which tables without a log could not be read, for once those are all that is waited for.
  Status TakeUnread();
  bool IsStaged(const FlowState& flow) const;
  /// Whether the flow asked for a newer snapshot than that one.
  bool HasWished(const record::FlowId& flow, record::Generation above) const;
  bool AllStaged() const;
  Result<std::unique_ptr<apply::TableApplier>> OpenFlow(const FlowState& flow);
  std::vector<FlowState*> FlowsWithWork();
  std::vector<Outcome> ApplyAll(const std::vector<FlowState*>& flows, const std::stop_token& stop);
  Status TakeOutcome(FlowState& flow, const Result<apply::Applied>& result);
  Status Created(const FlowState& flow);
  void Fail(FlowState& flow, const Status& why);
  FlowState* FlowOf(const record::TableId& table);

  Parts parts_;
  const Options options_;
  FlowBook book_;
  std::shared_ptr<store::FileStore> staging_store_;
  staging::Checkpoint checkpoint_;
  staging::ReaderRecord reader_;
  std::set<record::FlowId> created_;
  std::map<record::TableId, std::unique_ptr<FlowState>> flows_;
  std::set<staging::Wish> wished_;  // and those that stood when this began
  bool opened_ = false;
};

}  // namespace freshet::pipeline
