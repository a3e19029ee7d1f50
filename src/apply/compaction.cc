// SPDX-License-Identifier: Apache-2.0
#include "apply/compaction.h"

#include <arrow/array/concatenate.h>
#include <arrow/util/byte_size.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "apply/key_hash.h"
#include "apply/key_order.h"
#include "apply/live_rows.h"
#include "apply/living_rows.h"
#include "delta/stats.h"
#include "parquet/reader.h"
#include "record/arrow_status.h"

namespace freshet::apply {
namespace {

struct Candidate {
  const delta::AddFile* file = nullptr;
  int64_t bytes = 0;  // its living rows' share
};

/// What `of` says of each group, one behind the other.
template <typename Group, typename Of>
Result<std::shared_ptr<arrow::Array>> Joined(const std::vector<Group>& groups, const Of& of) {
  arrow::ArrayVector parts;
  for (const auto& group : groups) parts.push_back(of(group));
  FRESHET_TRY(auto whole, arrow::Concatenate(parts));
  return whole;
}

/// Take the oldest until they make a whole file.
std::vector<delta::AddFile> Oldest(std::vector<Candidate> candidates) {
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return std::tie(a.file->modified_at_ms, a.file->path) <
           std::tie(b.file->modified_at_ms, b.file->path);
  });
  std::vector<delta::AddFile> files;
  int64_t bytes = 0;
  for (const auto& candidate : candidates) {
    bytes += candidate.bytes;
    if (files.size() == limits::kCompactionFilesMax ||
        (!files.empty() && bytes > static_cast<int64_t>(limits::kSnapshotPartBytesMax)))
      break;
    files.push_back(*candidate.file);
  }
  return files;
}

}  // namespace

std::vector<delta::AddFile> ChooseFiles(const delta::Snapshot& snapshot,
                                        const CompactionRules& rules) {
  std::map<int, std::vector<Candidate>> small;  // by class
  std::vector<Candidate> wasteful;
  for (const auto& [path, file] : snapshot.files) {
    const int64_t dead = file.deletion_vector ? file.deletion_vector->cardinality : 0;
    const int64_t rows = dead > 0 ? delta::RowsOf(file.stats_json) : 0;
    Candidate candidate{&file, file.bytes};
    if (rows > 0) {
      candidate.bytes =
          static_cast<int64_t>(static_cast<double>(file.bytes) * static_cast<double>(rows - dead) /
                               static_cast<double>(rows));
    }
    if (file.bytes >= rules.bytes_min && rows > 0 && dead * rules.dead_share >= rows)
      wasteful.push_back(candidate);
    if (file.bytes >= limits::kCompactionSmallBytes) continue;
    int size_class = 0;
    for (int64_t bytes = candidate.bytes; bytes >= rules.bytes_min && bytes > 0; ++size_class)
      bytes /= static_cast<int64_t>(limits::kCompactionFilesMin);
    small[size_class].push_back(candidate);
  }
  for (auto& [size_class, files] : small) {
    if (files.size() >= rules.files_min) return Oldest(std::move(files));
  }
  return Oldest(std::move(wasteful));
}

Compaction::Compaction(std::shared_ptr<store::FileStore> table, TableForm form,
                       std::shared_ptr<const delta::Snapshot> snapshot,
                       std::vector<delta::AddFile> files, int64_t now_ms,
                       const CompactionRules& rules)
    : table_(std::move(table)),
      form_(std::move(form)),
      snapshot_(std::move(snapshot)),
      now_ms_(now_ms),
      rules_(rules),
      writer_(table_, form_, now_ms) {
  for (auto& file : files) inputs_.push_back({.file = std::move(file), .dead = {}});
}

Compaction::Compaction(std::shared_ptr<store::FileStore> table, TableForm form,
                       std::vector<LiveRows::Torn> files, int64_t now_ms)
    : table_(std::move(table)),
      form_(std::move(form)),
      now_ms_(now_ms),
      writer_(table_, form_, now_ms) {
  for (auto& torn : files)
    inputs_.push_back({.file = std::move(torn.file), .dead = std::move(torn.dead), .known = true});
}

Status Compaction::Run(const std::stop_token& stop) {
  for (auto& input : inputs_) FRESHET_CHECK_OK(Rewrite(&input, stop));
  FRESHET_CHECK_OK(WriteWaiting());
  FRESHET_TRY(outputs_, writer_.Finish());
  return Status::Ok();
}

