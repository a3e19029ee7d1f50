// SPDX-License-Identifier: Apache-2.0
#include "pipeline/update_runner.h"

#include <algorithm>
#include <vector>

#include "base/log.h"
#include "base/server_limits.h"

namespace freshet::pipeline {

Status UpdateRunner::Resume() {
  FRESHET_TRY(auto updates, parts_.book->Unfinished());
  for (auto& update : updates) {
    spdlog::info("update={} pipeline={} goes on", update.id, update.pipeline);
    bool stopped = update.state == UpdateState::kStopping;
    auto pipeline = update.pipeline;
    Submit(std::move(update));
    if (stopped) FRESHET_CHECK_OK(Stop(pipeline));
  }
  windows_.Start();
  return Status::Ok();
}

void UpdateRunner::Submit(UpdateRecord update) {
  std::vector<std::jthread> ended;  // joined without the lock
  std::lock_guard lock(mutex_);
  if (ending_.stop_requested()) return;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    auto next = std::next(entry);
    if (entry->second.done) {
      ended.push_back(std::move(entry->second.thread));
      entries_.erase(entry);
    }
    entry = next;
  }
  auto& entry = entries_[update.id];
  entry.pipeline = update.pipeline;
  entry.thread =
      std::jthread([this, update, stop = entry.stop.get_token(),
                    renewal = entry.renewal.get_token()] { Work(update, stop, renewal); });
}

bool UpdateRunner::Enter(const std::stop_token& stop, const std::function<void()>& on_wait) {
  auto free = [&] { return ending_.stop_requested() || running_ < limits::kUpdatesMax; };
  std::unique_lock lock(mutex_);
  if (!free()) {
    lock.unlock();
    on_wait();
    lock.lock();
  }
  if (!changed_.wait(lock, stop, free) || ending_.stop_requested()) return false;
  ++running_;
  return true;
}

void UpdateRunner::TakeUpStop(const UpdateRecord& update) {
  auto now = parts_.book->GetUpdate(update.pipeline, update.id);
  if (!now.ok() || now->state != UpdateState::kStopping) return;
  std::lock_guard lock(mutex_);
  entries_.at(update.id).stop.request_stop();
}

void UpdateRunner::Work(const UpdateRecord& update, const std::stop_token& stop,
                        const std::stop_token& renewal) {
  TakeUpStop(update);
  bool entered = false;
  auto take_place = [&](const std::function<void()>& on_wait) {
    entered = Enter(stop, on_wait);
    return entered;
  };
  // One that was stopped while it waited still has to be told canceled.
  std::optional<UpdateRecord> next;
  if (!ending_.stop_requested()) {
    next = UpdateRun(parts_, update, take_place)
               .Run({.stop = stop, .renewal = renewal, .ending = ending_.get_token()});
  }
  // Before this one is done: who waits for the pipeline's end waits for both.
  if (next) Submit(*std::move(next));
  std::lock_guard lock(mutex_);
  if (entered) --running_;
  entries_.at(update.id).done = true;
  changed_.notify_all();
}

Status UpdateRunner::Stop(const std::string& pipeline) {
  FRESHET_TRY(auto active, parts_.book->Active(pipeline));
  if (!active) return Status::Ok();
  FRESHET_TRY(auto record, parts_.book->Get(pipeline));
  EventLog log(parts_.book, record, active->id);
  FRESHET_CHECK_OK(parts_.book->Enter(*active, UpdateState::kStopping,
                                      log.Progress(UpdateState::kStopping, Status::Ok())));
  std::lock_guard lock(mutex_);
  auto entry = entries_.find(active->id);
  if (entry != entries_.end()) entry->second.stop.request_stop();
  return Status::Ok();
}

void UpdateRunner::Restart(const UpdateRecord& update) {
  std::lock_guard lock(mutex_);
  auto entry = entries_.find(update.id);
  if (entry == entries_.end() || !entry->second.renewal.request_stop()) return;
  spdlog::info("update={} pipeline={} is begun anew", update.id, update.pipeline);
}

bool UpdateRunner::WaitForEnd(const std::string& pipeline, Deadline deadline) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline, [&] {
    return std::ranges::none_of(entries_, [&](const auto& entry) {
      return entry.second.pipeline == pipeline && !entry.second.done;
    });
  });
}

void UpdateRunner::Shutdown() {
  ending_.request_stop();
  windows_.Stop();
  std::map<std::string, Entry> entries;
  {
    std::unique_lock lock(mutex_);
    changed_.notify_all();
    changed_.wait(lock, [&] {
      return std::ranges::all_of(entries_, [](const auto& entry) { return entry.second.done; });
    });
    entries.swap(entries_);
  }
}

}  // namespace freshet::pipeline
