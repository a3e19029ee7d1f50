// SPDX-License-Identifier: Apache-2.0
#include "apply/change_plan.h"

#include <arrow/array/concatenate.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>

#include <algorithm>
#include <map>

#include "base/limits.h"
#include "parquet/reader.h"
#include "record/arrow_status.h"

namespace freshet::apply {

Status ChangePlanner::NotSent(const Status& why) const {
  if (!why.Is(ErrorClass::VALUE_NOT_SENT)) return why;
  return Status(why).With("table", table_.name).With("key", table_.form->KeyNames());
}

Result<ChangePlan> ChangePlanner::Plan(ChangeLoader* loader, const std::stop_token& stop) {
  FRESHET_TRY(live_, LiveRows::Of(table_.store, table_.snapshot));
  FRESHET_CHECK_OK(loader->Prepare());
  for (uint64_t pass = 0; pass < loader->passes(); ++pass) {
    if (stop.stop_requested()) return Error(ErrorClass::CANCELLED, "apply was stopped");
    FRESHET_TRY(auto items, loader->Load(pass));
    FRESHET_CHECK_OK(NotSent(PlanPass(items)));
  }
  FRESHET_TRY(plan_.actions, live_->ToActions(now_ms_));
  FRESHET_TRY(auto files, writer_.Finish());
  for (auto& file : files) plan_.actions.emplace_back(std::move(file));
  plan_.has_entries = writer_.has_entries();
  plan_.entries = writer_.TakeEntries();
  plan_.rows_inserted = writer_.rows() - plan_.rows_updated;
  return std::move(plan_);
}

Status ChangePlanner::PlanPass(const std::vector<FoldItem>& items) {
  FRESHET_TRY(auto folded, Fold(table_.form->rows, items));
  if (folded.truncated) FRESHET_CHECK_OK(Truncate());
  FRESHET_TRY(auto addresses, Locate(folded));
  FRESHET_TRY(auto recovered, Recover(folded, addresses));
  FRESHET_CHECK_OK(Erase(folded, addresses));
  PutReader reader(table_.form->rows, items, folded, std::move(recovered), limits::kApplyRowsMax);
  while (true) {
    FRESHET_TRY(auto rows, reader.Next());
    if (rows.rows == nullptr) return Status::Ok();
    FRESHET_CHECK_OK(writer_.Write(rows));
  }
}

Status ChangePlanner::Truncate() {
  if (truncated_) return Status::Ok();
  truncated_ = true;
  FRESHET_TRY(int64_t rows, live_->KillAll());
  plan_.rows_deleted += rows;
  return Status::Ok();
}

/// The living rows of each erased key, no more than it erases.
Result<ChangePlanner::Addresses> ChangePlanner::Locate(const Folded& folded) {
  std::vector<KeyHash> keys;
  keys.reserve(folded.erases.size());
  for (const auto& erase : folded.erases) keys.push_back(erase.key);
  FRESHET_TRY(auto found, index_->Find(table_.flow, table_.form->rows.keyless(), keys));
  for (size_t i = 0; i < found.size(); ++i) {
    size_t living = 0;
    for (const auto& address : found[i]) {
      if (living == static_cast<size_t>(folded.erases[i].count)) break;
      FRESHET_TRY(const auto* file, live_->Find(address));
      if (file != nullptr) found[i][living++] = address;
    }
    found[i].resize(living);
  }
  return found;
}

Status ChangePlanner::Erase(const Folded& folded, const Addresses& addresses) {
  for (size_t i = 0; i < addresses.size(); ++i) {
    for (const auto& address : addresses[i]) live_->Kill(address);
    auto dead = static_cast<int64_t>(addresses[i].size());
    (folded.erases[i].replaced ? plan_.rows_updated : plan_.rows_deleted) += dead;
  }
  return Status::Ok();
}

/// Read the wanted columns of the wanted keys' rows: one array a column, null where not wanted.
Result<arrow::ArrayVector> ChangePlanner::Recover(const Folded& folded,
                                                  const Addresses& addresses) {
  const auto& form = *table_.form;
  arrow::ArrayVector recovered(form.columns.size());
  if (folded.wanted.empty()) return recovered;
  arrow::FieldVector fields;
  for (size_t i = 0; i < form.columns.size(); ++i) {
    if (folded.wanted_columns[i]) fields.push_back(form.physical[i]);
  }
  // Where each wanted row lies, by file.
  struct Place {
    int64_t row;
    int64_t wanted;
  };
  std::map<std::string, std::vector<Place>> places;
  for (size_t i = 0; i < folded.wanted.size(); ++i) {
    auto erase = std::lower_bound(folded.erases.begin(), folded.erases.end(), folded.wanted[i],
                                  [](const auto& a, const KeyHash& key) { return a.key < key; });
    FRESHET_ASSERT(erase != folded.erases.end() && erase->key == folded.wanted[i]);
    const auto& rows = addresses[static_cast<size_t>(erase - folded.erases.begin())];
    if (rows.empty()) {
      return Error(ErrorClass::VALUE_NOT_SENT, "a change lacks values of a row that is not there");
    }
    FRESHET_TRY(const auto* file, live_->Find(rows.front()));
    places[file->path].push_back({rows.front().row, static_cast<int64_t>(i)});
  }
  std::vector<arrow::ArrayVector> pieces(fields.size());
  std::vector<int64_t> order(folded.wanted.size());  // wanted → row of the pieces
  int64_t next = 0;
  for (auto& [path, of_file] : places) {
    std::sort(of_file.begin(), of_file.end(),
              [](const Place& a, const Place& b) { return a.row < b.row; });
    std::vector<int64_t> rows;
    for (const auto& place : of_file) {
      rows.push_back(place.row);
      order[static_cast<size_t>(place.wanted)] = next++;
    }
    FRESHET_TRY(auto reader, parquet::Reader::Open(table_.store, path));
    FRESHET_TRY(auto batch, reader->Take(rows, fields));
    for (size_t i = 0; i < fields.size(); ++i) {
      pieces[i].push_back(batch->column(static_cast<int>(i)));
    }
  }
  arrow::Int64Builder builder;
  FRESHET_CHECK_OK(builder.AppendValues(order));
  FRESHET_TRY(auto indices, builder.Finish());
  for (size_t i = 0, piece = 0; i < recovered.size(); ++i) {
    if (!folded.wanted_columns[i]) continue;
    FRESHET_TRY(auto whole, arrow::Concatenate(pieces[piece++]));
    FRESHET_TRY(recovered[i], arrow::compute::Take(*whole, *indices,
                                                   arrow::compute::TakeOptions::NoBoundsCheck()));
  }
  return recovered;
}

}  // namespace freshet::apply
