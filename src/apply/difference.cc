// SPDX-License-Identifier: Apache-2.0
#include "apply/difference.h"

#include <algorithm>

#include "apply/key_hash.h"
#include "base/limits.h"
#include "delta/stats.h"

namespace freshet::apply {
namespace {

/// The parts' fields in the order of the table's columns; one that the reading lacks has a name
/// that no column may have, so it comes as nulls.
arrow::FieldVector FieldsOf(const record::TableShape& shape, const TableForm& form) {
  arrow::FieldVector fields;
  for (const auto& column : form.columns) {
    auto found = std::find(shape.ids.begin(), shape.ids.end(), column.id);
    auto name = found == shape.ids.end()
                    ? fmt::format("{}{}", record::kReservedPrefix, column.id.value())
                    : shape.schema->field(static_cast<int>(found - shape.ids.begin()))->name();
    fields.push_back(arrow::field(std::move(name), column.type));
  }
  return fields;
}

/// How many rows there are to compare, as far as it is known without looking.
int64_t RowsOf(const delta::Snapshot& snapshot, const DifferencePlanner::Reading& reading) {
  int64_t rows = 0;
  for (const auto& [path, file] : snapshot.files)
    rows += std::max<int64_t>(0, delta::RowsOf(file.stats_json));
  for (const auto& part : reading.parts) rows += part.rows;
  return rows;
}

/// A part may go at any time: a later reading takes its place.
Status OfStaging(const Status& status) {
  if (!status.Is(ErrorClass::NOT_FOUND)) return status;
  return Error(ErrorClass::STAGING_EXPIRED, "a snapshot part is no longer in staging: {}",
               status.message());
}

}  // namespace

DifferencePlanner::DifferencePlanner(Table table, Reading reading, std::string scratch_folder,
                                     size_t bytes_max, int64_t now_ms)
    : table_(std::move(table)),
      reading_(std::move(reading)),
      now_ms_(now_ms),
      read_columns_(FieldsOf(reading_.shape, *table_.form)),
      writer_(table_.store, *table_.form, now_ms),
      live_(table_.store, table_.snapshot, table_.paths),
      feed_(table_.store, *table_.form, {scratch_folder, bytes_max}),
      tally_(std::move(scratch_folder), !table_.form->rows.keyless(),
             RowsOf(*table_.snapshot, reading_), bytes_max),
      wanted_(reading_.parts.size()) {}

Result<Difference> DifferencePlanner::Plan(const std::stop_token& stop) {
  FRESHET_CHECK_OK(HashTable(stop));
  FRESHET_CHECK_OK(OfStaging(HashReading(stop)));
  FRESHET_TRY(auto totals,
              tally_.Compare([this](const RowTally::Row& row) { return TakeSurplus(row); }));
  FRESHET_CHECK_OK(OfStaging(Append(stop)));
  FRESHET_TRY(auto files, writer_.Finish());
  for (auto& file : files) live_.Add(std::move(file));
  std::vector<delta::Action> told;
  if (table_.snapshot->keeps_feed()) {
    FRESHET_TRY(told, feed_.Write(&live_));
  }
  if (!table_.snapshot->deletion_vectors_enabled()) {
    FRESHET_TRY(copies_, CopyTornFiles(table_.store, *table_.form, now_ms_, stop, &live_));
  }
  Difference difference;
  FRESHET_TRY(difference.actions, live_.ToActions(now_ms_));
  std::ranges::move(told, std::back_inserter(difference.actions));
  difference.rows_inserted = totals.inserted;
  difference.rows_updated = totals.updated;
  difference.rows_deleted = totals.deleted;
  return difference;
}

Status DifferencePlanner::HashTable(const std::stop_token& stop) {
  for (const auto& [path, file] : table_.snapshot->files) {
    delta::DeletionVector dead;
    if (file.deletion_vector) {
      FRESHET_TRY(dead, delta::DeletionVector::Load(*table_.store, *file.deletion_vector));
    }
    FRESHET_TRY(auto reader, parquet::Reader::Open(table_.store, path));
    FRESHET_CHECK_OK(Hash(reader.get(), table_.form->physical, RowTally::Side::kOld,
                          static_cast<uint32_t>(files_.size()), dead, stop));
    files_.push_back(&file);
  }
  return Status::Ok();
}

Status DifferencePlanner::HashReading(const std::stop_token& stop) {
  for (size_t i = 0; i < reading_.parts.size(); ++i) {
    if (reading_.parts[i].rows == 0) continue;
    FRESHET_TRY(auto reader, OpenPart(reading_.parts[i]));
    FRESHET_CHECK_OK(Hash(reader.get(), read_columns_, RowTally::Side::kNew,
                          static_cast<uint32_t>(i), {}, stop));
  }
  return Status::Ok();
}

Status DifferencePlanner::Hash(parquet::Reader* file, const arrow::FieldVector& columns,
                               RowTally::Side side, uint32_t number,
                               const delta::DeletionVector& dead, const std::stop_token& stop) {
  const RowForm& form = table_.form->rows;
  for (int group = 0; group < file->row_groups(); ++group) {
    if (stop.stop_requested()) return Error(ErrorClass::CANCELLED, "apply was stopped");
    FRESHET_TRY(auto rows, file->Read(group, columns));
    const auto contents = HashContents(rows->columns(), form.ids, rows->num_rows());
    std::vector<KeyHash> keys;
    if (!form.keyless()) {
      arrow::ArrayVector key;
      for (int ordinal : form.key) key.push_back(rows->column(ordinal));
      keys = HashKeys(key, rows->num_rows());
    }
    auto row = static_cast<uint32_t>(file->RowsOf(group).first);
    for (size_t i = 0; i < contents.size(); ++i, ++row) {
      if (dead.Contains(row)) continue;
      FRESHET_CHECK_OK(tally_.Add({.key = form.keyless() ? contents[i] : keys[i],
                                   .content = contents[i],
                                   .side = side,
                                   .file = number,
                                   .row = row}));
    }
  }
  return Status::Ok();
}

Result<std::unique_ptr<parquet::Reader>> DifferencePlanner::OpenPart(
    const staging::SnapshotPart& part) const {
  auto reader = parquet::Reader::Open(reading_.staging, part.path);
  if (reader.ok() && (*reader)->rows() != part.rows) {
    return Error(ErrorClass::STAGING_CORRUPT, "a snapshot part is not what its manifest says: {}",
                 part.path);
  }
  return reader;
}

Status DifferencePlanner::TakeSurplus(const RowTally::Row& row) {
  if (row.side == RowTally::Side::kNew) {
    wanted_[row.file].Add(row.row);
    return Status::Ok();
  }
  const RowAddress address{HashPath(files_[row.file]->path), row.row};
  FRESHET_TRY(const auto* file, live_.Find(address));
  FRESHET_ASSERT(file != nullptr);
  live_.Kill(address);
  return Status::Ok();
}

Status DifferencePlanner::Append(const std::stop_token& stop) {
  for (size_t i = 0; i < wanted_.size(); ++i) {
    if (wanted_[i].cardinality() == 0) continue;
    FRESHET_TRY(auto reader, OpenPart(reading_.parts[i]));
    const auto rows = wanted_[i].Minus({});
    for (size_t first = 0; first < rows.size();) {
      if (stop.stop_requested()) return Error(ErrorClass::CANCELLED, "apply was stopped");
      const size_t end = std::min(rows.size(), first + static_cast<size_t>(limits::kApplyRowsMax));
      const std::vector<int64_t> taken(rows.begin() + static_cast<std::ptrdiff_t>(first),
                                       rows.begin() + static_cast<std::ptrdiff_t>(end));
      FRESHET_TRY(auto batch, reader->Take(taken, read_columns_));
      FRESHET_CHECK_OK(writer_
                           .Write(arrow::RecordBatch::Make(table_.form->rows.schema,
                                                           batch->num_rows(), batch->columns()))
                           .status());
      first = end;
    }
  }
  return Status::Ok();
}

}  // namespace freshet::apply
