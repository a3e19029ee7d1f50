// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "apply/key_index.h"
#include "base/status.h"
#include "record/change.h"
#include "record/ids.h"

namespace freshet::apply {

/// The destination's rows: its columns by source column id, and which of them are the key.
struct RowForm {
  std::shared_ptr<arrow::Schema> schema;
  std::vector<record::ColumnId> ids;  // one a column
  std::vector<int> key;               // ordinals in key order; empty: keyless
  // The rows before the changes are of two moments: one of a key that was given up may be of who
  // has the key since, so an insert takes no values of it.
  bool inserts_whole = false;

  bool keyless() const { return key.empty(); }
  size_t width() const { return ids.size(); }
};

/// A batch of changes seen as rows of the destination, with each row's key hashed (keyless: its
/// content).
struct FoldBatch {
  std::shared_ptr<arrow::RecordBatch> changes;
  arrow::ArrayVector columns;  // the destination's; all null where the changes' shape lacks one
  std::vector<int> ordinals;   // destination column → column of `changes`, -1: none
  std::vector<KeyHash> keys;
  bool is_reading = false;  // no changes, but what some columns held when they were read

  int64_t rows() const { return changes->num_rows(); }
};
/// Every row before this is gone.
struct FoldBarrier {
  UtcMicros at = 0;
  record::Sequence sequence = {};
};
using FoldItem = std::variant<FoldBatch, FoldBarrier>;

/// See a batch of changes as rows of `form`; its fields carry their column ids.
/// Errors: SHAPE_CHANGE_UNSUPPORTED (a column that the destination lacks or holds in another type).
Result<FoldBatch> Project(const RowForm& form, std::shared_ptr<arrow::RecordBatch> changes);

/// A row of the fold's input (`batch` counts items that are batches), or, with kInTable, of the
/// destination: the row of the put's wanted key, whatever `row` says.
struct RowRef {
  static constexpr uint32_t kInTable = 0xFFFFFFFF;
  uint32_t batch = 0, row = 0;
  auto operator<=>(const RowRef&) const = default;
};

/// What becomes of a destination's rows.
struct Folded {
  struct Erase {
    KeyHash key;
    int64_t count = 1;      // rows of that key to mark dead: keyed 1, where there is one
    bool replaced = false;  // a put of the same key follows
  };
  struct Put {
    KeyHash key;
    RowRef from;
    int32_t patch = -1;   // row of `patches`: the row's columns come from several rows
    int32_t wanted = -1;  // of `wanted`, where some come from the destination's row of that key
    int64_t copies = 1;
    int32_t state = -1;  // of `states`, where they are kept
  };
  /// A state that a key was in, if states are kept.
  struct State {
    uint32_t key = 0;    // of `erases`
    int32_t put = -1;    // of `puts`; -1: the key was deleted
    UtcMicros at = 0;    // when it was committed
    bool first = false;  // by the first transaction of the fold
  };
  /// Every row was gone at some time: all that no change names went then.
  struct Emptied {
    UtcMicros at = 0;
    bool first = false;
  };
  bool truncated = false;     // every row the destination has goes; erases are empty
  std::vector<Erase> erases;  // ascending by key
  std::vector<Put> puts;      // ascending by (from); keyed: one a key, or one a state
  std::vector<State> states;  // by key, then in the order of apply
  std::optional<Emptied> emptied;
  std::vector<RowRef> patches;  // width() refs a patched row
  // Keys whose row some put needs, as it is in the destination before it is erased; all of them are
  // in `erases`. A key that no put names is not needed after all.
  std::vector<KeyHash> wanted;
  std::vector<bool> wanted_columns;  // by destination column: read of those rows
};

/// Which of a key's states are of interest beside the last.
enum class Keep : uint8_t {
  kNone,
  kCommitted,  // what each transaction left
  kAll         // all, but for a deletion that the same transaction takes back
};

/// Fold changes, in the order of apply, to what they make of the destination. A pure function.
///
///   keyed:   the last state of a key wins. A column that was not sent comes from the key's earlier
///            state in the fold, of an insert from the state that the delete just before it ended,
///            else from the destination's row: then it is wanted.
///   keyless: inserts less deletes, by content.
///   barrier: forgets everything before it.
///   with states kept: each of them is a put of its own, or a deletion; every key that changes name
///            is in `erases`, and a barrier deletes. Keyed only.
///
/// Errors: VALUE_NOT_SENT (a value that no earlier row can have).
Result<Folded> Fold(const RowForm& form, std::span<const FoldItem> items, Keep keep = Keep::kNone);

/// Rows to write, with the key of each.
struct KeyedRows {
  std::shared_ptr<arrow::RecordBatch> rows;
  std::vector<KeyHash> keys;
  std::vector<int32_t> states = {};  // of the puts
  std::vector<bool> unindexed = {};  // nobody will look them up; empty: all are
};

/// Returns the puts' rows, in pieces of at most about `rows_max`.
class PutReader {
 public:
  PutReader(const RowForm& form, std::span<const FoldItem> items, const Folded& folded,
            int64_t rows_max);
  /// Return the next piece of the rows that come whole from one change; no rows (null) at the end.
  Result<KeyedRows> Next();
  /// Return the rows of some patched puts. `former` holds, in the destination's columns, the row of
  /// each put's wanted key, in the order of the puts; a column is null where no put needs it.
  Result<KeyedRows> Patched(std::span<const Folded::Put> puts, const arrow::ArrayVector& former);

 private:
  Result<KeyedRows> TakeFrom(uint32_t batch, std::span<const Folded::Put> puts);
  Result<std::shared_ptr<arrow::Array>> PatchedColumn(size_t column,
                                                      std::span<const Folded::Put> puts,
                                                      const std::shared_ptr<arrow::Array>& former);

  const RowForm& form_;
  const Folded& folded_;
  const int64_t rows_max_;
  std::vector<const FoldBatch*> batches_;
  size_t next_ = 0;
};

}  // namespace freshet::apply
