// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sources/source.h"

namespace freshet::conformance {

/// A value as text, in the source's own spelling; nothing is NULL.
using Literal = std::optional<std::string>;

/// A column of a table made for a test; its type as the source's TYPES.md spells it.
struct Column {
  std::string name, type;
};

// What happens to a table in a transaction. Tables are named without their schema; the first column
// is the key, if there is one.
struct Insert {
  std::string table;
  std::vector<Literal> row;
};
/// Columns that are not named stay as they are.
struct Update {
  std::string table, key;
  std::map<std::string, Literal> values;
};
struct Delete {
  std::string table, key;
};
struct Truncate {
  std::string table;
};
struct Drop {
  std::string table;
};
struct AddColumn {
  std::string table;
  Column column;
};
using Act = std::variant<Insert, Update, Delete, Truncate, Drop, AddColumn>;

/// What can befall a source between two runs.
enum class Misfortune : uint8_t {
  kForgotten,  // it no longer holds what came after earlier positions
  kMoved,      // it went on without us, or back: what followed an earlier position is another thing
  kReplaced    // something else answers at its address
};

/// What the suite must know of a source before it starts.
struct Facts {
  std::string types_page;            // its TYPES.md
  std::string schema;                // where CreateTable puts tables
  std::string long_type, text_type;  // the types that become LONG and STRING
};

/// All that a source's author writes to have it tested: a system of one's own and what is done to
/// it. A method that fails reports through GoogleTest. Used by one thread at a time; the Source it
/// made may be in use by another meanwhile.
class TestBackend {
 public:
  virtual ~TestBackend() = default;
  virtual Facts facts() const = 0;
  /// Create a table; `keyed`: its first column is the key.
  virtual void CreateTable(const std::string& table, const std::vector<Column>& columns,
                           bool keyed) = 0;
  /// Do these in one transaction.
  virtual void Commit(const std::vector<Act>& acts) = 0;
  /// Let the system end as in a crash and come back; nothing for one that is never down.
  virtual void Restart() = 0;
  virtual void Suffer(Misfortune misfortune) = 0;
  /// Make the source; every one of a backend is the same reader.
  virtual Result<std::unique_ptr<sources::Source>> Open() = 0;
  /// Values of a type of TYPES.md, its edges among them; none: the type is not known here.
  virtual std::vector<std::string> Examples(const std::string& type) const = 0;
};

/// Defined once in each program: the source that this program tests.
std::unique_ptr<TestBackend> MakeBackend();

}  // namespace freshet::conformance
