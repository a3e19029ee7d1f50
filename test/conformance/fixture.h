// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend.h"

namespace freshet::conformance {

using Shape = std::shared_ptr<const record::TableShape>;
using Shapes = std::vector<Shape>;

inline constexpr std::string_view kNull = "NULL", kUnsent = "?";

/// One row of a change batch.
struct Change {
  std::string table;
  char op = ' ';                    // + ~ -
  std::vector<std::string> values;  // as Arrow prints them
  record::Sequence sequence;
  size_t batch = 0;  // which of those seen
  /// `t + 1,a`
  std::string ToString() const;
};

/// Everything that a stream returned until it was idle.
struct Seen {
  std::vector<Change> changes;
  std::vector<std::string> events;      // `truncated t`, `dropped t`, `shape t`, `failed t CLASS`
  std::vector<record::Cursor> commits;  // of each Commit
  std::vector<size_t> changes_before;   // how many changes came before each Commit
  std::vector<std::string> Lines() const;
};

/// Rows by their key, the first column.
using Image = std::map<std::string, std::vector<std::string>>;

/// A backend, a source on it, and the ways a test looks at both.
class Conformance : public testing::Test {
 protected:
  void SetUp() override;

  /// Create a table of a key `id` and a text `v`, or of these columns.
  void Make(const std::string& table);
  void Make(const std::string& table, const std::vector<Column>& more);
  /// Insert keys from..to with a text, one transaction.
  void Fill(const std::string& table, int from, int to);

  void OpenSource();
  sources::TableListing Listing(const std::string& table);
  Shape ShapeOf(const std::string& table);
  Shapes ShapesOf(const std::vector<std::string>& tables);
  Status TryStream(const std::vector<std::string>& tables, const record::Cursor& from = {});
  void OpenStream(const std::vector<std::string>& tables, const record::Cursor& from = {});
  /// Read all that was committed before; check what every batch must be on the way.
  Seen Drain();

  /// Read a whole table by so many readers at once.
  std::vector<std::vector<std::string>> Read(sources::Snapshot* snapshot, const std::string& table,
                                             int readers = 1);
  Image ReadImage(sources::Snapshot* snapshot, const std::string& table);
  std::unique_ptr<sources::Snapshot> Snap();

  std::unique_ptr<TestBackend> backend_;
  Facts facts_;
  std::unique_ptr<sources::Source> source_;
  std::unique_ptr<sources::ChangeStream> stream_;

 private:
  void Take(const record::TableEvent& event, Seen* seen);
  std::map<std::string, record::Sequence> last_;  // of each table
  size_t batches_ = 0;
};

Deadline Soon();
/// Apply changes to an image as the destination would; those at or below `above` are in it already.
void ApplyTo(Image* image, const std::vector<Change>& changes, const record::Sequence& above = {});
/// The columns of one row as text.
std::vector<std::string> RowOf(const arrow::RecordBatch& rows, int64_t row, int width);

}  // namespace freshet::conformance
