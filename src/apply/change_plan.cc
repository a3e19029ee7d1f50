// SPDX-License-Identifier: Apache-2.0
#include "apply/change_plan.h"

#include <algorithm>
#include <tuple>

#include "base/limits.h"
#include "parquet/reader.h"
#include "record/arrow_status.h"

namespace freshet::apply {

Status ChangePlanner::NotSent(const Status& why) const {
  if (!why.Is(ErrorClass::VALUE_NOT_SENT)) return why;
  return Status(why).With("table", table_.name).With("key", table_.form->KeyNames());
}

Result<ChangePlan> ChangePlanner::Plan(ChangeLoader* loader, const std::stop_token& stop) {
  FRESHET_TRY(auto slice, loader->Next());
  while (!slice.empty()) {
    if (stop.stop_requested()) return Error(ErrorClass::CANCELLED, "apply was stopped");
    FRESHET_CHECK_OK(NotSent(PlanSlice(slice)));
    slice.clear();
    FRESHET_TRY(slice, loader->Next());
    if (!slice.empty()) FRESHET_CHECK_OK(EndSlice());
  }
  FRESHET_TRY(auto files, writer_.Finish());
  for (auto& file : files) live_.Add(std::move(file));
  FRESHET_TRY(plan_.actions, live_.ToActions(now_ms_));
  if (keeps_) FRESHET_CHECK_OK(index_->Reset(kept_));
  plan_.rows_inserted = writer_.rows() - plan_.rows_updated;
  return std::move(plan_);
}

Status ChangePlanner::PlanSlice(const std::vector<FoldItem>& items) {
  FRESHET_TRY(auto folded, Fold(table_.form->rows, items));
  if (folded.truncated) plan_.rows_deleted += live_.KillAll();
  FRESHET_TRY(auto addresses, Locate(folded));
  PutReader reader(table_.form->rows, items, folded, limits::kApplyRowsMax);
  FRESHET_CHECK_OK(WritePatched(folded, addresses, &reader));
  FRESHET_CHECK_OK(Erase(folded, addresses));
  while (true) {
    FRESHET_TRY(auto rows, reader.Next());
    if (rows.rows == nullptr) return Status::Ok();
    FRESHET_CHECK_OK(Write(rows));
  }
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

Status ChangePlanner::Write(const KeyedRows& rows) {
  FRESHET_TRY(RowAddress address, writer_.Write(rows.rows));
  for (const auto& key : rows.keys) {
    plan_.entries.push_back({key, address});
    ++address.row;
  }
  if (plan_.entries.size() < limits::kIndexIngestEntriesMax) return Status::Ok();
  FRESHET_CHECK_OK(KeepEntries());
  plan_.has_entries = false;
  plan_.entries = {};
  next_kept_ = 0;
  return Status::Ok();
}

/// The living rows of each erased key, no more than it erases.
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

struct ChangePlanner::Place {
  const delta::AddFile* file = nullptr;  // null: the fold has all of the put's values
  int64_t row = 0;
  const Folded::Put* put = nullptr;
};

/// Where the patched puts' unsent values lie, in the order of reading.
Result<std::vector<ChangePlanner::Place>> ChangePlanner::PlacesOf(const Folded& folded,
                                                                  const Addresses& addresses) {
  std::vector<Place> places;
  for (const auto& put : folded.puts) {
    if (put.patch < 0) continue;
    Place place{.put = &put};
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
  auto order = [](const Place& place) {
    return std::tuple(place.file == nullptr ? std::string_view() : place.file->path, place.row);
  };
  std::stable_sort(places.begin(), places.end(),
                   [&](const Place& a, const Place& b) { return order(a) < order(b); });
  return places;
}

/// Write the rows whose values come from several. Unsent values are large ones, so what is read of
/// the table at a time is one row group's, however many changes are short.
Status ChangePlanner::WritePatched(const Folded& folded, const Addresses& addresses,
                                   PutReader* reader) {
  FRESHET_TRY(const auto places, PlacesOf(folded, addresses));
  std::unique_ptr<parquet::Reader> file;
  const delta::AddFile* opened = nullptr;
  int group = 0;
  for (size_t first = 0; first < places.size();) {
    const Place& leading = places[first];
    int64_t rows_end = INT64_MAX;
    if (leading.file != nullptr) {
      if (leading.file != opened) {
        FRESHET_TRY(file, parquet::Reader::Open(table_.store, leading.file->path));
        opened = leading.file;
        group = 0;
      }
      auto end_of = [&] { return file->RowsOf(group).first + file->RowsOf(group).second; };
      while (end_of() <= leading.row) ++group;
      rows_end = end_of();
    }
    size_t end = first;
    while (end < places.size() && end - first < static_cast<size_t>(limits::kApplyRowsMax) &&
           places[end].file == leading.file && places[end].row < rows_end)
      ++end;
    FRESHET_CHECK_OK(
        WritePatched(folded, std::span(places).subspan(first, end - first), file.get(), reader));
    first = end;
  }
  return Status::Ok();
}

/// Write those of one row group, or of none.
Status ChangePlanner::WritePatched(const Folded& folded, std::span<const Place> places,
                                   parquet::Reader* file, PutReader* reader) {
  const auto& form = *table_.form;
  arrow::ArrayVector former(form.columns.size());
  if (places.front().file != nullptr) {
    arrow::FieldVector fields;
    std::vector<int64_t> rows;
    for (size_t i = 0; i < former.size(); ++i) {
      if (folded.wanted_columns[i]) fields.push_back(form.physical[i]);
    }
    for (const auto& place : places) rows.push_back(place.row);
    FRESHET_TRY(auto batch, file->Take(rows, fields));
    for (size_t i = 0, next = 0; i < former.size(); ++i) {
      if (folded.wanted_columns[i]) former[i] = batch->column(static_cast<int>(next++));
    }
  }
  std::vector<Folded::Put> puts;
  for (const auto& place : places) puts.push_back(*place.put);
  FRESHET_TRY(auto rows, reader->Patched(puts, former));
  return Write(rows);
}

}  // namespace freshet::apply