Status Compaction::Rewrite(Input* input, const std::stop_token& stop) {
  if (input->file.deletion_vector && !input->known) {
    FRESHET_TRY(input->dead, delta::DeletionVector::Load(*table_, *input->file.deletion_vector));
  }
  FRESHET_TRY(auto reader, parquet::Reader::Open(table_, input->file.path));
  auto fields = form_.physical;
  if (form_.row_ids) std::ranges::move(form_.row_ids->Fields(), std::back_inserter(fields));
  for (int group = 0; group < reader->row_groups(); ++group) {
    if (stop.stop_requested()) return Error(ErrorClass::CANCELLED, "compaction was stopped");
    FRESHET_TRY(auto batch, reader->Read(group, fields));
    Piece piece;
    std::tie(piece.first, piece.rows) = reader->RowsOf(group);
    FRESHET_TRY(batch, LivingRows(std::move(batch), piece.first, input->dead));
    if (batch->num_rows() == 0) continue;
    DataWriter::RowIds ids;
    if (form_.row_ids) {
      FRESHET_TRY(ids, IdsOf(*batch, *input, piece));
      FRESHET_TRY(batch, batch->RemoveColumn(batch->num_columns() - 1));
      FRESHET_TRY(batch, batch->RemoveColumn(batch->num_columns() - 1));
    }
    FRESHET_CHECK_OK(Add({input, std::move(piece), std::move(batch), std::move(ids)}));
  }
  return Status::Ok();
}

Status Compaction::Add(Group group) {
  group.rows =
      arrow::RecordBatch::Make(form_.rows.schema, group.rows->num_rows(), group.rows->columns());
  FRESHET_TRY(const int64_t bytes, arrow::util::ReferencedBufferSize(*group.rows));
  // What another engine made large is not held twice.
  if (!OrdersByKey(*form_.rows.schema, form_.rows.key) || bytes >= 2 * rules_.unit_bytes ||
      ordered_rows_ + group.rows->num_rows() > rules_.ordered_rows_max) {
    FRESHET_CHECK_OK(WriteWaiting());
    return Write(&group);
  }
  ordered_rows_ += group.rows->num_rows();
  waiting_rows_ += group.rows->num_rows();
  waiting_bytes_ += bytes;
  waiting_.push_back(std::move(group));
  if (waiting_rows_ >= rules_.unit_rows || waiting_bytes_ >= rules_.unit_bytes)
    return WriteWaiting();
  return Status::Ok();
}

Status Compaction::Write(Group* group) {
  FRESHET_TRY(group->piece.to, writer_.Write(group->rows, group->ids));
  Keep(group);
  return Status::Ok();
}

void Compaction::Keep(Group* group) {
  KeepEntries(*group->rows, *group->input, group->piece);
  group->input->pieces.push_back(std::move(group->piece));
}

Status Compaction::WriteWaiting() {
  auto groups = std::exchange(waiting_, {});
  waiting_rows_ = waiting_bytes_ = 0;
  if (groups.empty()) return Status::Ok();
  arrow::ArrayVector key;
  for (int at : form_.rows.key) {
    FRESHET_TRY(key.emplace_back(),
                Joined(groups, [&](const Group& group) { return group.rows->column(at); }));
  }
  FRESHET_TRY(const auto order, KeyOrder(key));
  if (order != nullptr) return WriteInOrder(&groups, *order);
  for (auto& group : groups) FRESHET_CHECK_OK(Write(&group));
  return Status::Ok();
}

Status Compaction::WriteInOrder(std::vector<Group>* groups, const arrow::UInt64Array& order) {
  // A column at a time: all of them would be a third copy of the rows.
  const auto ordered = [&](const auto& of) -> Result<std::shared_ptr<arrow::Array>> {
    FRESHET_TRY(const auto whole, Joined(*groups, of));
    return ValuesAt(*whole, order);
  };
  arrow::ArrayVector columns;
  for (int at = 0; at < form_.rows.schema->num_fields(); ++at) {
    FRESHET_TRY(columns.emplace_back(),
                ordered([&](const Group& group) { return group.rows->column(at); }));
  }
  DataWriter::RowIds ids;
  if (form_.row_ids) {
    FRESHET_TRY(ids.ids, ordered([](const Group& group) { return group.ids.ids; }));
    FRESHET_TRY(ids.versions, ordered([](const Group& group) { return group.ids.versions; }));
  }
  FRESHET_TRY(
      const auto to,
      writer_.Write(arrow::RecordBatch::Make(form_.rows.schema, order.length(), columns), ids));
  std::vector<uint32_t> places(static_cast<size_t>(order.length()));
  for (int64_t i = 0; i < order.length(); ++i)
    places[order.Value(i)] = to.row + static_cast<uint32_t>(i);
  auto place = places.begin();
  for (auto& group : *groups) {
    const auto end = place + group.rows->num_rows();
    group.piece.to = to;
    group.piece.order.assign(place, end);
    place = end;
    Keep(&group);
  }
  return Status::Ok();
}

Result<DataWriter::RowIds> Compaction::IdsOf(const arrow::RecordBatch& batch, const Input& input,
                                             const Piece& piece) const {
  const auto column = [&](int from_end) {
    return std::static_pointer_cast<arrow::Int64Array>(
        batch.column(batch.num_columns() - from_end));
  };
  const auto kept_ids = column(2), kept_versions = column(1);
  const auto& [base, version] =
      std::tie(input.file.base_row_id, input.file.default_row_commit_version);
  arrow::Int64Builder ids, versions;
  auto row = static_cast<uint64_t>(piece.first);
  for (int64_t i = 0; i < batch.num_rows(); ++i, ++row) {
    while (input.dead.Contains(row)) ++row;
    auto id = kept_ids->IsValid(i) ? std::optional(kept_ids->Value(i)) : std::nullopt;
    if (!id && base) id = *base + static_cast<int64_t>(row);
    auto since = kept_versions->IsValid(i) ? std::optional(kept_versions->Value(i)) : version;
    FRESHET_CHECK_OK(id ? ids.Append(*id) : ids.AppendNull());
    FRESHET_CHECK_OK(since ? versions.Append(*since) : versions.AppendNull());
  }
  DataWriter::RowIds found;
  FRESHET_TRY(found.ids, ids.Finish());
  FRESHET_TRY(found.versions, versions.Finish());
  return found;
}

