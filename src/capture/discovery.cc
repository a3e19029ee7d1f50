// SPDX-License-Identifier: Apache-2.0
#include "capture/discovery.h"

#include <algorithm>
#include <set>
#include <utility>

#include "capture/shape_change.h"

namespace freshet::capture {

Discovery::Discovery(Context context, Tables* tables, Selects selects, Selects names)
    : context_(context), tables_(tables), selects_(std::move(selects)), names_(std::move(names)) {}

void Discovery::Found::LeaveForLater(const std::set<TableId>& tables) {
  auto is_of_shape = [&](const Tables::Fresh& each) { return tables.contains(each.shape->id); };
  std::erase_if(fresh, is_of_shape);
  std::erase_if(joined, is_of_shape);
  std::erase_if(mended, [&](const auto& each) { return tables.contains(each.first); });
}

Result<Discovery::Found> Discovery::Look(Depth depth) {
  FRESHET_TRY(auto listings, context_.source->ListTables());
  Found found;
  std::set<TableId> there;
  there_.clear();
  taken_.clear();
  for (const auto& listing : listings) {
    there_.emplace(listing.name, listing.id);
    if (!listing.part_of && Takes(listing)) taken_.insert(listing.id);
  }
  for (const auto& listing : listings) {
    // As a table of its own it ended when it became a part.
    if (IsPart(listing)) continue;
    there.insert(listing.id);
    if (tables_->follows(listing.id))
      FRESHET_CHECK_OK(LookAtFollowed(listing, depth == Depth::kThorough, &found));
  }
  for (const auto& shape : tables_->shapes()) {
    if (!there.contains(shape->id)) found.missing.push_back(shape->id);
  }
  if (depth == Depth::kFollowed) return found;
  for (const auto& listing : listings) FRESHET_CHECK_OK(LookAtNew(listing, &found));
  return found;
}

Status Discovery::LookAtFollowed(const sources::TableListing& listing, bool thorough,
                                 Found* found) {
  const record::TableShape& known = *tables_->shape(listing.id);
  Status why = listing.problem;
  if (why.ok() && known.logged) why = listing.unlogged;
  auto seen = fingerprints_.find(listing.id);
  const bool another = !listing.fingerprint.empty() &&
                       (seen == fingerprints_.end() || seen->second != listing.fingerprint);
  // What each reading of one without log shows is looked at then.
  bool compare = (thorough || another) && known.logged;
  // The log is read without a right to the table; what reads the table itself says that it may not.
  if (why.Is(ErrorClass::SOURCE_PRIVILEGE)) {
    Warn(listing, why);
    why = Status::Ok();
    compare = false;
  }
  const bool renamed = listing.name != known.name;
  if (renamed && why.ok()) {
    Status name = CheckName(listing);
    // Under its new name it is a table that is selected and goes nowhere.
    if (name.Is(ErrorClass::TABLE_RENAMED) && Takes(listing)) LeaveOut(listing, name);
    if (!name.ok()) why = std::move(name);
  }
  if (!why.ok()) {
    found->problems.emplace_back(listing.id, why);
    return Status::Ok();
  }
  if (Status lost = CheckMemo(listing); !lost.ok()) {
    found->lost.emplace_back(listing.id, std::move(lost));
    return Status::Ok();
  }
  if (renamed && context_.on_schema_change(known.name) == OnSchemaChange::kEvolve)
    found->renamed.emplace_back(listing.id, listing.name);
  if (!known.logged) return LookAtJoined(listing, found);
  if (compare) FRESHET_CHECK_OK(Compare(listing, found));
  if (!listing.partitions) return Status::Ok();
  auto untold = tables_->TakePartitions(listing.id, *listing.partitions);
  if (untold) found->untold.emplace_back(listing.id, *std::move(untold));
  return Status::Ok();
}

bool Discovery::IsTaken(const record::TableName& name) const {
  auto bearer = there_.find(name);
  if (bearer == there_.end()) return false;
  const auto& known = context_.writer->checkpoint().tables;
  auto table = known.find(bearer->second);
  if (table == known.end() || !table->second.shape) return true;
  return IsSucceeded(bearer->second);
}

bool Discovery::IsSucceeded(const TableId& table) const {
  return std::ranges::any_of(context_.writer->checkpoint().tables,
                             [&](const auto& each) { return each.second.former == table; });
}

Status Discovery::CheckMemo(const sources::TableListing& listing) const {
  const record::TableShape& known = *tables_->shape(listing.id);
  if (!known.logged || !listing.memo || known.memo.empty() || known.memo == *listing.memo)
    return Status::Ok();
  return Error(
             ErrorClass::PUBLICATION_MISSING,
             "the log did not tell of the table for a while, and what changed then is lost: it did "
             "by {}, and does by {}",
             known.memo, listing.memo->empty() ? "nothing" : *listing.memo)
      .With("table", known.name.ToString())
      .WithRemedy("Run with --refresh to read the table again, or exclude it.");
}

Status Discovery::CheckName(const sources::TableListing& listing) const {
  const record::TableName& known = tables_->shape(listing.id)->name;
  const auto policy = context_.on_schema_change(known);
  if (policy == OnSchemaChange::kPause)
    return Paused(known, "it is called " + listing.name.ToString() + " by now");
  // The place of a table belongs to who has its name, if that has none.
  if (IsTaken(known)) {
    return Error(ErrorClass::TABLE_RENAMED, "the table is now called {}, and another has its name",
                 listing.name.ToString())
        .With("table", known.ToString())
        .WithRemedy("Give it its name back, or ingest it into another directory.");
  }
  if (policy == OnSchemaChange::kIgnore || Takes(listing)) return Status::Ok();
  return Error(ErrorClass::TABLE_RENAMED, "the table is now called {}, which is not selected",
               listing.name.ToString())
      .With("table", known.ToString())
      .WithRemedy("Give it its name back, or select it by its new one.");
}

Status Discovery::LookAtJoined(const sources::TableListing& listing, Found* found) {
  if (!listing.unlogged.ok() || !listing.problem.ok()) return Status::Ok();
  auto shape = context_.source->Describe(listing.id);
  // Whatever is wrong with it, its next reading says so.
  if (!shape.ok() || !shape->logged)
    return shape.status().Is(ErrorClass::SOURCE_UNREACHABLE) ? shape.status() : Status::Ok();
  found->joined.push_back({tables_->Numbered(std::move(*shape)), listing.partitions});
  return Status::Ok();
}

bool Discovery::IsPart(const sources::TableListing& listing) const {
  return listing.part_of && (!Takes(listing) || taken_.contains(*listing.part_of));
}

bool Discovery::Takes(const sources::TableListing& listing) const {
  if (selects_ && !selects_(listing.name)) return false;
  return !listing.derived || !names_ || names_(listing.name);
}

Status Discovery::Compare(const sources::TableListing& listing, Found* found) {
  auto shown = context_.source->Describe(listing.id);
  if (shown.status().Is(ErrorClass::NOT_FOUND))
    return Status::Ok();  // the next look finds it missing
  if (IsOfTable(shown.status())) {
    found->problems.emplace_back(listing.id, shown.status());
    return Status::Ok();
  }
  FRESHET_CHECK_OK(shown);
  fingerprints_[listing.id] = listing.fingerprint;
  tables_->TakeComments(*shown);
  auto news = tables_->IsNews(*shown);
  if (!news.ok() && tables_->policy(listing.id) == OnSchemaChange::kEvolve) {
    found->problems.emplace_back(listing.id, news.status());
  } else if (!news.ok() || *news) {
    // A table that will wait waits behind the last row of what it was.
    found->ahead.push_back(std::move(*shown));
  } else {
    tables_->TakeImprint(*shown);
  }
  return Status::Ok();
}

Status Discovery::LookAtNew(const sources::TableListing& listing, Found* found) {
  if (tables_->follows(listing.id) || tables_->is_put_off(listing.id)) return Status::Ok();
  if (!Takes(listing)) return Status::Ok();
  if (IsPart(listing)) {
    LeaveOut(listing, Error(ErrorClass::PARTITION_OF_ANOTHER,
                            "the table is a partition of one that is ingested too: its changes are "
                            "sent once, and are that one's")
                          .WithRemedy("Exclude one of the two, or ingest the partition into "
                                      "another directory."));
    return Status::Ok();
  }
  const bool known = context_.writer->checkpoint().tables.contains(listing.id);
  std::optional<Status> mended;
  if (known) {
    FRESHET_TRY(mended, MendedBy(listing));
    if (!mended) {
      TellRenamed(listing);
      return Status::Ok();
    }
  }
  if (!listing.problem.ok()) {
    LeaveOut(listing, listing.problem);
    return Status::Ok();
  }
  auto shape = context_.source->Describe(listing.id);
  if (shape.status().Is(ErrorClass::NOT_FOUND)) return Status::Ok();  // gone again
  if (IsOfTable(shape.status())) {
    LeaveOut(listing, shape.status());
    return Status::Ok();
  }
  FRESHET_CHECK_OK(shape);
  auto former = FormerOf(listing);
  if (former && context_.on_schema_change(listing.name) == OnSchemaChange::kPause) {
    LeaveOut(listing, Paused(listing.name, "it was dropped and made again"));
    return Status::Ok();
  }
  shape->logged = shape->logged && listing.unlogged.ok();
  fingerprints_[listing.id] = listing.fingerprint;
  found->fresh.push_back({tables_->Numbered(std::move(*shape)), listing.partitions, former});
  if (mended) found->mended.emplace_back(listing.id, *mended);
  return Status::Ok();
}

/// One that took another name stays left out under that.
void Discovery::TellRenamed(const sources::TableListing& listing) {
  const auto& state = context_.writer->checkpoint().tables.at(listing.id);
  if (!state.broken || state.name == listing.name) return;
  LeaveOut(listing, Error(ErrorClass::TABLE_RENAMED,
                          "the table was called {} when it was first read", state.name.ToString()));
}

bool Discovery::MayMend(const TableId& table) {
  MendingPause& pause = mended_[table];
  if (context_.clock->Now() < pause.until) return false;
  pause.Begin(context_.clock->Now());
  return true;
}

Result<std::optional<Status>> Discovery::MendedBy(const sources::TableListing& listing) {
  const auto& state = context_.writer->checkpoint().tables.at(listing.id);
  if (!state.broken || state.dropped) return std::optional<Status>();
  auto error_class = ErrorClassOf(state.broken->error_class).value_or(ErrorClass::INTERNAL);
  Status why = MakeError(error_class, state.broken->message);
  bool by_itself = error_class == ErrorClass::SCHEMA_CHANGE_PAUSED
                       ? context_.on_schema_change(listing.name) == OnSchemaChange::kEvolve
                       : Mending::MendsLater(error_class);
  if (Mending::IsLoss(error_class)) by_itself = MayRefresh(context_, state);
  by_itself = by_itself && listing.problem.ok() && listing.unlogged.ok();
  auto has_place = [&] {
    return !IsSucceeded(listing.id) && (listing.name == state.name || !IsTaken(state.name));
  };
  if (by_itself && has_place() && MayMend(listing.id)) return std::optional(std::move(why));
  FRESHET_TRY(bool wished, IsWished(context_, listing.id, state));
  return wished ? std::optional(std::move(why)) : std::nullopt;
}

std::optional<TableId> Discovery::FormerOf(const sources::TableListing& listing) const {
  const auto& known = context_.writer->checkpoint().tables;
  std::set<TableId> succeeded;
  for (const auto& [table, state] : known) {
    if (state.former) succeeded.insert(*state.former);
  }
  for (const auto& [table, state] : known) {
    bool had_it = table != listing.id && state.name == listing.name && state.shape.has_value();
    if (had_it && !succeeded.contains(table)) return table;
  }
  return std::nullopt;
}

void Discovery::Warn(const sources::TableListing& listing, const Status& why) {
  auto [told, fresh] = left_out_.emplace(listing.id, why.error_class());
  if (!fresh && told->second == why.error_class()) return;
  told->second = why.error_class();
  context_.Tell("warning",
                {{"reason", fmt::format("{} is followed, but: {}; {}", listing.name.ToString(),
                                        why.ToString(), why.remedy())}});
}

void Discovery::LeaveOut(const sources::TableListing& listing, const Status& why) {
  auto [told, fresh] = left_out_.emplace(listing.id, why.error_class());
  if (!fresh && told->second == why.error_class()) return;
  told->second = why.error_class();
  context_.Tell("table_left_out", {{"table", listing.name.ToString()},
                                   {"class", std::string(NameOf(why.error_class()))},
                                   {"reason", why.message()},
                                   {"remedy", std::string(why.remedy())}});
}

}  // namespace freshet::capture
