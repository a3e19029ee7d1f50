// SPDX-License-Identifier: Apache-2.0
#include "capture/discovery.h"

#include <algorithm>
#include <set>
#include <utility>

#include "capture/shape_change.h"

namespace freshet::capture {

Discovery::Discovery(Context context, Tables* tables, Selects selects, Selects names)
    : context_(context), tables_(tables), selects_(std::move(selects)), names_(std::move(names)) {}

Result<Discovery::Found> Discovery::Look(Depth depth) {
  FRESHET_TRY(auto listings, context_.source->ListTables());
  Found found;
  std::set<TableId> there;
  for (const auto& listing : listings) {
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
  // What each reading shows is looked at then.
  thorough = thorough && known.logged;
  // The log is read without a right to the table; what reads the table itself says that it may not.
  if (why.Is(ErrorClass::SOURCE_PRIVILEGE)) {
    Warn(listing, why);
    why = Status::Ok();
    thorough = false;
  }
  if (listing.name != known.name) {
    why = Error(ErrorClass::TABLE_RENAMED, "the table is now called {}", listing.name.ToString())
              .With("table", known.name.ToString());
  } else if (thorough && why.ok()) {
    auto shown = context_.source->Describe(listing.id);
    if (shown.status().Is(ErrorClass::NOT_FOUND))
      return Status::Ok();  // the next look finds it missing
    if (!shown.ok()) {
      why = shown.status();
    } else if (!SameKey(known, *shown)) {
      why =
          Error(ErrorClass::KEY_CHANGED, "the key names other columns than when the table was read")
              .With("table", known.name.ToString());
    } else if (!SameFields(known, *shown)) {
      why = Error(ErrorClass::SHAPE_CHANGE_UNSUPPORTED,
                  "a composite type has other fields than when the table was read")
                .With("table", known.name.ToString());
    }
  }
  if (IsTableProblem(why)) {
    tables_->Break(listing.id, why);
    found->broken.push_back(listing.id);
    return Status::Ok();
  }
  FRESHET_CHECK_OK(why);
  if (!known.logged) return LookAtJoined(listing, found);
  if (!listing.partitions) return Status::Ok();
  auto untold = tables_->TakePartitions(listing.id, *listing.partitions);
  if (untold) found->untold.emplace_back(listing.id, *std::move(untold));
  return Status::Ok();
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

bool Discovery::Takes(const sources::TableListing& listing) const {
  if (selects_ && !selects_(listing.name)) return false;
  return !listing.derived || !names_ || names_(listing.name);
}

Status Discovery::LookAtNew(const sources::TableListing& listing, Found* found) {
  const auto& known = context_.writer->checkpoint().tables;
  if (known.contains(listing.id) || !Takes(listing)) return Status::Ok();
  if (!listing.problem.ok()) {
    LeaveOut(listing, listing.problem);
    return Status::Ok();
  }
  if (NameIsTaken(listing)) {
    Status why =
        Error(ErrorClass::TABLE_RECREATED, "another table had this name when it was first read: {}",
              listing.name.ToString());
    tables_->NoteBroken(listing.id, listing.name, why);
    return Status::Ok();
  }
  auto shape = context_.source->Describe(listing.id);
  if (shape.status().Is(ErrorClass::NOT_FOUND)) return Status::Ok();  // gone again
  if (IsTableProblem(shape.status())) {
    LeaveOut(listing, shape.status());
    return Status::Ok();
  }
  FRESHET_CHECK_OK(shape);
  shape->logged = shape->logged && listing.unlogged.ok();
  found->fresh.push_back({tables_->Numbered(std::move(*shape)), listing.partitions});
  return Status::Ok();
}

bool Discovery::NameIsTaken(const sources::TableListing& listing) const {
  const auto& known = context_.writer->checkpoint().tables;
  return std::any_of(known.begin(), known.end(), [&](const auto& each) {
    return each.first != listing.id && each.second.name == listing.name &&
           each.second.shape.has_value();
  });
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
