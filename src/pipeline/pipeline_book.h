// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "store/database.h"

namespace freshet::pipeline {

/// The tables that this module keeps in the server's database.
extern const store::Migrations kMigrations;

/// A pipeline as it was authored. `spec` and `parameters` are JSON texts, kept as they came.
struct PipelineRecord {
  std::string id{}, name{}, spec{}, parameters{}, run_as{}, creator{};
  bool continuous = false;
  int64_t created_at = 0, modified_at = 0;  // milliseconds since 1970, UTC
};

/// The published states of an update, in the order that a good one takes them.
enum class UpdateState : uint8_t {
  kQueued,
  kCreated,
  kWaitingForResources,
  kInitializing,
  kResetting,
  kSettingUpTables,
  kRunning,
  kStopping,
  kCompleted,
  kFailed,
  kCanceled
};
/// `WAITING_FOR_RESOURCES`: the published spelling.
std::string_view NameOf(UpdateState state);
std::optional<UpdateState> UpdateStateOf(std::string_view name);
/// Whether nothing comes after it.
bool IsFinal(UpdateState state);

/// One run of a pipeline. `request` is the JSON text that it was asked for with.
struct UpdateRecord {
  std::string id{}, pipeline{}, cause{}, request{};
  UpdateState state = UpdateState::kCreated;
  int64_t number = 0;  // grows over all updates
  int64_t created_at = 0;
};

/// One line of a pipeline's event log; `details`, `error` and `origin` are JSON texts, or empty.
struct EventRecord {
  int64_t number = 0;  // grows over all events; 0: none yet
  std::string id{}, pipeline{}, update{}, level{}, type{}, message{}, details{}, error{}, origin{};
  std::string at{};  // ISO 8601, UTC; empty: now
};

/// A condition on events, from the published filter grammar: a field and what it may be.
struct EventCondition {
  std::string field;      // level, event_type, update_id, id, timestamp
  std::string operation;  // =, in, <, <=, >, >=
  std::vector<std::string> values;
};
struct EventRequest {
  std::vector<EventCondition> conditions{};
  bool oldest_first = false;
  int64_t rows = 0;
  int64_t after = 0;  // a former page's last number; 0: from the beginning
};

/// What the server remembers of pipelines: their specifications, updates and events. Thread-safe.
class PipelineBook {
 public:
  PipelineBook(store::Database* database, const Clock* clock)
      : database_(database), clock_(clock) {}

  /// Do what authors pipelines, one after the other, so that what it looked at before it wrote is
  /// still so when it writes. It may read and write, but wait for no source.
  Status Author(const std::function<Status()>& work);

  /// Errors: ALREADY_EXISTS (the name, unless `duplicates`).
  Result<PipelineRecord> Add(PipelineRecord record, bool duplicates);
  /// Errors: NOT_FOUND.
  Result<PipelineRecord> Get(const std::string& id);
  /// In the order of name or id. `like`: the pattern that the name has, by SQL's `%` and `_`;
  /// empty: any. Those that come after the pipeline of this name and id, which may be gone by now;
  /// no id: from the beginning.
  struct ListRequest {
    std::string like{};
    bool by_name = true, descending = false;
    int64_t rows = 0;
    std::string after_name{}, after_id{};
  };
  Result<std::vector<PipelineRecord>> List(const ListRequest& request);
  /// Return those that have an `event_log`.
  Result<std::vector<PipelineRecord>> Publishing();
  /// Return those that have a `restart_window`.
  Result<std::vector<PipelineRecord>> WithRestartWindow();
  /// Return the ingestion pipelines whose gateway this is, the oldest first.
  Result<std::vector<PipelineRecord>> Over(const std::string& gateway);
  /// A number that is another one after each pipeline that was added, edited or removed.
  int64_t revision() const { return revision_; }
  /// Replace what was authored. Errors: NOT_FOUND; ALREADY_EXISTS (the name); DESTINATION_BUSY
  /// (it was modified after `expected`, unless that is 0).
  Status Edit(const PipelineRecord& record, bool duplicates, int64_t expected);
  /// With its updates and events.
  Status Remove(const std::string& id);

  /// Refuse updates of the pipeline from now on: it is being deleted. False: it is already refusing
  /// them for another, who alone ends that. Not remembered.
  bool Close(const std::string& id);
  void Reopen(const std::string& id);
  bool IsClosed(const std::string& id) const;

  using Tell = std::function<std::vector<EventRecord>(const UpdateRecord&)>;
  /// Begin an update, and note what `tell` says of it in the same breath. Errors: DESTINATION_BUSY
  /// (one is active, or the pipeline is being deleted), NOT_FOUND.
  Result<UpdateRecord> Begin(const std::string& pipeline, const std::string& cause,
                             const std::string& request, const Tell& tell = {});
  /// Errors: NOT_FOUND.
  Result<UpdateRecord> GetUpdate(const std::string& pipeline, const std::string& id);
  /// The newest first; below the number `before` unless it is 0.
  Result<std::vector<UpdateRecord>> Updates(const std::string& pipeline, int64_t rows,
                                            int64_t before);
  /// Return the update that is under way, if one is.
  Result<std::optional<UpdateRecord>> Active(const std::string& pipeline);
  /// Return those that a former server left under way, the oldest first.
  Result<std::vector<UpdateRecord>> Unfinished();
  /// Note the state and its event together; false: it is final already, or stopping, and stays so.
  Result<bool> Enter(const UpdateRecord& update, UpdateState state, EventRecord event);

  /// End an update as canceled, with its event, and begin the next one of its pipeline in the same
  /// breath, so that no server's end comes in between. Nothing: none was begun, for the update is
  /// being stopped, or has ended, or the pipeline is being deleted.
  Result<std::optional<UpdateRecord>> Succeed(const UpdateRecord& update, EventRecord event,
                                              const std::string& cause, const std::string& request,
                                              const Tell& tell = {});

  Status AddEvent(EventRecord event);
  Result<std::vector<EventRecord>> Events(const std::string& pipeline, const EventRequest& request);
  /// Return the number that the newest event got, whoever's; 0: none was ever noted.
  Result<int64_t> NewestEvent();
  /// Return the pipelines that have events with numbers above this.
  Result<std::set<std::string>> PipelinesWithEvents(int64_t after);
  /// Give later events numbers above this one.
  Status NumberEventsAbove(int64_t number);

 private:
  Status Insert(store::Session& session, EventRecord event) const;
  UpdateRecord NewUpdate(const std::string& pipeline, const std::string& cause,
                         const std::string& request) const;
  Status InsertUpdate(store::Session& session, const Tell& tell, UpdateRecord* update) const;
  Status SetState(store::Session& session, const UpdateRecord& update, UpdateState state,
                  EventRecord event) const;
  int64_t NowMs() const { return clock_->WallNow() / 1000; }

  store::Database* const database_;
  const Clock* const clock_;
  std::mutex authoring_;  // held by Author
  mutable std::mutex mutex_;
  std::set<std::string> closing_;  // protected by mutex_
  std::atomic<int64_t> revision_ = 0;
};

}  // namespace freshet::pipeline
