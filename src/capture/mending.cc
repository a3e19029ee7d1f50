// SPDX-License-Identifier: Apache-2.0
#include "capture/mending.h"

#include <algorithm>
#include <utility>

#include "capture/shape_change.h"
#include "staging/wishes.h"

namespace freshet::capture {
namespace {

/// The first pause; each is twice as long as the one before.
constexpr std::chrono::seconds kPauseFirst{10};
constexpr int kDoublingsMax = 8;

}  // namespace

void MendingPause::Begin(MonotonicTime now) {
  until = now + kPauseFirst * (1 << std::min(times++, kDoublingsMax));
}

bool Mending::Mends(const Status& why) {
  return why.Is(ErrorClass::KEY_CHANGED) || why.Is(ErrorClass::SHAPE_CHANGE_UNSUPPORTED);
}

bool MayRefresh(const Context& context, const staging::TableState& state) {
  auto interval = context.refresh_lost(state.name);
  if (!interval) return false;
  UtcMicros newest = 0;
  for (const auto& [flow, generation] : state.generations)
    newest = std::max(newest, generation.whole().taken_at);
  return newest + std::chrono::microseconds(*interval).count() <= context.clock->WallNow();
}

Result<bool> IsWished(const Context& context, const TableId& table,
                      const staging::TableState& state) {
  FRESHET_TRY(auto wishes, staging::ListWishes(*context.staging));
  return std::ranges::any_of(wishes, [&](const staging::Wish& wish) {
    auto generation = state.generations.find(wish.flow);
    return wish.table == table && (generation == state.generations.end() ||
                                   generation->second.whole().generation < wish.generation);
  });
}

Result<bool> MayReadLost(const Context& context, const TableId& table) {
  const auto& state = context.writer->checkpoint().tables.at(table);
  if (MayRefresh(context, state)) return true;
  return IsWished(context, table, state);
}

Result<std::unique_ptr<sources::ChangeStream>> OpenOrBeginAnew(const Context& context,
                                                               const Tables& tables,
                                                               record::Cursor* cursor,
                                                               Status* lost) {
  auto opened = context.source->OpenChanges(tables.logged_shapes(), *cursor);
  const Status status = opened.status();
  if (!status.Is(ErrorClass::SLOT_LOST) && !status.Is(ErrorClass::SLOT_MOVED)) return opened;
  bool any = false;
  for (const auto& shape : tables.logged_shapes()) {
    FRESHET_TRY(bool may, MayReadLost(context, shape->id));
    any = any || may;
  }
  if (!any) return status;
  *lost = status;
  FRESHET_CHECK_OK(context.source->Forget());
  *cursor = {};
  return context.source->OpenChanges(tables.logged_shapes(), *cursor);
}

bool Mending::IsLoss(ErrorClass error_class) {
  return error_class == ErrorClass::PUBLICATION_MISSING || error_class == ErrorClass::SLOT_LOST ||
         error_class == ErrorClass::SLOT_MOVED;
}

bool Mending::MendsLater(ErrorClass error_class) {
  if (IsLoss(error_class) || error_class == ErrorClass::SCHEMA_CHANGE_PAUSED) return false;
  return IsOfTable(MakeError(error_class, {}));
}

Status Mending::PutOff(const TableId& table) {
  FRESHET_TRY(auto ticket, fence_->Ask());
  waiting_[table] = {.ticket = ticket};
  return Status::Ok();
}

Status Mending::Expect(record::TableShape shown) {
  auto known = waiting_.find(shown.id);
  if (known != waiting_.end() && known->second.expected &&
      known->second.expected->SameColumns(shown))
    return Status::Ok();
  FRESHET_TRY(auto ticket, fence_->Ask());
  const TableId table = shown.id;
  waiting_[table] = {.ticket = ticket, .expected = std::move(shown)};
  return Status::Ok();
}

Result<Mending::Due> Mending::Passed(bool hurry) {
  Due due;
  for (const TableId& table : Ready(hurry)) {
    const bool was_blocked = std::exchange(waiting_.at(table).blocked, false);
    const Status taken = Take(table, &due);
    if (taken.ok()) continue;
    if (!taken.Is(ErrorClass::SOURCE_BLOCKED)) return taken;
    Block(table);
    due.blocked = taken;
    // A try lasts as long as a lock is waited for: one of those that stay locked is enough.
    if (was_blocked) break;
  }
  return due;
}

std::vector<TableId> Mending::Ready(bool hurry) const {
  std::vector<TableId> ready;
  for (const auto& [table, waiting] : waiting_) {
    const auto pause = pauses_.find(table);
    const bool waited = waiting.expected || hurry || pause == pauses_.end() ||
                        context_.clock->Now() >= pause->second.until;
    if (waited && fence_->Passed(waiting.ticket)) ready.push_back(table);
  }
  std::ranges::stable_partition(ready,
                                [&](const TableId& table) { return !waiting_.at(table).blocked; });
  return ready;
}

Status Mending::Take(const TableId& table, Due* due) {
  // A copy: it may be taken out meanwhile.
  const auto expected = waiting_.at(table).expected;
  return expected ? TakeExpected(*expected, due) : TakePutOff(table, due);
}

Status Mending::TakePutOff(const TableId& table, Due* due) {
  auto shown = context_.source->Describe(table);
  if (shown.status().Is(ErrorClass::NOT_FOUND)) {
    due->gone.push_back(table);
  } else if (IsOfTable(shown.status())) {
    due->problems.emplace_back(table, shown.status());
  } else {
    FRESHET_CHECK_OK(shown);
    if (!shown->logged) {
      due->problems.emplace_back(
          table, Error(ErrorClass::TABLE_NO_IDENTITY, "the log tells of the table no more"));
      return Status::Ok();
    }
    pauses_[table].Begin(context_.clock->Now());
    due->fresh.emplace_back().shape = tables_->Numbered(std::move(*shown));
  }
  return Status::Ok();
}

Status Mending::TakeExpected(const record::TableShape& expected, Due* due) {
  const TableId& table = expected.id;
  if (!tables_->follows(table) ||
      (expected.SameColumns(*tables_->shape(table)) && tables_->CheckImprint(expected).ok())) {
    // The stream announced its columns, and knows of no comments.
    if (tables_->follows(table)) {
      tables_->TakeComments(expected);
      tables_->TakeImprint(expected);
    }
    waiting_.erase(table);
    return Status::Ok();
  }
  auto shown = context_.source->Describe(table);
  if (shown.status().Is(ErrorClass::SOURCE_BLOCKED)) return shown.status();
  waiting_.erase(table);
  if (shown.status().Is(ErrorClass::NOT_FOUND)) return Status::Ok();  // the next look misses it
  if (IsOfTable(shown.status())) {
    due->problems.emplace_back(table, shown.status());
    return Status::Ok();
  }
  FRESHET_CHECK_OK(shown);
  // Altered again since: there may be rows of the one before.
  if (!shown->SameColumns(expected)) return Expect(std::move(*shown));
  auto taken = tables_->TakeShape(*shown, AfterEverything());
  if (!taken.ok()) {
    due->problems.emplace_back(table, taken.status());
  } else if (*taken) {
    tables_->TakeImprint(*shown);
    tables_->Announce();
    due->changed.push_back(table);
  }
  return Status::Ok();
}

void Mending::Done(const TableId& table) { waiting_.erase(table); }

std::vector<record::TableName> Mending::blocked() const {
  std::vector<record::TableName> names;
  for (const auto& [table, waiting] : waiting_) {
    if (waiting.blocked) names.push_back(context_.writer->checkpoint().tables.at(table).name);
  }
  return names;
}

bool Mending::stuck() const {
  return std::ranges::all_of(waiting_, [](const auto& each) { return each.second.blocked; });
}

}  // namespace freshet::capture
