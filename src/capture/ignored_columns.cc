// SPDX-License-Identifier: Apache-2.0
#include "capture/ignored_columns.h"

#include <arrow/array/util.h>
#include <arrow/builder.h>

#include <vector>

#include "capture/shape_change.h"
#include "record/arrow_status.h"

namespace freshet::capture {
namespace {

/// For each column of `kept` its place in `now`; -1: it went.
std::vector<int> PlacesIn(const record::TableShape& now, const record::TableShape& kept) {
  std::vector<int> places;
  for (const auto& id : kept.ids) places.push_back(PlaceOf(now, id));
  return places;
}

/// The bits of the columns that were not sent, in the kept columns' order.
Result<std::shared_ptr<arrow::Array>> MissingOf(const record::ChangeView& view,
                                                const std::vector<int>& places) {
  arrow::BinaryBuilder builder;
  for (int64_t row = 0; row < view.size(); ++row) {
    std::string bits((places.size() + 7) / 8, '\0');
    bool any = false;
    for (size_t i = 0; view.has_missing(row) && i < places.size(); ++i) {
      if (places[i] < 0 || !view.missing(row, places[i])) continue;
      bits[i / 8] = static_cast<char>(bits[i / 8] | 1 << (i % 8));
      any = true;
    }
    FRESHET_CHECK_OK(any ? builder.Append(bits) : builder.AppendNull());
  }
  FRESHET_TRY(auto array, builder.Finish());
  return array;
}

}  // namespace

Status CheckIgnorable(const record::TableShape& kept, const record::TableShape& now) {
  if (!SameKey(kept, now)) {
    return Error(ErrorClass::KEY_CHANGED,
                 "the key names other columns than when the table was read")
        .With("table", kept.name.ToString());
  }
  const auto places = PlacesIn(now, kept);
  for (int i = 0; i < kept.width(); ++i) {
    const int place = places[static_cast<size_t>(i)];
    const auto& field = *kept.schema->field(i);
    const bool gone = place < 0 && kept.keyless();
    if (gone || (place >= 0 && !now.schema->field(place)->type()->Equals(field.type()))) {
      return Error(ErrorClass::SHAPE_CHANGE_UNSUPPORTED, "a column {}: {}",
                   gone ? "was dropped of a table without a key" : "has another type", field.name())
          .With("table", kept.name.ToString());
    }
  }
  return Status::Ok();
}

record::TableShape Restricted(const record::TableShape& kept, const record::TableShape& now) {
  return OfColumns(now, kept.ids);
}

Result<record::ChangeBatch> InKept(std::shared_ptr<const record::TableShape> kept,
                                   const record::ChangeBatch& batch) {
  const auto places = PlacesIn(*batch.shape, *kept);
  const record::ChangeView view(batch.rows);
  arrow::ArrayVector columns;
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i] >= 0) {
      columns.push_back(batch.rows->column(places[i]));
      continue;
    }
    const auto& type = kept->schema->field(static_cast<int>(i))->type();
    FRESHET_TRY(auto nulls, arrow::MakeArrayOfNull(type, view.size()));
    columns.push_back(std::move(nulls));
  }
  for (int i = view.width(); i + 1 < batch.rows->num_columns(); ++i)
    columns.push_back(batch.rows->column(i));
  FRESHET_TRY(auto missing, MissingOf(view, places));
  columns.push_back(std::move(missing));
  auto rows = arrow::RecordBatch::Make(record::ChangeSchema(*kept->schema), view.size(),
                                       std::move(columns));
  return record::ChangeBatch{.shape = std::move(kept), .rows = std::move(rows)};
}

}  // namespace freshet::capture
