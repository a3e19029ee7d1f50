// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "delta/actions.h"
#include "store/file_store.h"

namespace freshet::delta {

/// The dead rows of one data file. A value; copies are deep.
/// Source: Delta protocol, "Deletion Vectors".
class DeletionVector {
 public:
  DeletionVector();
  ~DeletionVector();
  DeletionVector(const DeletionVector& other);
  DeletionVector& operator=(const DeletionVector& other);
  DeletionVector(DeletionVector&&) noexcept;
  DeletionVector& operator=(DeletionVector&&) noexcept;

  void Add(uint64_t row);
  void Union(const DeletionVector& other);
  bool Contains(uint64_t row) const;
  int64_t cardinality() const;
  /// Whether every row of `other` is in this one.
  bool Covers(const DeletionVector& other) const;
  /// Rows of `this` that are not in `other`, ascending.
  std::vector<uint64_t> Minus(const DeletionVector& other) const;

  /// Read the vector a descriptor names. Errors: NOT_FOUND, DELTA_CORRUPT (size, magic, checksum or
  /// cardinality differs).
  static Result<DeletionVector> Load(store::FileStore& table,
                                     const DeletionVectorDescriptor& descriptor);

  /// Write many vectors into one new file `deletion_vector_<uuid>.bin` at the table's root;
  /// descriptors in the same order. Small ones (<= 256 bytes) are returned inline, and no file is
  /// made when all are.
  static Result<std::vector<DeletionVectorDescriptor>> Write(
      store::FileStore& table, const std::vector<DeletionVector>& vectors);

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

/// The path of the file that holds a stored vector, relative to the table; nothing for one that is
/// inline, outside of the table, or of a name that is none.
/// Source: Delta protocol, "Derived Fields".
std::optional<std::string> StoredPath(const DeletionVectorDescriptor& descriptor);

}  // namespace freshet::delta