void Compaction::KeepEntries(const arrow::RecordBatch& batch, const Input& input,
                             const Piece& piece) {
  has_entries_ = has_entries_ && entries_.size() + static_cast<size_t>(batch.num_rows()) <=
                                     limits::kIndexIngestEntriesMax;
  if (!has_entries_) {
    entries_ = {};
    gone_ = {};
    return;
  }
  const bool keyless = form_.rows.keyless();
  std::vector<KeyHash> keys;
  if (keyless) {
    keys = HashContents(batch.columns(), form_.rows.ids, batch.num_rows());
  } else {
    arrow::ArrayVector key;
    for (int ordinal : form_.rows.key) key.push_back(batch.column(ordinal));
    keys = HashKeys(key, batch.num_rows());
  }
  RowAddress from{HashPath(input.file.path), static_cast<uint32_t>(piece.first)};
  const auto closes = form_.history.keeps_versions() ? batch.column(form_.history.end) : nullptr;
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto& key = keys[i];
    if (closes == nullptr || closes->IsNull(static_cast<int64_t>(i)))
      entries_.push_back({key, {piece.to.file, piece.RowOf(i)}});
    if (!keyless) continue;
    while (input.dead.Contains(from.row)) ++from.row;
    gone_.push_back({key, from});
    ++from.row;
  }
}

Result<bool> Compaction::Translate(const Input& input, const delta::AddFile& now, Killed* killed) {
  if (now.deletion_vector == input.file.deletion_vector) return true;
  if (!now.deletion_vector) return input.dead.cardinality() == 0;
  FRESHET_TRY(auto dead, delta::DeletionVector::Load(*table_, *now.deletion_vector));
  if (!dead.Covers(input.dead)) return false;
  const auto before = input.dead.Minus({});
  for (uint64_t row : dead.Minus(input.dead)) {
    auto piece = std::upper_bound(
        input.pieces.begin(), input.pieces.end(), static_cast<int64_t>(row),
        [](int64_t wanted, const Piece& candidate) { return wanted < candidate.first; });
    if (piece == input.pieces.begin() ||
        static_cast<int64_t>(row) >= (piece - 1)->first + (piece - 1)->rows)
      return Error(ErrorClass::DELTA_CORRUPT,
                   "the deletion vector of {} names row {}, which it does not have", now.path, row);
    --piece;
    auto first =
        std::lower_bound(before.begin(), before.end(), static_cast<uint64_t>(piece->first));
    auto dead_between = std::lower_bound(first, before.end(), row) - first;
    (*killed)[piece->to.file].Add(piece->RowOf(row - static_cast<uint64_t>(piece->first) -
                                               static_cast<uint64_t>(dead_between)));
  }
  return true;
}

Result<std::optional<std::vector<delta::Action>>> Compaction::ActionsOn(
    const delta::Snapshot& snapshot) {
  std::optional<std::vector<delta::Action>> actions;
  if (snapshot.metadata != snapshot_->metadata || snapshot.protocol != snapshot_->protocol)
    return actions;
  std::vector<delta::Action> removes;
  Killed killed;
  for (const auto& input : inputs_) {
    auto now = snapshot.files.find(input.file.path);
    if (now == snapshot.files.end()) return actions;
    FRESHET_TRY(bool translated, Translate(input, now->second, &killed));
    if (!translated) return actions;
    auto remove = RemoveOf(now->second, now_ms_);
    remove.data_change = false;
    removes.emplace_back(std::move(remove));
  }
  std::vector<delta::DeletionVector> vectors;
  std::vector<delta::AddFile> adds = outputs_;
  for (auto& add : adds) {
    add.data_change = false;
    auto found = killed.find(HashPath(add.path));
    if (found != killed.end()) vectors.push_back(found->second);
  }
  if (!vectors.empty() && !snapshot.deletion_vectors_enabled()) return actions;
  FRESHET_TRY(auto descriptors, delta::DeletionVector::Write(*table_, vectors));
  auto descriptor = descriptors.begin();
  for (auto& add : adds) {
    if (!killed.contains(HashPath(add.path))) continue;
    add.stats_json = delta::WithoutTightBounds(add.stats_json);
    add.deletion_vector = std::move(*descriptor++);
  }
  actions = std::move(removes);
  for (auto& add : adds) actions->emplace_back(std::move(add));
  return actions;
}

int64_t Compaction::bytes() const {
  int64_t bytes = 0;
  for (const auto& output : outputs_) bytes += output.bytes;
  return bytes;
}

}  // namespace freshet::apply
