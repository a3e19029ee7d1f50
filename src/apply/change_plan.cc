// SPDX-License-Identifier: Apache-2.0
#include "apply/change_plan.h"

#include <algorithm>

#include "base/limits.h"
#include "record/arrow_status.h"

namespace freshet::apply {

Status ChangePlanner::NotSent(const Status& why) const {
  if (!why.Is(ErrorClass::VALUE_NOT_SENT)) return why;
  return Status(why).With("table", table_.name).With("key", table_.form->KeyNames());
}

Result<ChangePlan> ChangePlanner::Plan(ChangeInput* input, const std::stop_token& stop) {
  FRESHET_TRY(auto slice, input->Next());
  while (!slice.empty()) {
    if (stop.stop_requested()) return Error(ErrorClass::CANCELLED, "apply was stopped");
    FRESHET_CHECK_OK(NotSent(PlanSlice(slice, input->goes_on())));
    slice.clear();
    FRESHET_TRY(slice, input->Next());
    if (!slice.empty()) FRESHET_CHECK_OK(EndSlice());
  }
  FRESHET_TRY(auto files, writer_.Finish());
  for (auto& file : files) live_.Add(std::move(file));
  std::vector<delta::Action> told;
  if (table_.snapshot->keeps_feed()) {
    FRESHET_TRY(told, feed_.Write(&live_));
  }
  if (!table_.snapshot->deletion_vectors_enabled()) FRESHET_CHECK_OK(CopyTorn(stop));
  FRESHET_TRY(plan_.actions, live_.ToActions(now_ms_));
  std::ranges::move(told, std::back_inserter(plan_.actions));
  if (keeps_) FRESHET_CHECK_OK(index_->Reset(kept_));
  plan_.rows_inserted = writer_.rows() - plan_.rows_updated;
  return std::move(plan_);
}

Status ChangePlanner::PlanSlice(const std::vector<FoldItem>& items, bool /*goes_on*/) {
  FRESHET_TRY(auto folded, Fold(table_.form->rows, items));
  if (folded.truncated) plan_.rows_deleted += live_.KillAll();
  FRESHET_TRY(auto addresses, Locate(folded));
  FRESHET_CHECK_OK(ReadRowIds(folded, addresses, /*replaced=*/true));
  FRESHET_CHECK_OK(WritePuts(items, folded, addresses));
  return Erase(folded, addresses);
}

Status ChangePlanner::WritePuts(const std::vector<FoldItem>& items, const Folded& folded,
                                const Addresses& addresses) {
  PutReader reader(table_.form->rows, items, folded, limits::kApplyRowsMax);
  FRESHET_CHECK_OK(WritePatched(folded, addresses, &reader));
  while (true) {
    FRESHET_TRY(auto rows, reader.Next());
    if (rows.rows == nullptr) return Status::Ok();
    FRESHET_CHECK_OK(Write(rows));
  }
}

Status ChangePlanner::CopyTorn(const std::stop_token& stop) {
  FRESHET_TRY(copies_, CopyTornFiles(table_.store, *table_.form, now_ms_, stop, &live_));
  if (copies_ == nullptr) return Status::Ok();
  plan_.has_entries = plan_.has_entries && copies_->has_entries();
  std::ranges::move(copies_->TakeEntries(), std::back_inserter(plan_.entries));
  std::ranges::copy(copies_->gone(), std::back_inserter(plan_.gone));
  return Status::Ok();
}

/// Make the rows written so far ones that the next slice can find.
Status ChangePlanner::EndSlice() {
  FRESHET_TRY(auto files, writer_.Finish());
  for (auto& file : files) live_.Add(std::move(file));
  return KeepEntries();
}

Status ChangePlanner::KeepEntries() {
  if (!keeps_) FRESHET_CHECK_OK(index_->Reset(kept_));  // a crash may have left some
  keeps_ = true;
  auto first = plan_.entries.begin() + static_cast<std::ptrdiff_t>(next_kept_);
  std::vector<IndexEntry> entries(first, plan_.entries.end());
  next_kept_ = plan_.entries.size();
  return index_->Ingest(kept_, table_.form->rows.keyless(), std::move(entries), {});
}

Status ChangePlanner::ReadRowIds(const Folded& folded, const Addresses& addresses, bool replaced) {
  row_ids_.clear();
  if (!table_.form->row_ids || table_.form->rows.keyless()) return Status::Ok();
  std::vector<RowPlace> places;
  for (size_t i = 0; i < addresses.size(); ++i) {
    if (addresses[i].empty() || (replaced && !folded.erases[i].replaced)) continue;
    const auto& address = addresses[i].front();
    FRESHET_TRY(const auto* file, live_.Find(address));
    places.push_back({file, address.row, i});
  }
  SortPlaces(&places);
  auto take = [&](auto part, const auto& rows) {
    const auto& kept = static_cast<const arrow::Int64Array&>(*rows->column(0));
    for (size_t i = 0; i < part.size(); ++i) {
      const auto row = static_cast<int64_t>(i);
      KeepRowId(folded.erases[part[i].of].key, *part[i].file, part[i].row, kept, row);
    }
    return Status::Ok();
  };
  return ReadPlaces(table_.store, places, {table_.form->row_ids->Fields()[0]}, take);
}

void ChangePlanner::KeepRowId(const KeyHash& key, const delta::AddFile& file, int64_t row,
                              const arrow::Int64Array& kept, int64_t ordinal) {
  if (kept.IsValid(ordinal)) {
    row_ids_[key] = kept.Value(ordinal);
  } else if (file.base_row_id) {  // else it is this commit's
    row_ids_[key] = *file.base_row_id + row;
  }
}

/// What rows keep of the ones they replace: their ids; the version is the commit's.
Result<DataWriter::RowIds> ChangePlanner::RowIdsOf(const KeyedRows& rows) const {
  arrow::Int64Builder builder;
  for (const auto& key : rows.keys) {
    auto found = row_ids_.find(key);
    FRESHET_CHECK_OK(found == row_ids_.end() ? builder.AppendNull()
                                             : builder.Append(found->second));
  }
  DataWriter::RowIds ids;
  FRESHET_TRY(ids.ids, builder.Finish());
  return ids;
}

Result<RowAddress> ChangePlanner::WriteRows(const KeyedRows& rows, bool same_rows) {
  DataWriter::RowIds ids;
  if (same_rows && !row_ids_.empty()) {
    FRESHET_TRY(ids, RowIdsOf(rows));
  }
  FRESHET_TRY(const RowAddress first, writer_.Write(rows.rows, ids));
  RowAddress address = first;
  for (size_t i = 0; i < rows.keys.size(); ++i, ++address.row) {
    if (rows.unindexed.empty() || !rows.unindexed[i])
      plan_.entries.push_back({rows.keys[i], address});
  }
  if (plan_.entries.size() < limits::kIndexIngestEntriesMax) return first;
  FRESHET_CHECK_OK(KeepEntries());
  plan_.has_entries = false;
  plan_.entries = {};
  next_kept_ = 0;
  return first;
}

Result<ChangePlanner::Addresses> ChangePlanner::Locate(const Folded& folded) {
  std::vector<KeyHash> keys;
  keys.reserve(folded.erases.size());
  for (const auto& erase : folded.erases) keys.push_back(erase.key);
  const bool keyless = table_.form->rows.keyless();
  FRESHET_TRY(auto found, index_->Find(table_.flow, keyless, keys));
  Addresses kept(keys.size());
  if (keeps_) {
    FRESHET_TRY(kept, index_->Find(kept_, keyless, keys));
  }
  for (size_t i = 0; i < found.size(); ++i) {
    found[i].insert(found[i].end(), kept[i].begin(), kept[i].end());
    size_t living = 0;
    for (const auto& address : found[i]) {
      if (living == static_cast<size_t>(folded.erases[i].count)) break;
      FRESHET_TRY(const auto* file, live_.Find(address));
      if (file != nullptr) found[i][living++] = address;
    }
    found[i].resize(living);
  }
  return found;
}

Status ChangePlanner::Erase(const Folded& folded, const Addresses& addresses) {
  for (size_t i = 0; i < addresses.size(); ++i) {
    for (const auto& address : addresses[i]) {
      live_.Kill(address);
      if (table_.form->rows.keyless() && plan_.gone.size() < limits::kIndexIngestEntriesMax)
        plan_.gone.push_back({folded.erases[i].key, address});
    }
    auto dead = static_cast<int64_t>(addresses[i].size());
    (folded.erases[i].replaced ? plan_.rows_updated : plan_.rows_deleted) += dead;
  }
  return Status::Ok();
}

/// Where the patched puts' unsent values lie, in the order of reading.
Result<std::vector<RowPlace>> ChangePlanner::PlacesOf(const Folded& folded,
                                                      const Addresses& addresses) {
  std::vector<RowPlace> places;
  for (size_t i = 0; i < folded.puts.size(); ++i) {
    const auto& put = folded.puts[i];
    if (put.patch < 0) continue;
    RowPlace place{.of = i};
    if (put.wanted >= 0) {
      const KeyHash& wanted = folded.wanted[static_cast<size_t>(put.wanted)];
      auto erase = std::lower_bound(folded.erases.begin(), folded.erases.end(), wanted,
                                    [](const auto& a, const KeyHash& key) { return a.key < key; });
      FRESHET_ASSERT(erase != folded.erases.end() && erase->key == wanted);
      const auto& rows = addresses[static_cast<size_t>(erase - folded.erases.begin())];
      if (rows.empty()) {
        return Error(ErrorClass::VALUE_NOT_SENT,
                     "a change lacks values of a row that is not there");
      }
      FRESHET_TRY(place.file, live_.Find(rows.front()));
      place.row = rows.front().row;
    }
    places.push_back(place);
  }
  SortPlaces(&places);
  return places;
}

/// Write the rows whose values come from several. Unsent values are large ones, so what is read of
/// the table at a time is one row group's, however many changes are short.
Status ChangePlanner::WritePatched(const Folded& folded, const Addresses& addresses,
                                   PutReader* reader) {
  FRESHET_TRY(const auto places, PlacesOf(folded, addresses));
  const auto& form = *table_.form;
  arrow::FieldVector fields;
  for (size_t i = 0; i < form.columns.size(); ++i) {
    if (folded.wanted_columns[i]) fields.push_back(form.physical[i]);
  }
  return ReadPlaces(table_.store, places, fields, [&](auto part, const auto& batch) -> Status {
    arrow::ArrayVector former(form.columns.size());
    for (size_t i = 0, next = 0; batch != nullptr && i < former.size(); ++i) {
      if (folded.wanted_columns[i]) former[i] = batch->column(static_cast<int>(next++));
    }
    std::vector<Folded::Put> puts;
    for (const auto& place : part) puts.push_back(folded.puts[place.of]);
    FRESHET_TRY(auto rows, reader->Patched(puts, former));
    return Write(rows);
  });
}

}  // namespace freshet::apply
