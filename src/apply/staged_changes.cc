// SPDX-License-Identifier: Apache-2.0
#include "apply/staged_changes.h"

#include "base/limits.h"

namespace freshet::apply {
namespace {

using record::ChangeView;
using record::Op;
using record::SegmentNumber;

class Scan {
 public:
  Scan(const ChangesWanted& wanted, StagedChanges* changes) : wanted_(wanted), changes_(*changes) {}

  void Take(const std::shared_ptr<const staging::Manifest>& manifest) {
    for (const auto& entry : manifest->entries) {
      if (const auto* run = std::get_if<staging::ChangeRun>(&entry)) {
        if (run->table == wanted_.table) TakeRun(manifest, *run);
      } else if (const auto* end = std::get_if<staging::TableEnded>(&entry)) {
        if (end->table == wanted_.table) TakeEnd(*end);
      } else if (const auto* noted = std::get_if<staging::ShapeNoted>(&entry)) {
        if (noted->shape.id == wanted_.table && noted->shape.version > wanted_.shape_version) {
          changes_.shapes.push_back(noted->shape);
        }
      }
    }
    changes_.through = manifest->number;
    if (Found()) ++segments_;
  }

  bool Full() const {
    return segments_ >= limits::kApplySegmentsMax ||
           changes_.bytes >= static_cast<int64_t>(limits::kApplyBytesMax);
  }

 private:
  bool Found() const { return changes_.concerned || !changes_.shapes.empty(); }

  void TakeRun(const std::shared_ptr<const staging::Manifest>& manifest,
               const staging::ChangeRun& run) {
    changes_.concerned = true;
    changes_.committed_at = std::max(changes_.committed_at, run.committed_last);
    if (run.last <= wanted_.position) return;
    changes_.runs.push_back({manifest, &run});
    changes_.bytes += run.length;
    changes_.has_missing = changes_.has_missing || run.has_missing;
  }

  void TakeEnd(const staging::TableEnded& end) {
    // A dropped table's rows stay.
    if (end.kind != record::TableEnd::Kind::kTruncated) return;
    changes_.concerned = true;
    changes_.committed_at = std::max(changes_.committed_at, end.committed_at);
    if (end.at <= wanted_.position) return;
    changes_.truncated = true;
    changes_.runs.clear();
    changes_.bytes = 0;
    changes_.has_missing = false;
  }

  const ChangesWanted& wanted_;
  StagedChanges& changes_;
  int segments_ = 0;
};

/// The first row whose change is not in the snapshot.
int64_t FirstAfter(const ChangeView& view, const record::Sequence& position) {
  int64_t low = 0;
  int64_t high = view.size();
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    if (view.sequence(middle) <= position) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace

Result<StagedChanges> ScanChanges(staging::StagingReader* staging, const ChangesWanted& wanted) {
  StagedChanges changes;
  changes.through = wanted.after;
  Scan scan(wanted, &changes);
  while (changes.through < wanted.through) {
    FRESHET_TRY(auto manifests, staging->List(changes.through, limits::kApplySegmentsMax));
    if (manifests.empty()) break;
    for (const auto& manifest : manifests) {
      if (manifest->number > wanted.through || scan.Full()) return changes;
      scan.Take(manifest);
    }
  }
  return changes;
}

ChangeLoader::ChangeLoader(staging::StagingReader* staging, const RowForm& form,
                           const StagedChanges& changes, record::Sequence position,
                           size_t fold_bytes_max)
    : staging_(staging), form_(form), changes_(changes), position_(position) {
  passes_ = static_cast<uint64_t>(changes.bytes) / fold_bytes_max + 1;
}

Result<std::vector<FoldBatch>> ChangeLoader::Read(const StagedChanges::Run& run) {
  FRESHET_TRY(auto staged, staging_->Read(*run.manifest, *run.run));
  std::vector<FoldBatch> batches;
  for (auto& rows : staged) {
    if (run.run->first <= position_) {
      rows = rows->Slice(FirstAfter(ChangeView(rows), position_));
    }
    if (rows->num_rows() == 0) continue;
    FRESHET_TRY(auto batch, Project(form_, std::move(rows)));
    batches.push_back(std::move(batch));
  }
  return batches;
}

KeyHash ChangeLoader::RootOf(KeyHash key) {
  KeyHash root = key;
  for (auto next = joined_.find(root); next != joined_.end(); next = joined_.find(root)) {
    root = next->second;
  }
  while (key != root) key = std::exchange(joined_[key], root);
  return root;
}

void ChangeLoader::Join(const FoldBatch& batch) {
  ChangeView view(batch.changes);
  for (int64_t row = 1; row < view.size(); ++row) {
    if (view.op(row) != Op::kInsert || !view.has_missing(row)) continue;
    KeyHash from = RootOf(batch.keys[static_cast<size_t>(row - 1)]);
    KeyHash to = RootOf(batch.keys[static_cast<size_t>(row)]);
    if (from != to) joined_[to] = from;
  }
}

Status ChangeLoader::Prepare() {
  if (passes_ == 1 || !changes_.has_missing) return Status::Ok();
  for (const auto& run : changes_.runs) {
    if (!run.run->has_missing) continue;
    FRESHET_TRY(auto batches, Read(run));
    for (const auto& batch : batches) Join(batch);
  }
  return Status::Ok();
}

Result<std::vector<FoldItem>> ChangeLoader::Load(uint64_t pass) {
  std::vector<FoldItem> items;
  if (changes_.truncated) items.emplace_back(FoldBarrier{});
  std::vector<int64_t> rows;
  for (const auto& run : changes_.runs) {
    FRESHET_TRY(auto batches, Read(run));
    for (auto& batch : batches) {
      if (passes_ == 1) {
        items.emplace_back(std::move(batch));
        continue;
      }
      rows.clear();
      for (size_t i = 0; i < batch.keys.size(); ++i) {
        KeyHash root = joined_.empty() ? batch.keys[i] : RootOf(batch.keys[i]);
        if (root.high % passes_ == pass) rows.push_back(static_cast<int64_t>(i));
      }
      if (rows.empty()) continue;
      FRESHET_TRY(auto selected, Select(batch, rows));
      items.emplace_back(std::move(selected));
    }
  }
  return items;
}

}  // namespace freshet::apply
