// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/json.h"
#include "record/change.h"
#include "sources/sample/config.h"
#include "store/local_file.h"

namespace freshet::sources::sample {

/// Ordered, so that a row is written back as it was read.
using Json = nlohmann::ordered_json;

/// One line of the journal.
struct Transaction {
  /// From 1; a line of the base has the number that the base ends with.
  uint64_t number = 0;
  UtcMicros committed_at = 0;
  /// Objects, each with an `op` and a `table`; what else they hold is checked where it is used.
  Json changes;
  /// The line's fingerprint, for the cursor.
  std::string mark;
  int64_t bytes = 0;
};

/// Reads a journal's lines in order. A last line without its end is not committed yet. Not
/// thread-safe; readers of one file share it.
class JournalReader {
 public:
  /// Open the journal and read its first line. Errors: SOURCE_UNREACHABLE, SOURCE_PRIVILEGE,
  /// DATA_CORRUPT.
  static Result<JournalReader> Open(const Config& config);
  /// Read the same file from its beginning, even if another has taken its name since.
  Result<JournalReader> Again() const;

  /// The journal's identity, kept through every compaction.
  const std::string& id() const { return id_; }
  /// How many transactions were folded into the first lines, and how many lines those are.
  uint64_t base() const { return base_; }
  uint64_t base_lines() const { return base_lines_; }
  /// Return the next line, nothing when no more is committed. Errors: DATA_CORRUPT,
  /// STORE_UNAVAILABLE.
  Result<std::optional<Transaction>> Next();
  /// Where the last line that was returned ends.
  int64_t offset() const { return end_ - static_cast<int64_t>(buffer_.size()) + taken(); }
  /// The file's size now.
  Result<int64_t> Size() const;
  /// Whether the name still means the file that is read, and nothing was cut off it. Errors:
  /// SOURCE_UNREACHABLE (replaced: open it again), SLOT_MOVED (cut).
  Status StillThere() const;

 private:
  explicit JournalReader(std::shared_ptr<store::OpenFile> file, std::string path)
      : file_(std::move(file)), path_(std::move(path)) {}
  Status ReadHeader();
  Result<std::optional<std::string_view>> NextLine();
  Result<Transaction> Parse(std::string_view line);
  int64_t taken() const { return static_cast<int64_t>(taken_); }

  std::shared_ptr<store::OpenFile> file_;
  std::string path_, id_;
  uint64_t base_ = 0, base_lines_ = 0;
  uint64_t line_ = 0;  // the first is the header
  std::string buffer_;
  size_t taken_ = 0;  // of buffer_
  int64_t end_ = 0;   // of buffer_ in the file
};

/// One change of a row.
struct RowChange {
  record::Op op = record::Op::kInsert;
  /// Column → value. Of an insert whole but for NULLs; of an update what was sent, with its key; of
  /// a delete the key.
  Json row;
  /// The key's values as text, before and after; an insert has no before, a delete no after.
  std::string key_before, key_after;
  bool key_changed() const { return op == record::Op::kUpdate && key_before != key_after; }
};
/// Read `insert`, `update` or `delete` of a table of this shape, which had `width` columns when it
/// was written. Errors: DATA_CORRUPT.
Result<RowChange> ReadRowChange(const Json& change, const record::TableShape& shape, int width);

/// Return an object's text field, "" when it has none.
std::string TextOf(const Json& object, const char* field);

}  // namespace freshet::sources::sample
