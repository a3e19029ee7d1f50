// SPDX-License-Identifier: Apache-2.0
#include "apply/row_places.h"

#include <algorithm>
#include <string_view>
#include <tuple>

#include "base/limits.h"
#include "parquet/reader.h"

namespace freshet::apply {

void SortPlaces(std::vector<RowPlace>* places) {
  auto order = [](const RowPlace& place) {
    return std::tuple(place.file == nullptr ? std::string_view() : place.file->path, place.row);
  };
  std::stable_sort(places->begin(), places->end(),
                   [&](const RowPlace& a, const RowPlace& b) { return order(a) < order(b); });
}

Status ReadPlaces(const std::shared_ptr<store::FileStore>& table, std::span<const RowPlace> places,
                  const arrow::FieldVector& fields, const TakeRows& take) {
  std::unique_ptr<parquet::Reader> file;
  const delta::AddFile* opened = nullptr;
  int group = 0;
  for (size_t first = 0; first < places.size();) {
    const RowPlace& leading = places[first];
    int64_t rows_end = INT64_MAX;
    if (leading.file != nullptr) {
      if (leading.file != opened) {
        FRESHET_TRY(file, parquet::Reader::Open(table, leading.file->path));
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
    const auto part = places.subspan(first, end - first);
    std::shared_ptr<arrow::RecordBatch> rows;
    if (leading.file != nullptr) {
      std::vector<int64_t> ordinals;
      for (const auto& place : part) ordinals.push_back(place.row);
      FRESHET_TRY(rows, file->Take(ordinals, fields));
    }
    FRESHET_CHECK_OK(take(part, rows));
    first = end;
  }
  return Status::Ok();
}

}  // namespace freshet::apply
