// SPDX-License-Identifier: Apache-2.0
#include "pipeline/event_table.h"

#include <arrow/array/util.h>

#include <algorithm>

#include "apply/compaction.h"
#include "apply/data_writer.h"
#include "base/limits.h"
#include "base/log.h"
#include "pipeline/event_rows.h"
#include "record/arrow_status.h"

namespace freshet::pipeline {
namespace {

/// What the mark of such a table names where a flow's names its staging.
constexpr char kEvents[] = "event_log";

std::string TxnOf(const std::string& pipeline) { return pipeline + "/events"; }

apply::TableMark MarkOf(const std::string& pipeline) {
  apply::TableMark mark;
  mark.staging = mark.flow = mark.table = kEvents;
  mark.pipeline = pipeline;
  mark.complete = true;
  return mark;
}

/// For every reader there is: nothing is ever marked dead here by us. A few bytes each several
/// seconds are soon many files, so what is superseded does not stay as long as in other tables.
std::map<std::string, std::string> Properties() {
  return {{"delta.enableDeletionVectors", "false"},
          {"delta.deletedFileRetentionDuration", "interval 1 days"},
          {"delta.logRetentionDuration", "interval 2 days"}};
}

/// Nobody is told how the server keeps its own tables.
class Unheard final : public record::Observer {
 public:
  void OnEvent(const record::Event&) override {}
};

}  // namespace

TableOwner EventTable::OwnerOf(const std::string& pipeline) { return {kEvents, pipeline}; }

EventTable::EventTable(std::shared_ptr<store::FileStore> folder, std::string pipeline, Clock* clock)
    : folder_(std::move(folder)),
      pipeline_(std::move(pipeline)),
      clock_(clock),
      table_(folder_),
      observer_(std::make_unique<Unheard>()),
      housekeeping_(&table_, "the event log of " + pipeline_, limits::kCommitsPerCheckpoint, clock,
                    observer_.get()) {}

Result<std::unique_ptr<EventTable>> EventTable::Open(std::shared_ptr<store::FileStore> folder,
                                                     const std::string& pipeline, Clock* clock) {
  std::unique_ptr<EventTable> table(new EventTable(std::move(folder), pipeline, clock));
  auto found = table->Refresh();
  if (found.Is(ErrorClass::NOT_FOUND)) {
    found = table->Make();
    // Who authors the pipeline and who publishes for it may both begin.
    if (!found.ok()) {
      auto theirs = table->Refresh();
      if (!theirs.Is(ErrorClass::NOT_FOUND)) found = std::move(theirs);
    }
  }
  FRESHET_CHECK_OK(found);
  return table;
}

Status EventTable::Make() {
  FRESHET_TRY(auto files, folder_->List("", "", 1, true));
  if (!files.empty())
    return Error(ErrorClass::TABLE_FOREIGN, "the folder holds files that are not ours: {}",
                 files[0].path);
  auto actions = apply::DescribeNew(EventColumns(), MarkOf(pipeline_),
                                    {.comment = {}, .properties = Properties()}, NowMs());
  actions.emplace_back(delta::Txn{TxnOf(pipeline_), 0, NowMs()});
  return Commit("CREATE TABLE", std::move(actions));
}

Status EventTable::Refresh() {
  FRESHET_TRY(auto state, table_.Latest(state_));
  return Take(std::move(state));
}

Status EventTable::Take(std::shared_ptr<const delta::Snapshot> state) {
  FRESHET_TRY(auto mark, apply::TableMark::Of(state->metadata.configuration));
  if (!mark) return Error(ErrorClass::TABLE_FOREIGN, "another program made this table");
  if (mark->staging != kEvents || mark->pipeline != pipeline_) {
    return Error(ErrorClass::TABLE_FOREIGN, "the table belongs to the pipeline {}: {}",
                 mark->pipeline, mark->table);
  }
  auto txn = state->txns.find(TxnOf(pipeline_));
  if (txn == state->txns.end()) {
    return Error(ErrorClass::POSITION_LOST, "the table does not say which events it has")
        .WithRemedy("Restore the table, or say another event_log.name: a new one has them all.");
  }
  FRESHET_TRY(form_, apply::TableForm::Of(*state, *mark));
  position_ = txn->second.version;
  state_ = std::move(state);
  return Status::Ok();
}

/// A column that another engine has added stays NULL.
Result<std::shared_ptr<arrow::RecordBatch>> EventTable::RowsOf(
    std::span<const EventRecord> events) const {
  FRESHET_TRY(auto rows, EventRows(events));
  arrow::ArrayVector columns;
  int ours = 0;
  for (const auto& field : form_.rows.schema->fields()) {
    auto column = rows->GetColumnByName(field->name());
    if (column != nullptr && column->type()->Equals(*field->type())) {
      columns.push_back(std::move(column));
      ++ours;
      continue;
    }
    FRESHET_TRY(auto nulls, arrow::MakeArrayOfNull(field->type(), rows->num_rows()));
    columns.push_back(std::move(nulls));
  }
  if (ours == rows->num_columns())
    return arrow::RecordBatch::Make(form_.rows.schema, rows->num_rows(), std::move(columns));
  return Error(ErrorClass::TABLE_FOREIGN, "another engine took a column of the event log away")
      .WithRemedy("Restore the table, or say another event_log.name: a new one has all events.");
}

Status EventTable::Append(std::span<const EventRecord> events) {
  for (int attempt = 0; attempt < limits::kCommitAttemptsMax; ++attempt) {
    auto first = std::ranges::find_if(
        events, [&](const EventRecord& event) { return event.number > position_; });
    events = events.subspan(static_cast<size_t>(first - events.begin()));
    if (events.empty()) return Status::Ok();
    FRESHET_TRY(auto rows, RowsOf(events));
    apply::DataWriter writer(folder_, form_, NowMs());
    FRESHET_CHECK_OK(writer.Write(rows));
    FRESHET_TRY(auto files, writer.Finish());
    std::vector<delta::Action> actions(files.begin(), files.end());
    actions.emplace_back(delta::Txn{TxnOf(pipeline_), events.back().number, NowMs()});
    auto committed = Commit("WRITE", std::move(actions));
    if (committed.ok()) {
      if (++commits_ >= limits::kCommitsPerCompaction) Compact();
      return Status::Ok();
    }
    if (!committed.Is(ErrorClass::DELTA_CONFLICT)) return committed;
    writer.Discard();
    FRESHET_CHECK_OK(Refresh());
  }
  return Error(ErrorClass::DELTA_CONFLICT, "an append lost {} commit races in a row",
               limits::kCommitAttemptsMax);
}

Status EventTable::Commit(const std::string& operation, std::vector<delta::Action> actions) {
  delta::CommitInfo info;
  info.at_ms = NowMs();
  info.operation = operation;
  info.engine = "Freshet/" FRESHET_VERSION;
  FRESHET_TRY(auto state, table_.Commit(state_, std::move(info), std::move(actions)));
  FRESHET_CHECK_OK(Take(std::move(state)));
  housekeeping_.AfterCommit(*state_);
  return Status::Ok();
}

void EventTable::Compact() {
  auto files = apply::ChooseFiles(*state_, {});
  if (files.empty()) {
    commits_ = 0;  // after a compaction there may be more: then it looks again at once
    return;
  }
  apply::Compaction compaction(folder_, form_, state_, std::move(files), NowMs());
  auto done = compaction.Run({});
  if (done.ok()) {
    auto actions = compaction.ActionsOn(*state_);
    done = actions.ok() && *actions ? Commit("OPTIMIZE", std::move(**actions)) : actions.status();
  }
  if (done.ok()) return;
  spdlog::warn("the event log of {} is not compacted: {}", pipeline_, done.ToString());
  // After any other error they may be the table's; if they are not, a clean-up takes them.
  if (done.Is(ErrorClass::DELTA_CONFLICT)) compaction.Discard();
}

}  // namespace freshet::pipeline
