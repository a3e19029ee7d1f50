// SPDX-License-Identifier: Apache-2.0
#include "capture/rereads.h"

#include <algorithm>

#include "base/limits.h"

namespace freshet::capture {
namespace {

constexpr std::chrono::hours kForGood{24 * 365 * 10};

}  // namespace

Rereads::Rereads(Context context, const Tables* tables, std::chrono::milliseconds interval,
                 Selects selects)
    : context_(context), tables_(tables), interval_(interval), selects_(std::move(selects)) {}

void Rereads::AddDue(std::map<Key, staging::Generation>* wanted) const {
  for (const auto& [table, state] : context_.writer->checkpoint().tables) {
    if (!tables_->follows(table) || tables_->shape(table)->logged) continue;
    for (const auto& [flow, generation] : state.generations) {
      Key key{table, flow};
      if (!generation.ended || generation.successor || Rests(key)) continue;
      auto& next = (*wanted)[key];
      next = std::max(next, staging::Generation(generation.begun.generation.value() + 1));
    }
  }
}

bool Rereads::IsDifference(const Key& key) const {
  if (tables_->shape(key.first)->logged) return false;
  const auto& generations = context_.writer->checkpoint().tables.at(key.first).generations;
  auto former = generations.find(key.second);
  // Before a difference there was one that was complete.
  return former != generations.end() && (former->second.ended || former->second.begun.difference);
}

bool Rereads::Rests(const Key& key, bool asked) const {
  if (!tables_->follows(key.first) || tables_->shape(key.first)->logged) return false;
  if (selects_ && !selects_(tables_->shape(key.first)->name)) return true;
  if (asked && !failed_.contains(key)) return false;
  auto found = rest_until_.find(key);
  return found != rest_until_.end() && context_.clock->Now() < found->second;
}

void Rereads::Rest(const Key& key, MonotonicTime::duration took) {
  // Longer ones could not be added to a time.
  const bool for_good = std::chrono::duration_cast<std::chrono::hours>(interval_) > kForGood;
  rest_until_[key] =
      for_good ? MonotonicTime::max()
               : context_.clock->Now() + std::max<MonotonicTime::duration>(interval_, took);
}

void Rereads::OnRead(const Key& key, MonotonicTime::duration took) {
  if (!tables_->follows(key.first) || tables_->shape(key.first)->logged) return;
  stale_.erase(key);
  failed_.erase(key);
  Rest(key, took);
}

void Rereads::OnFailed(const Key& key) {
  stale_.erase(key);
  failed_.insert(key);
  Rest(key, {});
}

void Rereads::AskAgain(const Key& key) {
  failed_.erase(key);
  rest_until_.erase(key);
}

bool Rereads::MayBeginAnew(const Key& key) {
  if (!tables_->follows(key.first) || tables_->shape(key.first)->logged) return true;
  return ++stale_[key] <= limits::kRereadsStaleMax;
}

bool Rereads::IsInterrupted(const Key& key, const Status& why) const {
  return why.Is(ErrorClass::SOURCE_INTERRUPTED) && tables_->follows(key.first) &&
         !tables_->shape(key.first)->logged;
}

bool Rereads::IsOfTable(const Key& key, const Status& why, bool settled) const {
  auto stale = stale_.find(key);
  if (why.Is(ErrorClass::SNAPSHOT_STALE))
    return stale != stale_.end() && stale->second > limits::kRereadsStaleMax;
  return why.Is(ErrorClass::SOURCE_QUERY) || why.Is(ErrorClass::SOURCE_ENCODING) ||
         why.Is(ErrorClass::SOURCE_PRIVILEGE) || why.Is(ErrorClass::SOURCE_INTERRUPTED) ||
         (settled && why.Is(ErrorClass::SOURCE_BLOCKED));
}

void Rereads::FitKey(const record::TableShape& followed, record::TableShape* shown) {
  shown->logged = false;
  if (followed.keyless()) shown->key.clear();
}

}  // namespace freshet::capture
