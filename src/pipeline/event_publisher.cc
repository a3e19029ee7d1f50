// SPDX-License-Identifier: Apache-2.0
#include "pipeline/event_publisher.h"

#include <utility>

#include "base/log.h"
#include "base/server_limits.h"
#include "pipeline/event_log.h"

namespace freshet::pipeline {
namespace {

/// Between two looks at whether there are new events.
constexpr std::chrono::seconds kLookInterval{1};

/// Append what the book has and the table has not.
Status AppendRest(PipelineBook& book, const std::string& pipeline, EventTable* table) {
  while (true) {
    FRESHET_TRY(auto events, book.Events(pipeline, {.oldest_first = true,
                                                    .rows = limits::kEventsPerCommit,
                                                    .after = table->position()}));
    if (events.empty()) return Status::Ok();
    FRESHET_CHECK_OK(table->Append(events));
  }
}

/// A database that was brought back from a backup gives numbers again that the table knows already:
/// what has them would never be published.
Status CheckNumbers(PipelineBook& book, const std::string& pipeline, int64_t position) {
  FRESHET_TRY(auto newest, book.NewestEvent());
  if (position <= newest) return Status::Ok();
  spdlog::warn(
      "pipeline={} its event log's table has events up to {}, the database up to {}: it was "
      "brought back from a backup, and what came between its start and now is in the API alone",
      pipeline, position, newest);
  return book.NumberEventsAbove(position);
}

}  // namespace

void EventPublisher::Start() {
  std::lock_guard lock(mutex_);
  thread_ = std::jthread([this](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      Step();
      Wait(stop);
    }
  });
}

void EventPublisher::Stop() {
  std::jthread thread;
  std::unique_lock lock(mutex_);
  thread.swap(thread_);
  lock.unlock();
}

void EventPublisher::Wait(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, stop, parts_.clock->Now() + kLookInterval,
                      [&] { return !hurried_.empty(); });
}

void EventPublisher::Hurry(const std::string& pipeline) {
  std::lock_guard lock(mutex_);
  hurried_.insert(pipeline);
  changed_.notify_all();
}

void EventPublisher::Step() {
  std::set<std::string> hurried;
  {
    std::lock_guard lock(mutex_);
    hurried.swap(hurried_);
  }
  if (auto looked = Look(); !looked.ok())
    spdlog::warn("events are not published yet: {}", looked.ToString());
  for (auto& [id, publication] : publications_) {
    bool due = hurried.contains(id) || publication.due <= parts_.clock->Now();
    if (publication.waiting && due) Attend(&publication);
  }
}

Status EventPublisher::Look() {
  FRESHET_CHECK_OK(LookAtPipelines());
  if (publications_.empty()) return Status::Ok();
  FRESHET_TRY(auto newest, parts_.book->NewestEvent());
  if (newest <= seen_) return Status::Ok();
  FRESHET_TRY(auto pipelines, parts_.book->PipelinesWithEvents(seen_));
  seen_ = newest;
  for (auto& [id, publication] : publications_) {
    if (!pipelines.contains(id) || std::exchange(publication.waiting, true)) continue;
    publication.due = parts_.clock->Now() + limits::kEventsWait;
  }
  return Status::Ok();
}

Status EventPublisher::LookAtPipelines() {
  auto revision = parts_.book->revision();
  if (revision == revision_) return Status::Ok();
  // Whatever comes meanwhile is published with all that the book has of a new one.
  if (publications_.empty()) {
    FRESHET_TRY(seen_, parts_.book->NewestEvent());
  }
  FRESHET_TRY(auto pipelines, parts_.book->Publishing());
  std::map<std::string, Publication> now;
  for (auto& pipeline : pipelines) {
    auto target = EventTargetOf(pipeline.spec, pipeline.id);
    if (!target.ok() || !*target) continue;  // it was checked where it was authored
    auto id = pipeline.id;
    auto known = publications_.find(id);
    if (known != publications_.end() && known->second.target == **target) {
      now[id] = std::move(known->second);
      now[id].pipeline = std::move(pipeline);
    } else {
      now[id] = {.pipeline = std::move(pipeline), .target = **target};
    }
  }
  publications_ = std::move(now);
  revision_ = revision;
  return Status::Ok();
}

void EventPublisher::Attend(Publication* publication) {
  const auto& id = publication->pipeline.id;
  {
    std::lock_guard lock(mutex_);
    busy_ = id;
  }
  publication->due = parts_.clock->Now() + limits::kEventsWait;
  // Asked only now: who closed it before waits for nothing, who closes it later waits for this.
  if (!parts_.book->IsClosed(id)) {
    auto published = Publish(publication);
    publication->waiting = !published.ok();
    if (!published.ok()) {
      publication->table.reset();
      publication->due = parts_.clock->Now() + limits::kPublishAgain;
    }
    Tell(publication, published);
  }
  std::lock_guard lock(mutex_);
  busy_.clear();
  changed_.notify_all();
}

Status EventPublisher::Publish(Publication* publication) {
  FRESHET_CHECK_OK(OpenTable(publication));
  return AppendRest(*parts_.book, publication->pipeline.id, publication->table.get());
}

/// The entry may be gone since, or lead elsewhere, with the schema that it was in.
Status EventPublisher::OpenTable(Publication* publication) {
  FRESHET_TRY(auto entry, MakeEventTable(*parts_.catalog, publication->pipeline,
                                         publication->target, parts_.clock));
  if (publication->table != nullptr && publication->entry == entry.id) return Status::Ok();
  size_t open = 0;
  for (auto& [id, each] : publications_) open += each.table != nullptr ? 1 : 0;
  if (open >= limits::kEventTablesOpenMax) {
    for (auto& [id, each] : publications_) each.table.reset();
  }
  FRESHET_TRY(publication->table, OpenEventTable(entry, publication->pipeline.id, parts_.clock));
  publication->entry = entry.id;
  return CheckNumbers(*parts_.book, publication->pipeline.id, publication->table->position());
}

void EventPublisher::Tell(Publication* publication, const Status& why) {
  auto trouble = why.ok() ? "" : std::string(NameOf(why.error_class()));
  if (std::exchange(publication->trouble, trouble) == trouble || why.ok()) return;
  auto reason =
      fmt::format("The events are not published as the table {}, which is tried again: {}",
                  catalog::FullName(publication->target.path()), why.ToString());
  spdlog::warn("pipeline={} {}", publication->pipeline.id, reason);
  if (!why.remedy().empty()) reason += " " + std::string(why.remedy());
  EventLog log(parts_.book, publication->pipeline, "");
  if (auto told = log.Take({"warning", {{"reason", reason}}}); !told.ok())
    spdlog::warn("pipeline={} {}", publication->pipeline.id, told.ToString());
}

Status EventPublisher::Leave(const PipelineRecord& pipeline, bool rest) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return busy_ != pipeline.id; });
  }
  if (!rest) return Status::Ok();
  FRESHET_TRY(auto target, EventTargetOf(pipeline.spec, pipeline.id));
  if (!target) return Status::Ok();
  FRESHET_TRY(auto entry, MakeEventTable(*parts_.catalog, pipeline, *target, parts_.clock));
  FRESHET_TRY(auto table, OpenEventTable(entry, pipeline.id, parts_.clock));
  return AppendRest(*parts_.book, pipeline.id, table.get());
}

}  // namespace freshet::pipeline
