// SPDX-License-Identifier: Apache-2.0
#include "apply/refreshing_applier.h"

#include <arrow/compute/initialize.h>

#include <algorithm>

#include "base/limits.h"
#include "delta/features.h"
#include "record/arrow_status.h"

namespace freshet::apply {
namespace {

constexpr int kBuiltAgainMax = 3;

/// Whether the shadow is of no use, and not the store that cannot be read.
bool IsDamage(const Status& status) {
  return status.Is(ErrorClass::POSITION_LOST) || status.Is(ErrorClass::TABLE_FOREIGN) ||
         status.Is(ErrorClass::TABLE_RECREATED) || status.Is(ErrorClass::DELTA_CORRUPT) ||
         status.Is(ErrorClass::DELTA_UNSUPPORTED);
}

/// `table`: what it is to replace; null: nothing is there.
TableApplier::Context ForShadow(TableApplier::Context context, const delta::Snapshot* table) {
  context.table = std::move(context.shadow);
  context.shadow = nullptr;  // it has none of its own
  context.table_prefix = context.shadow_prefix;
  context.created_before = false;
  context.drop_inactive_columns = false;
  // What bears on files alone; the rest is the table's, before as after the swap.
  std::erase_if(context.properties, [](const auto& property) {
    return property.first != delta::kMappingMode && property.first != delta::kEnableVectors &&
           property.first != delta::kEnableWidening;
  });
  if (table != nullptr && !table->deletion_vectors_enabled())
    context.properties[std::string(delta::kEnableVectors)] = "false";
  // What the source holds: the table's past is the table's.
  if (context.history.scd_type == ScdType::kType2 || context.history.soft_delete)
    context.history = {};
  return context;
}

/// Whether all of the shadow's rows can be the table's: others may have done away with its vectors.
bool CanTake(const delta::Snapshot& table, const delta::Snapshot& shadow) {
  if (table.deletion_vectors_enabled()) return true;
  for (const auto& [path, file] : shadow.files) {
    if (file.deletion_vector) return false;
  }
  return true;
}

/// What a new generation puts right.
bool IsMended(const Status& status) {
  return status.Is(ErrorClass::VALUE_NOT_SENT) || status.Is(ErrorClass::SNAPSHOT_STALE) ||
         status.Is(ErrorClass::STAGING_EXPIRED) ||
         status.Is(ErrorClass::SHAPE_CHANGE_UNSUPPORTED) ||
         status.Is(ErrorClass::COLUMN_NAME_CONFLICT);
}

/// Whether another flow of the same destination would not meet it too.
bool IsOfOneTable(const Status& status) {
  return IsMended(status) || IsDamage(status) || status.Is(ErrorClass::KEY_CHANGED) ||
         status.Is(ErrorClass::NOT_FOUND) || status.Is(ErrorClass::TABLE_RENAMED) ||
         status.Is(ErrorClass::TABLE_NO_IDENTITY) || status.Is(ErrorClass::TABLE_NOT_LOGGED) ||
         status.Is(ErrorClass::PUBLICATION_MISSING) || status.Is(ErrorClass::COLUMN_RESERVED);
}

bool IsCommit(const Applied& applied) {
  return applied.state == Applied::State::kCommitted || applied.state == Applied::State::kCompacted;
}

}  // namespace

RefreshingApplier::RefreshingApplier(Flow flow, Context context)
    : flow_(std::move(flow)),
      context_(std::move(context)),
      files_{context_.shadow, context_.table, context_.root.get(), context_.shadow_prefix,
             context_.table_prefix},
      table_(std::make_unique<StagingApplier>(flow_, context_)) {}

Result<Positions> RefreshingApplier::Current() {
  if (!looked_) FRESHET_CHECK_OK(FindHolder());
  if (former_) return Positions{};
  return table_->Current();
}

Result<Applied> RefreshingApplier::Apply(record::SegmentNumber through,
                                         const std::stop_token& stop) {
  if (!looked_) FRESHET_CHECK_OK(Look());
  FRESHET_TRY(bool refreshing, IsRefreshing());
  if (!refreshing) return StepOfTable(through, stop);
  std::optional<Applied> of_table;
  if (!shadows_turn_) {
    FRESHET_TRY(of_table, StepOfTable(through, stop));
    shadows_turn_ = IsCommit(*of_table);
    if (shadows_turn_) return *of_table;
  }
  shadows_turn_ = false;
  while (true) {
    FRESHET_TRY(auto of_shadow, StepOfShadow(through, of_table.has_value(), stop));
    if (of_shadow) return *of_shadow;
    if (of_table) break;
    FRESHET_TRY(of_table, StepOfTable(through, stop));
    if (IsCommit(*of_table)) return *of_table;
  }
  if (shadow_->state() != nullptr) {
    const auto changes = shadow_->positions().changes;
    of_table->needed_after = std::min(of_table->needed_after.value_or(changes), changes);
  }
  return *of_table;
}

Status RefreshingApplier::FindHolder() {
  if (context_.formers.empty()) return Status::Ok();
  auto snapshot = delta::Table(context_.table).Latest(nullptr);
  if (snapshot.status().Is(ErrorClass::NOT_FOUND)) return Status::Ok();
  FRESHET_CHECK_OK(snapshot);
  FRESHET_TRY(auto mark, TableMark::Of((*snapshot)->metadata.configuration));
  for (const auto& former : context_.formers) {
    if (!mark || mark->flow != former.flow.id.value() || mark->table != former.flow.table.value())
      continue;
    if (!mark->history.plain()) {
      return Error(ErrorClass::TABLE_RECREATED,
                   "the table was made again at the source, and the destination keeps the former "
                   "one's history")
          .With("table", flow_.source.ToString())
          .WithRemedy("Move the former one's folder away, or ingest into another directory.");
    }
    auto context = context_;
    context.formers.clear();
    table_ = std::make_unique<StagingApplier>(former.flow, std::move(context));
    former_ = true;
  }
  return Status::Ok();
}

Status RefreshingApplier::Look() {
  FRESHET_CHECK_OK(FindHolder());
  for (const auto& former : context_.formers) {
    ShadowFiles left = files_;
    left.shadow = former.shadow;
    FRESHET_CHECK_OK(left.Remove());
  }
  FRESHET_CHECK_OK(table_->Current());
  FRESHET_CHECK_OK(LookAtShadow());
  looked_ = true;
  return Status::Ok();
}

Status RefreshingApplier::LookAtShadow() {
  FRESHET_TRY(bool exists, files_.Exist());
  if (exists) {
    shadow_ = std::make_unique<StagingApplier>(flow_, ForShadow(context_, table_->state().get()));
    auto of_shadow = shadow_->Current();
    if (!of_shadow.ok() && !IsDamage(of_shadow.status())) return of_shadow.status();
    bool is_newer =
        of_shadow.ok() && shadow_->state() != nullptr &&
        (former_ || (table_->complete() && of_shadow->generation > table_->positions().generation));
    if (!is_newer) {
      // The swap may have been the last that happened: what it names has to be there.
      bool swapped = of_shadow.ok() && !former_ && !table_->keeps_past() && table_->complete() &&
                     shadow_->complete() && of_shadow->generation == table_->positions().generation;
      if (swapped) FRESHET_CHECK_OK(PlaceAgain());
      FRESHET_CHECK_OK(DropShadow());
    }
  }
  return Status::Ok();
}

Result<bool> RefreshingApplier::IsRefreshing() {
  if (!former_ && !table_->complete()) return false;
  if (shadow_ != nullptr) return true;
  FRESHET_TRY(auto latest, context_.staging->Latest());
  auto table = latest->tables.find(flow_.table);
  if (table == latest->tables.end()) return false;
  auto generation = table->second.generations.find(flow_.id);
  if (generation == table->second.generations.end()) return false;
  const auto& begun = generation->second.whole();
  const bool later = former_ || begun.generation > table_->positions().generation;
  if (begun.difference || !later) return false;
  shadow_ = std::make_unique<StagingApplier>(flow_, ForShadow(context_, table_->state().get()));
  return true;
}

/// What is wrong with the old generation does not keep the new one from mending it; nor what ended
/// a former flow.
Result<Applied> RefreshingApplier::StepOfTable(record::SegmentNumber through,
                                               const std::stop_token& stop) {
  const Applied waiting{.state = Applied::State::kWaiting, .through = through};
  auto applied = table_->Apply(through, stop);
  if (former_) {
    if (applied.ok() ? !IsCommit(*applied) : IsOfOneTable(applied.status())) return waiting;
  } else if (shadow_ != nullptr && IsMended(applied.status())) {
    return waiting;
  }
  return applied;
}

Result<std::optional<Applied>> RefreshingApplier::StepOfShadow(record::SegmentNumber through,
                                                               bool table_is_current,
                                                               const std::stop_token& stop) {
  // A change that both have is in the table at its own time; one that only the shadow has would be
  // there at the time of the difference.
  const bool takes = table_->keeps_past();
  if (takes && shadow_->complete()) through = table_->positions().changes;
  auto applied = shadow_->Apply(through, stop);
  // Dropped at the source before all of it was read: the table keeps the rows it has.
  if (applied.status().Is(ErrorClass::NOT_FOUND)) return std::optional<Applied>();
  if (IsDamage(applied.status())) {
    FRESHET_TRY(auto again, BuildAgain(applied.status()));
    return std::optional(std::move(again));
  }
  if (!applied.ok()) return applied.status();
  const bool passed = former_ || shadow_->positions().changes >= table_->positions().changes;
  if (shadow_->complete() && !applied->held &&
      (takes ? table_is_current && !IsCommit(*applied) : passed || !IsCommit(*applied))) {
    FRESHET_TRY(auto swapped, Swap(stop));
    return std::optional(std::move(swapped));
  }
  if (!IsCommit(*applied)) return std::optional<Applied>();
  applied->state = Applied::State::kRefreshed;
  return std::optional(std::move(*applied));
}

/// The table keeps what it is, and takes what differs.
Result<Applied> RefreshingApplier::TakeShadow(const std::stop_token& stop) {
  const auto former = table_->IndexName();
  FRESHET_TRY(auto taken, table_->TakeRowsOf(*shadow_, stop));
  FRESHET_CHECK_OK(ForgetEntries(former));
  FRESHET_CHECK_OK(ForgetEntries(table_->IndexName()));  // the shadow's
  TellRefreshed(taken.version);
  FRESHET_CHECK_OK(DropShadow());
  taken.swapped = true;
  return taken;
}

Result<Applied> RefreshingApplier::Swap(const std::stop_token& stop) {
  for (int attempt = 0; attempt < limits::kCommitAttemptsMax; ++attempt) {
    FRESHET_CHECK_OK(table_->Current());
    if (table_->keeps_past()) {
      auto taken = TakeShadow(stop);
      if (!taken.status().Is(ErrorClass::DELTA_CONFLICT)) return taken;
      continue;
    }
    if (!CanTake(*table_->state(), *shadow_->state())) {
      return BuildAgain(
          Error(ErrorClass::DELTA_UNSUPPORTED, "the table does not allow deletion vectors any more")
              .With("table", flow_.source.ToString()));
    }
    Status placed = files_.Place(*shadow_->state());
    if (placed.Is(ErrorClass::NOT_FOUND)) return BuildAgain(placed);
    FRESHET_CHECK_OK(placed);
    FRESHET_TRY(const auto shadows, shadow_->IndexMark());
    // Its entries are of no use any more, and after a crash nobody would know of them.
    FRESHET_CHECK_OK(ForgetEntries(table_->IndexName()));
    std::unique_ptr<StagingApplier> taking;
    if (former_) {
      taking = std::make_unique<StagingApplier>(flow_, context_);
      taking->TakeOver(*table_);
    }
    auto swapped = (taking != nullptr ? *taking : *table_).Replace(*shadow_);
    if (swapped.ok()) {
      if (taking != nullptr) table_ = std::move(taking);
      former_ = false;
      FRESHET_CHECK_OK(AfterSwap(shadows, swapped->version));
      swapped->swapped = true;
      return swapped;
    }
    if (!swapped.status().Is(ErrorClass::DELTA_CONFLICT)) return swapped.status();
    context_.observer->OnEvent(
        {"commit_conflict", {{"table", flow_.source.ToString()}, {"flow", flow_.id.value()}}});
  }
  return Error(ErrorClass::DELTA_CONFLICT, "a refresh lost {} commit races in a row",
               limits::kCommitAttemptsMax)
      .With("table", flow_.source.ToString());
}

Status RefreshingApplier::AfterSwap(const KeyIndex::Mark& shadows, int64_t version) {
  FRESHET_CHECK_OK(PlaceAgain());
  // The files kept their names, so the entries are true of the table as they are.
  FRESHET_TRY(const auto mark, context_.index->Version(table_->IndexName()));
  if (mark == shadows) {
    FRESHET_TRY(auto now, table_->IndexMark());
    now.version = version;
    FRESHET_CHECK_OK(context_.index->Ingest(table_->IndexName(), false, {}, now));
  }
  TellRefreshed(version);
  return DropShadow();
}

void RefreshingApplier::TellRefreshed(int64_t version) const {
  context_.observer->OnEvent({"table_refreshed",
                              {{"table", flow_.source.ToString()},
                               {"flow", flow_.id.value()},
                               {"generation", table_->positions().generation.value()},
                               {"version", version}}});
}

/// Between the check and the commit another's VACUUM may have taken what nobody named yet.
Status RefreshingApplier::PlaceAgain() const {
  Status placed = files_.Place(*shadow_->state());
  // A removal that a crash cut short took files of the shadow that the table has.
  return placed.Is(ErrorClass::NOT_FOUND) ? Status::Ok() : placed;
}

Result<Applied> RefreshingApplier::BuildAgain(const Status& why) {
  // Another process that goes on with this table would have done this, and removed it.
  FRESHET_CHECK_OK(table_->Current());
  if (++built_again_ > kBuiltAgainMax) return why;
  FRESHET_CHECK_OK(DropShadow());
  return Applied{.state = Applied::State::kRefreshed, .through = {}};
}

Status RefreshingApplier::ForgetEntries(const record::FlowId& name) {
  FRESHET_TRY(auto mark, context_.index->Version(name));
  return mark ? context_.index->Reset(name) : Status::Ok();
}

Status RefreshingApplier::DropShadow() {
  // After a swap the entries are the table's.
  if (shadow_->IndexName() != table_->IndexName())
    FRESHET_CHECK_OK(ForgetEntries(shadow_->IndexName()));
  shadow_.reset();
  return files_.Remove();
}

Result<std::unique_ptr<TableApplier>> TableApplier::Open(Flow flow, Context context) {
  FRESHET_ASSERT(context.staging != nullptr && context.table != nullptr);
  FRESHET_ASSERT(context.shadow != nullptr);
  FRESHET_ASSERT(context.index != nullptr && context.clock != nullptr);
  FRESHET_ASSERT(context.observer != nullptr);
  FRESHET_CHECK_OK(arrow::compute::Initialize());
  return std::unique_ptr<TableApplier>(
      std::make_unique<RefreshingApplier>(std::move(flow), std::move(context)));
}

}  // namespace freshet::apply
