// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>
#include <map>
#include <string>

#include "record/shape.h"
#include "sources/sample/journal.h"

namespace freshet::sources::sample {

/// A table as the journal has made it.
struct JournalTable {
  record::TableShape shape;
  /// Why it cannot be ingested.
  Status problem;
  /// Inserted and not deleted.
  int64_t rows = 0;
};

/// The tables at one place of the journal. A value.
class Catalog {
 public:
  /// Take what a change says of its table; rows are counted only. Errors: DATA_CORRUPT.
  Status Apply(const Json& change);
  /// Return the table of that name or id, null when there is none.
  const JournalTable* Find(const std::string& name) const;
  const JournalTable* Find(const record::TableId& id) const;
  const std::map<std::string, JournalTable>& tables() const { return tables_; }

 private:
  Status Create(const Json& change, const std::string& name);
  static Status AddColumn(const Json& column, JournalTable* table);

  std::map<std::string, JournalTable> tables_;  // by name
};

/// Read the rest of a journal's lines, but none beyond the transaction `through`: the catalog at
/// that end, and where it is.
struct JournalEnd {
  Catalog catalog;
  uint64_t number = 0;
  std::string mark = "-";
};
Result<JournalEnd> ReadToEnd(JournalReader* reader,
                             uint64_t through = std::numeric_limits<uint64_t>::max());

}  // namespace freshet::sources::sample
