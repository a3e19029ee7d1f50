// SPDX-License-Identifier: Apache-2.0
#include "apply/index_follow.h"

#include <utility>

#include "apply/entry_runs.h"
#include "apply/key_hash.h"
#include "delta/deletion_vector.h"
#include "parquet/reader.h"

namespace freshet::apply {
namespace {

class Follower {
 public:
  Follower(KeyIndex* index, const record::FlowId& flow, const TableForm& form,
           const delta::Table& table, const IndexRoom& room)
      : index_(index),
        flow_(flow),
        form_(form),
        table_(table),
        entries_max_(room.entries_max),
        runs_(room.scratch_folder, form.rows.keyless()) {}

  Status Follow(const delta::Snapshot& target, const std::stop_token& stop) {
    FRESHET_TRY(auto mark, index_->Version(flow_));
    if (mark && mark->layout == form_.layout && mark->version == target.version) {
      return Status::Ok();
    }
    FRESHET_TRY(auto known, Known(mark, target));
    // Without a mark there are no entries, and an index that is new stays free of deletions.
    if (known == nullptr && mark) FRESHET_CHECK_OK(index_->Reset(flow_));
    for (const auto& [path, file] : target.files) {
      if (stop.stop_requested()) return Error(ErrorClass::CANCELLED, "indexing was stopped");
      FRESHET_TRY(bool needed, Needed(known.get(), file));
      if (needed) FRESHET_CHECK_OK(Index(file));
    }
    const KeyIndex::Mark reached{target.version, form_.layout};
    if (runs_.empty())
      return index_->Ingest(flow_, form_.rows.keyless(), std::move(entries_), reached);
    FRESHET_CHECK_OK(runs_.Add(std::move(entries_)));
    return index_->IngestRuns(flow_, &runs_, reached, stop);
  }

 private:
  /// The state the entries reflect; null: it cannot be known.
  Result<std::shared_ptr<const delta::Snapshot>> Known(const std::optional<KeyIndex::Mark>& mark,
                                                       const delta::Snapshot& target) {
    std::shared_ptr<const delta::Snapshot> none;
    if (!mark || mark->layout != form_.layout) return none;
    if (mark->version < 0 || mark->version > target.version) return none;
    auto known = table_.At(mark->version);
    if (known.ok()) return *known;
    // The log no longer reaches it, or no longer whole: others clean it up.
    const bool gone = known.status().Is(ErrorClass::NOT_FOUND) ||
                      known.status().Is(ErrorClass::DELTA_CORRUPT) ||
                      known.status().Is(ErrorClass::DELTA_UNSUPPORTED);
    return gone ? Result<std::shared_ptr<const delta::Snapshot>>(none) : known.status();
  }

  /// Whether a file has rows at the target that the entries may lack.
  Result<bool> Needed(const delta::Snapshot* known, const delta::AddFile& file) {
    if (known == nullptr) return true;
    auto before = known->files.find(file.path);
    if (before == known->files.end()) return true;
    const auto& old = before->second.deletion_vector;
    if (!old || old == file.deletion_vector) return false;
    if (!file.deletion_vector) return true;
    auto was = delta::DeletionVector::Load(*table_.store(), *old);
    if (was.status().Is(ErrorClass::NOT_FOUND)) return true;  // vacuumed: nobody knows any more
    if (!was.ok()) return was.status();
    FRESHET_TRY(auto is, delta::DeletionVector::Load(*table_.store(), *file.deletion_vector));
    return !is.Covers(*was);
  }

  Status Index(const delta::AddFile& file) {
    delta::DeletionVector dead;
    if (file.deletion_vector) {
      FRESHET_TRY(dead, delta::DeletionVector::Load(*table_.store(), *file.deletion_vector));
    }
    FRESHET_TRY(auto reader, parquet::Reader::Open(table_.store(), file.path));
    const uint64_t path = HashPath(file.path);
    for (int group = 0; group < reader->row_groups(); ++group) {
      FRESHET_TRY(auto batch, reader->Read(group, form_.IndexFields()));
      auto columns = batch->columns();
      columns.resize(form_.KeyFields().size());
      auto keys = form_.rows.keyless() ? HashContents(columns, form_.rows.ids, batch->num_rows())
                                       : HashKeys(columns, batch->num_rows());
      auto row = static_cast<uint32_t>(reader->RowsOf(group).first);
      for (int64_t i = 0; i < batch->num_rows(); ++i, ++row) {
        if (!dead.Contains(row) && form_.Indexed(*batch, i))
          entries_.push_back({keys[static_cast<size_t>(i)], {path, row}});
      }
      if (entries_.size() >= entries_max_) FRESHET_CHECK_OK(runs_.Add(std::exchange(entries_, {})));
    }
    return Status::Ok();
  }

  KeyIndex* const index_;
  const record::FlowId& flow_;
  const TableForm& form_;
  const delta::Table& table_;
  const size_t entries_max_;
  std::vector<IndexEntry> entries_;
  EntryRuns runs_;  // those beyond what memory takes
};

}  // namespace

Status FollowIndex(KeyIndex* index, const record::FlowId& flow, const TableForm& form,
                   const delta::Table& table, const delta::Snapshot& target, const IndexRoom& room,
                   const std::stop_token& stop) {
  return Follower(index, flow, form, table, room).Follow(target, stop);
}

}  // namespace freshet::apply
