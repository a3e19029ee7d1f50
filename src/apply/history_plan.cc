// SPDX-License-Identifier: Apache-2.0
#include "apply/history_plan.h"

#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/util/byte_size.h>

#include <algorithm>

#include "apply/key_hash.h"
#include "apply/same_value.h"
#include "base/limits.h"
#include "parquet/reader.h"
#include "record/arrow_status.h"

namespace freshet::apply {

using Row = KeyVersions::Row;

Status HistoryPlanner::PlanSlice(const std::vector<FoldItem>& items, bool goes_on) {
  if (goes_on) {
    own_files_.merge(slice_files_);
  } else {
    own_files_.clear();
  }
  slice_files_.clear();
  Slice slice{.items = items, .goes_on = goes_on};
  const Keep keep = compares() ? Keep::kCommitted : Keep::kAll;
  FRESHET_TRY(slice.folded, Fold(form_.rows, items, keep));
  FRESHET_TRY(slice.addresses, Locate(slice.folded));
  FRESHET_CHECK_OK(ReadRowIds(slice.folded, slice.addresses, /*replaced=*/false));
  for (const auto& item : items) {
    if (const auto* batch = std::get_if<FoldBatch>(&item)) slice.batches.push_back(batch);
  }
  slice.keys.resize(slice.folded.erases.size());
  for (size_t i = 0; i < slice.folded.states.size(); ++i) {
    auto& key = slice.keys[slice.folded.states[i].key];
    if (key.end == 0) key.first = i;
    key.end = i + 1;
  }
  FRESHET_CHECK_OK(ReadFormer(&slice));
  if (compares()) FRESHET_CHECK_OK(FindClosed(&slice));
  FRESHET_CHECK_OK(MakeVersions(&slice));
  FRESHET_CHECK_OK(WriteClosing(&slice));
  std::erase_if(slice.folded.puts,
                [&](const auto& put) { return !written_[static_cast<size_t>(put.state)]; });
  FRESHET_CHECK_OK(WritePuts(items, slice.folded, slice.addresses));
  Erase(slice);
  return slice.folded.emptied ? CloseRest(slice) : Status::Ok();
}

// --- what the table says

Status HistoryPlanner::ReadFormer(Slice* slice) {
  std::vector<RowPlace> places;
  for (size_t key = 0; key < slice->keys.size(); ++key) {
    if (slice->addresses[key].empty()) continue;
    const auto& address = slice->addresses[key].front();
    FRESHET_TRY(const auto* file, live_.Find(address));
    places.push_back({file, address.row, key});
    slice->keys[key].before.own = compares() && own_files_.contains(address.file);
  }
  SortPlaces(&places);
  size_t bytes = 0;
  auto take = [&](auto part, const auto& rows) -> Status {
    TakeFormer(part, *rows, slice);
    auto& former = slice->former.emplace_back();
    former.places.assign(part.begin(), part.end());
    FRESHET_TRY(const int64_t of_rows, arrow::util::ReferencedBufferSize(*rows));
    bytes += static_cast<size_t>(of_rows);
    if (bytes <= limits::kFoldBytesMax) former.rows = rows;
    return Status::Ok();
  };
  return ReadPlaces(table_.store, places, form_.physical, take);
}

void HistoryPlanner::TakeFormer(std::span<const RowPlace> places, const arrow::RecordBatch& rows,
                                Slice* slice) {
  std::vector<Moment> starts;
  if (history_.start >= 0)
    starts = MomentsOf(*rows.column(history_.start), history_.order() == VersionOrder::kCommits);
  for (size_t i = 0; i < places.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    Key& key = slice->keys[places[i].of];
    key.former = static_cast<int32_t>(slice->former.size());
    key.row = row;
    key.before.open = true;
    if (history_.soft_delete && rows.column(history_.end)->IsValid(row)) {
      key.before.open = false;
      key.deleted = true;
    }
    for (int column : history_.sequence) {
      AppendMoment(*rows.column(column), row, &key.sequence.emplace_back());
      if (history_.start < 0) key.before.at += key.sequence.back();
    }
    if (history_.start >= 0) key.before.at = starts[i];
    const auto& first = slice->folded.states[key.first];
    key.same = compares() && first.put >= 0 && SameAsRow(*slice, first, rows, row);
    if (history_.order() == VersionOrder::kSequences) KeepKnown(key, rows, slice);
  }
}

/// The row that columns were read of may be one whose sequence made it count for nothing here: it
/// gives the key's row in the table only what that lacks.
void HistoryPlanner::KeepKnown(const Key& key, const arrow::RecordBatch& rows, Slice* slice) const {
  auto& folded = slice->folded;
  for (size_t i = key.first; i < key.end; ++i) {
    if (folded.states[i].put < 0) continue;
    const auto& put = folded.puts[static_cast<size_t>(folded.states[i].put)];
    if (put.wanted < 0 || !slice->batches[put.from.batch]->is_reading) continue;
    for (size_t column = 0; column < form_.rows.width(); ++column) {
      if (rows.column(static_cast<int>(column))->IsNull(key.row)) continue;
      folded.patches[static_cast<size_t>(put.patch) * form_.rows.width() + column] = {
          RowRef::kInTable, static_cast<uint32_t>(put.wanted)};
      folded.wanted_columns[column] = true;
    }
  }
}

RowRef HistoryPlanner::RefOf(const Folded& folded, const Folded::Put& put, size_t column) const {
  if (put.patch < 0) return put.from;
  return folded.patches[static_cast<size_t>(put.patch) * form_.rows.width() + column];
}

/// Whether a key's first state has what its row has; the columns that are ours don't count.
bool HistoryPlanner::SameAsRow(const Slice& slice, const Folded::State& state,
                               const arrow::RecordBatch& rows, int64_t row) const {
  const auto& folded = slice.folded;
  const auto& put = folded.puts[static_cast<size_t>(state.put)];
  for (size_t column = 0; column < form_.rows.width(); ++column) {
    const auto ordinal = static_cast<int>(column);
    if (ordinal == history_.start || ordinal == history_.end) continue;
    const RowRef ref = RefOf(folded, put, column);
    if (ref.batch == RowRef::kInTable) {
      if (folded.wanted[ref.row] != put.key) return false;
      continue;
    }
    if (!SameValue(*slice.batches[ref.batch]->columns[column], ref.row, *rows.column(ordinal), row))
      return false;
  }
  return true;
}

const HistoryPlanner::Key& HistoryPlanner::WantedOf(const Slice& slice, const RowRef& ref) {
  const auto& erases = slice.folded.erases;
  auto erase = std::ranges::lower_bound(erases, slice.folded.wanted[ref.row], std::less<>(),
                                        &Folded::Erase::key);
  return slice.keys[static_cast<size_t>(erase - erases.begin())];
}

std::pair<std::shared_ptr<arrow::Array>, int64_t> HistoryPlanner::ValueAt(const Slice& slice,
                                                                          const RowRef& ref,
                                                                          size_t column) {
  if (ref.batch != RowRef::kInTable) return {slice.batches[ref.batch]->columns[column], ref.row};
  const Key& key = WantedOf(slice, ref);
  const auto* former =
      key.former < 0 ? nullptr : slice.former[static_cast<size_t>(key.former)].rows.get();
  if (former == nullptr) return {nullptr, 0};
  return {former->column(static_cast<int>(column)), key.row};
}

bool HistoryPlanner::SameAsBefore(const Slice& slice, const Folded::State& state,
                                  const Folded::State& before) const {
  const auto& folded = slice.folded;
  const auto& put = folded.puts[static_cast<size_t>(state.put)];
  const auto& former = folded.puts[static_cast<size_t>(before.put)];
  for (size_t column = 0; column < form_.rows.width(); ++column) {
    const RowRef a = RefOf(folded, put, column), b = RefOf(folded, former, column);
    if (a == b) continue;
    const auto [of_a, row_a] = ValueAt(slice, a, column);
    const auto [of_b, row_b] = ValueAt(slice, b, column);
    if (of_a == nullptr || of_b == nullptr || !SameValue(*of_a, row_a, *of_b, row_b)) return false;
  }
  return true;
}

/// When keys without a version in force had their last one end, if that matters.
Status HistoryPlanner::FindClosed(Slice* slice) {
  std::vector<ClosedVersions::Asked> asked;
  std::vector<size_t> of;
  for (size_t i = 0; i < slice->keys.size(); ++i) {
    const Key& key = slice->keys[i];
    if (key.before.open) continue;
    auto states = std::span(slice->folded.states).subspan(key.first, key.end - key.first);
    auto live = std::ranges::find_if(states, [](const auto& state) { return state.put >= 0; });
    if (live == states.end()) continue;
    asked.push_back({.key = slice->folded.erases[i].key, .at = live->at});
    of.push_back(i);
  }
  FRESHET_CHECK_OK(closed_->Find(table_.store, form_, &live_, &asked));
  for (size_t i = 0; i < asked.size(); ++i) {
    if (!asked[i].ended) continue;
    auto& before = slice->keys[of[i]].before;
    before.at = MomentOf(*asked[i].ended);
    before.own = own_files_.contains(asked[i].file);
  }
  return Status::Ok();
}

// --- what becomes of it

Status HistoryPlanner::MakeVersions(Slice* slice) {
  const auto& folded = slice->folded;
  written_.assign(folded.states.size(), false);
  starts_.assign(folded.states.size(), {});
  ends_.assign(folded.states.size(), {});
  std::vector<KeyState> states;
  for (auto& key : slice->keys) {
    states.clear();
    for (size_t i = key.first; i < key.end; ++i) {
      const auto& state = folded.states[i];
      KeyState& made = states.emplace_back();
      made.live = state.put >= 0;
      made.goes_on = slice->goes_on && state.first;
      if (made.live && compares()) {
        const auto* before = i == key.first ? nullptr : &folded.states[i - 1];
        made.same =
            before == nullptr ? key.same : before->put >= 0 && SameAsBefore(*slice, state, *before);
      }
      if (history_.order() == VersionOrder::kCommits) {
        made.at = MomentOf(state.at);
      } else if (made.live) {
        FRESHET_TRY(made.at, SequenceOf(*slice, state));
      }
    }
    key.becomes = VersionsOf(history_.order(), key.before, states);
    ChooseWritten(*slice, key);
  }
  return Status::Ok();
}

Result<Moment> HistoryPlanner::SequenceOf(const Slice& slice, const Folded::State& state) const {
  const auto& folded = slice.folded;
  const auto& put = folded.puts[static_cast<size_t>(state.put)];
  Moment moment;
  for (size_t i = 0; i < history_.sequence.size(); ++i) {
    const auto column = static_cast<size_t>(history_.sequence[i]);
    const RowRef ref = RefOf(folded, put, column);
    if (ref.batch != RowRef::kInTable) {
      AppendMoment(*slice.batches[ref.batch]->columns[column], ref.row, &moment);
      continue;
    }
    const Key& of = WantedOf(slice, ref);
    if (of.sequence.empty())
      return Error(ErrorClass::VALUE_NOT_SENT, "a change lacks values of a row that is not there");
    moment += of.sequence[i];
  }
  return moment;
}

/// Of a key's new versions all are written, or the last alone, if it is in force or says that it
/// was deleted.
void HistoryPlanner::ChooseWritten(const Slice& slice, const Key& key) {
  const auto& versions = key.becomes.versions;
  for (size_t i = 0; i < versions.size(); ++i) {
    const auto& version = versions[i];
    const bool ended = !version.end.empty();
    if (!history_.keeps_versions()) {
      if (i + 1 < versions.size() || (ended && !history_.soft_delete)) continue;
    }
    const size_t state = key.first + version.state;
    written_[state] = true;
    starts_[state] = version.start;
    ends_[state] = version.end;
    if (history_.soft_delete && ended)
      ends_[state] = MomentOf(slice.folded.states[key.first + version.ender].at);
  }
}

// --- what is written

Status HistoryPlanner::Write(const KeyedRows& rows) {
  KeyedRows dressed{rows.rows, rows.keys};
  auto columns = rows.rows->columns();
  std::vector<Moment> starts, ends;
  for (int32_t state : rows.states) {
    starts.push_back(starts_[static_cast<size_t>(state)]);
    ends.push_back(ends_[static_cast<size_t>(state)]);
    if (history_.keeps_versions()) dressed.unindexed.push_back(!ends.back().empty());
  }
  auto dress = [&](int column, const std::vector<Moment>& moments) -> Status {
    if (column < 0) return Status::Ok();
    FRESHET_TRY(columns[static_cast<size_t>(column)],
                ValuesOf(moments, form_.columns[static_cast<size_t>(column)].type));
    return Status::Ok();
  };
  FRESHET_CHECK_OK(dress(history_.start, starts));
  FRESHET_CHECK_OK(dress(history_.end, ends));
  dressed.rows =
      arrow::RecordBatch::Make(form_.rows.schema, rows.rows->num_rows(), std::move(columns));
  return Place(WriteRows(dressed, !history_.keeps_versions()));
}

/// Remember which files the slice's rows went to.
Status HistoryPlanner::Place(const Result<RowAddress>& first) {
  if (first.ok()) slice_files_.insert(first->file);
  return first.status();
}

Status HistoryPlanner::WriteClosing(Slice* slice) {
  if (history_.end < 0) return Status::Ok();
  for (const auto& former : slice->former) {
    if (former.rows != nullptr) {
      FRESHET_CHECK_OK(WriteClosing(*slice, former.places, *former.rows));
      continue;
    }
    FRESHET_CHECK_OK(
        ReadPlaces(table_.store, former.places, form_.physical,
                   [&](auto part, const auto& rows) { return WriteClosing(*slice, part, *rows); }));
  }
  slice->former.clear();
  return Status::Ok();
}

Status HistoryPlanner::WriteClosing(const Slice& slice, std::span<const RowPlace> places,
                                    const arrow::RecordBatch& rows) {
  std::vector<int64_t> ordinals;
  std::vector<Moment> ends;
  std::vector<KeyHash> keys;
  for (size_t i = 0; i < places.size(); ++i) {
    const Key& key = slice.keys[places[i].of];
    if (key.becomes.row != Row::kCloses) continue;
    if (history_.soft_delete && !key.becomes.versions.empty()) continue;
    ordinals.push_back(static_cast<int64_t>(i));
    ends.push_back(history_.soft_delete
                       ? MomentOf(slice.folded.states[key.first + key.becomes.row_ender].at)
                       : key.becomes.row_end);
    keys.push_back(slice.folded.erases[places[i].of].key);
  }
  return WriteEnded(rows, ordinals, ends, std::move(keys));
}

/// Write rows of the table again, with their end.
Status HistoryPlanner::WriteEnded(const arrow::RecordBatch& rows,
                                  const std::vector<int64_t>& ordinals,
                                  const std::vector<Moment>& ends, std::vector<KeyHash> keys) {
  if (ordinals.empty()) return Status::Ok();
  arrow::Int64Builder builder;
  FRESHET_CHECK_OK(builder.AppendValues(ordinals));
  FRESHET_TRY(auto indices, builder.Finish());
  arrow::ArrayVector columns;
  for (int column = 0; column < form_.rows.schema->num_fields(); ++column) {
    if (column == history_.end) {
      FRESHET_TRY(auto values, ValuesOf(ends, form_.columns[static_cast<size_t>(column)].type));
      columns.push_back(std::move(values));
      continue;
    }
    FRESHET_TRY(auto taken, arrow::compute::Take(*rows.column(column), *indices,
                                                 arrow::compute::TakeOptions::NoBoundsCheck()));
    columns.push_back(std::move(taken));
  }
  KeyedRows ended;
  ended.rows = arrow::RecordBatch::Make(form_.rows.schema, indices->length(), std::move(columns));
  ended.keys = std::move(keys);
  if (history_.keeps_versions()) ended.unindexed.assign(ordinals.size(), true);
  return Place(WriteRows(ended, true));
}

/// Mark the rows dead that close, were replaced, or are gone.
void HistoryPlanner::Erase(const Slice& slice) {
  for (size_t i = 0; i < slice.keys.size(); ++i) {
    const Key& key = slice.keys[i];
    const bool renewed = key.deleted && !key.becomes.versions.empty();
    if (slice.addresses[i].empty() || (key.becomes.row == Row::kStays && !renewed)) continue;
    live_.Kill(slice.addresses[i].front());
    const bool ends_here = history_.end < 0 && (key.becomes.versions.empty() ||
                                                !key.becomes.versions.back().end.empty());
    const bool unmade = key.becomes.row == Row::kGoes && key.becomes.versions.empty();
    (ends_here || unmade ? plan_.rows_deleted : plan_.rows_updated) += 1;
  }
}

// --- all rows went at once

Status HistoryPlanner::CloseRest(const Slice& slice) {
  for (const auto* file : live_.Files()) FRESHET_CHECK_OK(CloseRest(slice, *file));
  return Status::Ok();
}

Status HistoryPlanner::CloseRest(const Slice& slice, const delta::AddFile& file) {
  const auto& emptied = *slice.folded.emptied;
  RowAddress address{HashPath(file.path), 0};
  const bool own = slice.goes_on && emptied.first && own_files_.contains(address.file);
  FRESHET_TRY(auto reader, parquet::Reader::Open(table_.store, file.path));
  auto fields = form_.physical;
  if (form_.row_ids) fields.push_back(form_.row_ids->Fields()[0]);
  for (int group = 0; group < reader->row_groups(); ++group) {
    FRESHET_TRY(auto rows, reader->Read(group, fields));
    const auto kept = form_.row_ids ? rows->columns().back() : nullptr;
    ForgetRowIds();
    arrow::ArrayVector key_columns;
    for (int ordinal : form_.rows.key) key_columns.push_back(rows->column(ordinal));
    const auto keys = HashKeys(key_columns, rows->num_rows());
    std::vector<int64_t> ordinals;
    std::vector<KeyHash> of;
    for (int64_t row = 0; row < rows->num_rows(); ++row) {
      const KeyHash& key = keys[static_cast<size_t>(row)];
      if (history_.end >= 0 && rows->column(history_.end)->IsValid(row)) continue;
      if (std::ranges::binary_search(slice.folded.erases, key, std::less<>(), &Folded::Erase::key))
        continue;
      address.row = static_cast<uint32_t>(reader->RowsOf(group).first + row);
      FRESHET_TRY(const auto* living, live_.Find(address));
      if (living == nullptr) continue;
      live_.Kill(address);
      if (kept != nullptr)
        KeepRowId(key, *living, address.row, static_cast<const arrow::Int64Array&>(*kept), row);
      ordinals.push_back(row);
      of.push_back(key);
    }
    if (own || history_.end < 0) {
      plan_.rows_deleted += std::ssize(ordinals);
      continue;
    }
    plan_.rows_updated += std::ssize(ordinals);
    FRESHET_TRY(const auto ends, EndsOf(*rows, ordinals, emptied.at));
    FRESHET_CHECK_OK(WriteEnded(*rows, ordinals, ends, std::move(of)));
  }
  return Status::Ok();
}

/// When rows end that go without a change of their own.
Result<std::vector<Moment>> HistoryPlanner::EndsOf(const arrow::RecordBatch& rows,
                                                   const std::vector<int64_t>& ordinals,
                                                   UtcMicros at) const {
  const Moment committed = MomentOf(at);
  if (history_.soft_delete) return std::vector<Moment>(ordinals.size(), committed);
  const auto starts =
      MomentsOf(*rows.column(history_.start), history_.order() == VersionOrder::kCommits);
  std::vector<Moment> ends;
  const KeyState deletion{.at = committed};
  for (int64_t row : ordinals) {
    const KeyBefore before{.open = true, .at = starts[static_cast<size_t>(row)]};
    ends.push_back(VersionsOf(history_.order(), before, std::span(&deletion, 1)).row_end);
  }
  return ends;
}

}  // namespace freshet::apply
