// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>

#include "base/clock.h"
#include "catalog/catalog.h"
#include "pipeline/event_table.h"
#include "pipeline/event_target.h"
#include "pipeline/pipeline_book.h"

namespace freshet::pipeline {

/// Publishes the events of pipelines as the tables that their `event_log` names: a thread of the
/// server's, for the book is its alone.
///
///   Step:  a pipeline was authored         → where it publishes is read anew
///          it has events that are not published → they wait a few seconds for more
///          its update has ended, or it waited → one commit, or several of so many events
///          it fails                        → told in the pipeline's own log, again after a while
///
/// How far a table has come it says itself, so that the next server goes on from there. Nothing is
/// published for a pipeline that the book has closed. Thread-safe but for Step, which one thread
/// calls.
class EventPublisher {
 public:
  struct Parts {
    PipelineBook* book = nullptr;
    catalog::Catalog* catalog = nullptr;
    Clock* clock = nullptr;
  };
  explicit EventPublisher(Parts parts) : parts_(parts) {}
  ~EventPublisher() { Stop(); }

  void Start();
  void Stop();
  /// Publish what is due.
  void Step();

  /// Let the events of a pipeline wait no longer: its update has ended.
  void Hurry(const std::string& pipeline);
  /// Return once nothing is being published for a pipeline that the book has closed; with `rest`
  /// after all its events are. Errors: what keeps these from it.
  Status Leave(const PipelineRecord& pipeline, bool rest);

 private:
  struct Publication {
    PipelineRecord pipeline;
    EventTarget target;
    bool waiting = true;  // it has events that are not published, as far as is known
    MonotonicTime due{};  // not before
    std::string entry{};  // the table's in the catalog
    std::unique_ptr<EventTable> table{};
    std::string trouble{};  // the class of what was told last; empty: all is well
  };

  /// See what is to be published where by now, and what is new.
  Status Look();
  Status LookAtPipelines();
  /// Publish, unless the pipeline is being deleted.
  void Attend(Publication* publication);
  Status Publish(Publication* publication);
  Status OpenTable(Publication* publication);
  void Tell(Publication* publication, const Status& why);
  void Wait(const std::stop_token& stop);

  const Parts parts_;
  // Of Step.
  std::map<std::string, Publication> publications_;  // by pipeline
  int64_t revision_ = -1;                            // the book's at the last look
  int64_t seen_ = 0;                                 // the newest event that was looked at

  std::mutex mutex_;
  std::condition_variable_any changed_;
  // Below protected by mutex_.
  std::set<std::string> hurried_;
  std::string busy_;     // the pipeline that is being published for
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace freshet::pipeline
