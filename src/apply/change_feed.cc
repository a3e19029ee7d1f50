// SPDX-License-Identifier: Apache-2.0
#include "apply/change_feed.h"

#include <arrow/builder.h>

#include <algorithm>

#include "apply/key_hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/random.h"
#include "record/arrow_status.h"

namespace freshet::apply {
namespace {

using Side = RowTally::Side;

constexpr char kChangeType[] = "_change_type";

std::string_view ChangeOf(Side side, bool paired) {
  if (side == Side::kOld) return paired ? "update_preimage" : "delete";
  return paired ? "update_postimage" : "insert";
}

/// The columns by which a row stays itself.
arrow::FieldVector IdentityFields(const TableForm& form) {
  auto fields = form.KeyFields();
  if (form.history.keeps_versions())
    fields.push_back(form.physical[static_cast<size_t>(form.history.start)]);
  return fields;
}

}  // namespace

Result<std::vector<delta::Action>> ChangeFeed::Write(LiveRows* rows) {
  if (!rows->marks_rows()) return std::vector<delta::Action>();
  FRESHET_TRY(const int64_t expected, rows->CountFates());
  RowTally tally(rules_.scratch_folder, !form_.rows.keyless(), expected, rules_.bytes_max);
  FRESHET_CHECK_OK(rows->EachFate([&](const auto& file, bool came, const auto& of_file) {
    return Add(file, came ? Side::kNew : Side::kOld, of_file, &tally);
  }));
  FRESHET_CHECK_OK(tally.Pair([this](const RowTally::Row& row, bool paired) {
    told_[row.file].rows.Add(row.row);
    if (paired) told_[row.file].paired.Add(row.row);
    return Status::Ok();
  }));
  for (const auto& told : told_) FRESHET_CHECK_OK(WriteRows(told));
  FRESHET_CHECK_OK(Finish());
  return actions_;
}

Status ChangeFeed::Add(const delta::AddFile& file, Side side, const std::vector<int64_t>& rows,
                       RowTally* tally) {
  if (told_.empty() || told_.back().file.path != file.path || told_.back().side != side)
    told_.push_back({.file = file, .side = side, .rows = {}, .paired = {}});
  const auto number = static_cast<uint32_t>(told_.size() - 1);
  const auto fields = IdentityFields(form_);
  const bool keyless = form_.rows.keyless();
  FRESHET_TRY(auto reader, parquet::Reader::Open(table_, file.path));
  FRESHET_TRY(const auto batch, reader->Take(rows, fields));
  const auto keys = keyless ? HashContents(batch->columns(), form_.rows.ids, batch->num_rows())
                            : HashKeys(batch->columns(), batch->num_rows());
  for (size_t i = 0; i < keys.size(); ++i) {
    // A row that is written again changed, as its source said, though it be to what it was.
    KeyHash content = keys[i];
    if (!keyless && side == Side::kNew) content.low = ~content.low;
    FRESHET_CHECK_OK(tally->Add({.key = keys[i],
                                 .content = content,
                                 .side = side,
                                 .file = number,
                                 .row = static_cast<uint32_t>(rows[i])}));
  }
  return Status::Ok();
}

Status ChangeFeed::WriteRows(const Told& told) {
  const auto rows = told.rows.Minus({});
  if (rows.empty()) return Status::Ok();
  const auto schema = form_.rows.schema;
  auto fields = schema->fields();
  fields.push_back(arrow::field(kChangeType, arrow::utf8()));
  const auto whole = arrow::schema(std::move(fields));
  FRESHET_TRY(auto reader, parquet::Reader::Open(table_, told.file.path));
  for (size_t first = 0; first < rows.size();) {
    const size_t end = std::min(rows.size(), first + static_cast<size_t>(limits::kApplyRowsMax));
    const std::vector<int64_t> some(rows.begin() + static_cast<std::ptrdiff_t>(first),
                                    rows.begin() + static_cast<std::ptrdiff_t>(end));
    FRESHET_TRY(const auto batch, reader->Take(some, form_.physical));
    arrow::StringBuilder types;
    for (int64_t row : some) {
      FRESHET_CHECK_OK(
          types.Append(ChangeOf(told.side, told.paired.Contains(static_cast<uint64_t>(row)))));
    }
    auto columns = batch->columns();
    FRESHET_TRY(auto type, types.Finish());
    columns.push_back(std::move(type));
    if (encoder_ == nullptr) {
      std::vector<std::string> names;
      for (const auto& column : form_.columns) names.push_back(column.physical);
      names.emplace_back(kChangeType);
      auto ids = form_.rows.ids;
      ids.emplace_back(0);
      FRESHET_TRY(encoder_, parquet::Encoder::Make(whole, std::move(names), std::move(ids)));
    }
    FRESHET_CHECK_OK(
        encoder_->Write(arrow::RecordBatch::Make(whole, std::ssize(some), std::move(columns))));
    if (encoder_->bytes() >= static_cast<int64_t>(limits::kSnapshotPartBytesMax))
      FRESHET_CHECK_OK(Finish());
    first = end;
  }
  return Status::Ok();
}

Status ChangeFeed::Finish() {
  if (encoder_ == nullptr) return Status::Ok();
  FRESHET_TRY(auto file, encoder_->Finish());
  encoder_ = nullptr;
  delta::ChangeFile change{.path = fmt::format("_change_data/cdc-{}.parquet", RandomUuid()),
                           .bytes = file.bytes->size()};
  actions_.emplace_back(change);
  return table_->Put(change.path, std::string_view(*file.bytes), store::If::kAbsent);
}

void ChangeFeed::Discard() {
  for (const auto& action : actions_) {
    Status removed = table_->Remove(std::get<delta::ChangeFile>(action).path);
    if (!removed.ok()) spdlog::warn("a file of a lost commit stays: {}", removed.ToString());
  }
  actions_.clear();
}

}  // namespace freshet::apply
