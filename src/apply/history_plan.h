// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "apply/change_plan.h"
#include "apply/closed_versions.h"
#include "apply/versions.h"

namespace freshet::apply {

/// Plans what changes make of a table that keeps more of its rows' past than their last state:
/// their versions, their order by sequence columns, or what was deleted.
///
///   per slice: fold, states kept → look keys up → read their rows → versions (a pure function) →
///     mark rows dead, write those that close again, with their end, and the new ones
class HistoryPlanner final : public ChangePlanner {
 public:
  HistoryPlanner(Table table, KeyIndex* index, int64_t now_ms, ClosedVersions* closed)
      : ChangePlanner(std::move(table), index, now_ms),
        form_(*table_.form),
        history_(form_.history),
        closed_(closed) {}

 protected:
  Status PlanSlice(const std::vector<FoldItem>& items, bool goes_on) override;
  Status Write(const KeyedRows& rows) override;

 private:
  /// What is known of a key in the slice.
  struct Key {
    size_t first = 0, end = 0;  // of its states
    KeyBefore before;
    int32_t former = -1;           // of Slice::former: where its row is
    int64_t row = 0;               // and which it is there
    bool deleted = false;          // its row only says that it was deleted
    bool same = false;             // its first state is what its row holds
    std::vector<Moment> sequence;  // of its row, by sequence column, if some put wants them
    KeyVersions becomes;
  };
  /// Rows of keys as the table has them; read again when they were too many to be kept.
  struct Former {
    std::vector<RowPlace> places;
    std::shared_ptr<arrow::RecordBatch> rows;
  };
  struct Slice {
    const std::vector<FoldItem>& items;
    bool goes_on = false;
    Folded folded = {};
    Addresses addresses = {};
    std::vector<const FoldBatch*> batches = {};
    std::vector<Key> keys = {};  // one an erase
    std::vector<Former> former = {};
  };

  bool compares() const {
    return history_.keeps_versions() && history_.order() == VersionOrder::kCommits;
  }
  Status ReadFormer(Slice* slice);
  void TakeFormer(std::span<const RowPlace> places, const arrow::RecordBatch& rows, Slice* slice);
  void KeepKnown(const Key& key, const arrow::RecordBatch& rows, Slice* slice) const;
  bool SameAsRow(const Slice& slice, const Folded::State& state, const arrow::RecordBatch& rows,
                 int64_t row) const;
  bool SameAsBefore(const Slice& slice, const Folded::State& state,
                    const Folded::State& before) const;
  RowRef RefOf(const Folded& folded, const Folded::Put& put, size_t column) const;
  /// The key whose row in the table a ref means.
  static const Key& WantedOf(const Slice& slice, const RowRef& ref);
  /// A value, and its ordinal; null: it is of a row that was not kept.
  static std::pair<std::shared_ptr<arrow::Array>, int64_t> ValueAt(const Slice& slice,
                                                                   const RowRef& ref,
                                                                   size_t column);
  Status FindClosed(Slice* slice);
  Status MakeVersions(Slice* slice);
  Result<Moment> SequenceOf(const Slice& slice, const Folded::State& state) const;
  void ChooseWritten(const Slice& slice, const Key& key);

  Status Place(const Result<RowAddress>& first);
  Status WriteClosing(Slice* slice);
  Status WriteClosing(const Slice& slice, std::span<const RowPlace> places,
                      const arrow::RecordBatch& rows);
  Status WriteEnded(const arrow::RecordBatch& rows, const std::vector<int64_t>& ordinals,
                    const std::vector<Moment>& ends, std::vector<KeyHash> keys);
  void Erase(const Slice& slice);
  Status CloseRest(const Slice& slice);
  Status CloseRest(const Slice& slice, const delta::AddFile& file);
  Result<std::vector<Moment>> EndsOf(const arrow::RecordBatch& rows,
                                     const std::vector<int64_t>& ordinals, UtcMicros at) const;

  const TableForm& form_;
  const HistoryForm& history_;
  ClosedVersions* const closed_;
  // Of the transaction that fills the slices planned last: the files its rows went to.
  std::unordered_set<uint64_t> own_files_, slice_files_;
  // Of the slice that is planned, by state: what is written of it.
  std::vector<bool> written_;
  std::vector<Moment> starts_, ends_;
};

}  // namespace freshet::apply
