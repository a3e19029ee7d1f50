// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "apply/key_index.h"
#include "store/scratch.h"

namespace freshet::apply {

/// Finds what two multisets of rows do not share, by hashes: rows that are in one of them more
/// often than in the other. Cost is linear however many rows are equal, and memory is bounded:
/// beyond it rows are put aside on disk, in parts by their keys, and a part is compared at a time.
/// One thread.
class RowTally {
 public:
  enum class Side : uint32_t { kOld = 0, kNew = 1 };
  struct Row {
    KeyHash key, content;  // of a keyless table the same
    Side side = Side::kOld;
    uint32_t file = 0, row = 0;  // the caller's own
  };
  /// `rows_expected`: about so many rows of both sides together. `bytes_max`: see
  /// limits::kDifferenceBytesMax.
  RowTally(std::string scratch_folder, bool keyed, int64_t rows_expected, size_t bytes_max);

  /// Errors: STORE_FULL, STORE_UNAVAILABLE.
  Status Add(const Row& row);

  struct Totals {
    int64_t updated = 0;  // keyed: an old row went, and a new one of its key came
    int64_t inserted = 0, deleted = 0;
  };
  /// Call `surplus` with each row that its side has and the other lacks; of several equal ones with
  /// so many as it has more. To be called once, after the last Add.
  Result<Totals> Compare(const std::function<Status(const Row&)>& surplus);
  /// The same, and say of each row whether a surplus one of its key at the other side is its pair:
  /// of several, so many as both sides have. To be called instead.
  Status Pair(const std::function<Status(const Row&, bool paired)>& surplus);

 private:
  struct KeyHasher {
    size_t operator()(const KeyHash& hash) const { return hash.low; }
  };
  struct Part {
    std::vector<Row> rows;  // and before them
    store::Scratch::Bytes aside;
  };
  /// Rows of one key that went and that came.
  struct Change {
    int64_t gone = 0, come = 0;
  };

  Status PutAside();
  Status Each(const Part& part, const std::function<Status(const Row&)>& take) const;
  Status EachSurplus(const Part& part, const std::function<Status(const Row&)>& take) const;
  Status PairPart(const Part& part,
                  const std::function<Status(const Row&, bool paired)>& surplus) const;
  Status ComparePart(const Part& part, const std::function<Status(const Row&)>& surplus,
                     Totals* totals) const;

  const bool keyed_;
  const size_t bytes_max_;
  store::Scratch scratch_;
  std::vector<Part> parts_;
  size_t bytes_ = 0;  // of the rows in memory
};

}  // namespace freshet::apply
