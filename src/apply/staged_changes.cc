// SPDX-License-Identifier: Apache-2.0
#include "apply/staged_changes.h"

#include <arrow/util/byte_size.h>

#include <algorithm>

#include "base/limits.h"
#include "record/arrow_status.h"

namespace freshet::apply {
namespace {

using record::ChangeView;
using record::SegmentNumber;

class Scan {
 public:
  Scan(const ChangesWanted& wanted, StagedChanges* changes) : wanted_(wanted), changes_(*changes) {}

  /// Whether this segment says that the rows are no longer what the changes make of them.
  bool Ends(const staging::Manifest& manifest) const {
    return std::any_of(manifest.entries.begin(), manifest.entries.end(), [&](const auto& entry) {
      const auto* abandoned = std::get_if<staging::GenerationAbandoned>(&entry);
      if (abandoned == nullptr || abandoned->table != wanted_.table ||
          abandoned->flow != wanted_.flow) {
        return false;
      }
      return abandoned->generation == wanted_.generation ||
             (abandoned->untold && abandoned->generation > wanted_.generation);
    });
  }

  void Take(const std::shared_ptr<const staging::Manifest>& manifest) {
    for (const auto& entry : manifest->entries) {
      if (const auto* run = std::get_if<staging::ChangeRun>(&entry)) {
        if (run->table == wanted_.table) TakeRun(manifest, *run);
      } else if (const auto* end = std::get_if<staging::TableEnded>(&entry)) {
        if (end->table == wanted_.table) TakeEnd(manifest, *end);
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
    if (wanted_.all) return false;
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
    changes_.runs.push_back({manifest, &run, nullptr});
    changes_.bytes += run.length;
  }

  void TakeEnd(const std::shared_ptr<const staging::Manifest>& manifest,
               const staging::TableEnded& end) {
    // A dropped table's rows stay.
    if (end.kind != record::TableEnd::Kind::kTruncated) return;
    changes_.concerned = true;
    changes_.committed_at = std::max(changes_.committed_at, end.committed_at);
    if (end.at <= wanted_.position) return;
    if (wanted_.keeps_past) {
      changes_.runs.push_back({manifest, nullptr, &end});
      return;
    }
    changes_.truncated = true;
    changes_.runs.clear();
    changes_.bytes = 0;
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

/// The first row of the transaction that the last one is of.
int64_t FirstOf(const ChangeView& view, const record::Sequence& last) {
  int64_t low = 0;
  int64_t high = view.size();
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    if (view.sequence(middle).transaction() < last.transaction()) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

FoldBatch Unprojected(std::shared_ptr<arrow::RecordBatch> changes) {
  FoldBatch batch;
  batch.changes = std::move(changes);
  return batch;
}

record::Sequence SequenceOf(const FoldItem& item, bool last) {
  if (const auto* barrier = std::get_if<FoldBarrier>(&item)) return barrier->sequence;
  ChangeView view(std::get<FoldBatch>(item).changes);
  return view.sequence(last ? view.size() - 1 : 0);
}

bool Same(const record::Sequence& a, const record::Sequence& b) {
  return a.transaction() == b.transaction();
}

}  // namespace

Result<StagedChanges> ScanChanges(staging::StagingReader* staging, const ChangesWanted& wanted) {
  StagedChanges changes;
  changes.through = wanted.after;
  Scan scan(wanted, &changes);
  while (changes.through < wanted.through) {
    auto listed = staging->List(changes.through, limits::kApplySegmentsMax);
    if (listed.status().Is(ErrorClass::STAGING_EXPIRED)) {
      FRESHET_TRY(auto behind, staging->PastGap(wanted.table, changes.through));
      changes.through = std::min(behind, wanted.through);
      continue;
    }
    FRESHET_TRY(auto manifests, std::move(listed));
    if (manifests.empty()) break;
    for (const auto& manifest : manifests) {
      if (manifest->number > wanted.through || scan.Full()) return changes;
      changes.ended = scan.Ends(*manifest);
      if (changes.ended) return changes;
      scan.Take(manifest);
    }
  }
  return changes;
}

ChangeLoader::ChangeLoader(staging::StagingReader* staging, const RowForm& form,
                           const StagedChanges& changes, record::Sequence position,
                           size_t fold_bytes_max, std::optional<record::Sequence> until)
    : staging_(staging),
      form_(form),
      changes_(changes),
      position_(position),
      until_(until),
      fold_bytes_max_(fold_bytes_max) {}

Status ChangeLoader::Read(const StagedChanges::Run& run) {
  const auto& first = run.emptied != nullptr ? run.emptied->at : run.run->first;
  const auto& last = run.emptied != nullptr ? run.emptied->at : run.run->last;
  if (last <= position_ || (until_ && first > *until_)) return Status::Ok();
  if (run.emptied != nullptr) {
    read_.emplace_back(FoldBarrier{run.emptied->committed_at, run.emptied->at});
    return Status::Ok();
  }
  FRESHET_TRY(auto staged, staging_->Read(*run.manifest, *run.run));
  for (auto& rows : staged) {
    if (first <= position_) rows = rows->Slice(FirstAfter(ChangeView(rows), position_));
    if (until_ && last > *until_) rows = rows->Slice(0, FirstAfter(ChangeView(rows), *until_));
    if (rows->num_rows() > 0) read_.emplace_back(Unprojected(std::move(rows)));
  }
  return Status::Ok();
}

/// Whether there is more, and the next of it read.
Result<bool> ChangeLoader::ReadMore() {
  while (read_.empty() && next_run_ < changes_.runs.size())
    FRESHET_CHECK_OK(Read(changes_.runs[next_run_++]));
  return !read_.empty();
}

Result<std::vector<FoldItem>> ChangeLoader::Next() {
  std::vector<FoldItem> items;
  if (!begun_ && changes_.truncated) items.emplace_back(FoldBarrier{});
  begun_ = true;
  goes_on_ = std::exchange(cut_, false);
  size_t bytes = 0;
  while (bytes < fold_bytes_max_) {
    FRESHET_TRY(const bool more, ReadMore());
    if (!more) break;
    if (const auto* batch = std::get_if<FoldBatch>(&read_.front())) {
      FRESHET_TRY(const int64_t of_batch, arrow::util::ReferencedBufferSize(*batch->changes));
      bytes += static_cast<size_t>(of_batch);
    }
    items.push_back(std::move(read_.front()));
    read_.pop_front();
  }
  FRESHET_CHECK_OK(EndSlice(&items));
  for (auto& item : items) {
    if (auto* batch = std::get_if<FoldBatch>(&item)) {
      FRESHET_TRY(*batch, Project(form_, std::move(batch->changes)));
    }
  }
  return items;
}

/// Put back what belongs to a transaction that is not whole, unless it is all there is.
Status ChangeLoader::EndSlice(std::vector<FoldItem>* items) {
  FRESHET_TRY(const bool more, ReadMore());
  if (!more || items->empty()) return Status::Ok();
  const auto next = SequenceOf(read_.front(), /*last=*/false);
  size_t whole = items->size();  // items before the transaction begins
  while (whole > 0 && Same(SequenceOf((*items)[whole - 1], /*last=*/false), next)) --whole;
  const bool within = whole > 0 && Same(SequenceOf((*items)[whole - 1], /*last=*/true), next);
  cut_ = whole == 0;
  if (cut_) return Status::Ok();
  while (items->size() > whole) {
    read_.push_front(std::move(items->back()));
    items->pop_back();
  }
  if (!within) return Status::Ok();
  auto& last = std::get<FoldBatch>(items->back()).changes;
  const int64_t first = FirstOf(ChangeView(last), next);
  read_.push_front(Unprojected(last->Slice(first)));
  last = last->Slice(0, first);
  return Status::Ok();
}

}  // namespace freshet::apply
