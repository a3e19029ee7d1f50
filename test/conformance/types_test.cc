// SPDX-License-Identifier: Apache-2.0
// Every row of a source's TYPES.md: the snapshot and both change paths give the same values.
#include <fstream>
#include <sstream>

#include "delta/table.h"
#include "fixture.h"

namespace freshet::conformance {
namespace {

/// A row of the page's table: | `type`, `type` … | DELTA | … |
struct ListedRow {
  std::vector<std::string> names;
  std::string delta;
};

std::vector<ListedRow> ListedRows(const std::string& page) {
  std::ifstream file(page);
  EXPECT_TRUE(file) << page;
  std::vector<ListedRow> rows;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| `")) continue;
    size_t bar = line.find(" | ", 2), next = line.find(" |", bar + 3);
    if (bar == std::string::npos || next == std::string::npos) continue;
    ListedRow row{.names = {}, .delta = line.substr(bar + 3, next - bar - 3)};
    for (size_t at = line.find('`'); at < bar; at = line.find('`', at)) {
      size_t end = line.find('`', at + 1);
      row.names.push_back(line.substr(at + 1, end - at - 1));
      at = end + 1;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

/// A type of the page that the backend has values of.
struct ListedType {
  std::string name, delta;
};

class Types : public Conformance {
 protected:
  void SetUp() override {
    Conformance::SetUp();
    auto rows = ListedRows(facts_.types_page);
    ASSERT_GE(rows.size(), size_t{10}) << facts_.types_page;
    for (const auto& row : rows) {
      size_t before = types_.size();
      for (const auto& name : row.names) Add({name, row.delta});
      ASSERT_GT(types_.size(), before)
          << facts_.types_page << " has a row for " << row.names[0]
          << ": give the backend's Examples values of one of its types";
    }
  }
  void Add(ListedType type) {
    auto examples = backend_->Examples(type.name);
    if (examples.empty()) return;
    rows_ = std::max(rows_, examples.size() + 1);
    columns_.push_back({"c" + std::to_string(types_.size()), type.name});
    examples_.push_back(std::move(examples));
    types_.push_back(std::move(type));
  }
  /// The row's values, NULL where a type has no more examples.
  std::vector<Literal> Values(size_t row) const {
    std::vector<Literal> values;
    for (const auto& examples : examples_)
      values.push_back(row < examples.size() ? Literal(examples[row]) : std::nullopt);
    return values;
  }
  void InsertAll(const std::string& table) {
    for (size_t row = 0; row < rows_; ++row) {
      auto values = Values(row);
      values.insert(values.begin(), std::to_string(row));
      backend_->Commit({Insert{table, values}});
    }
  }
  void UpdateAll(const std::string& table) {
    for (size_t row = 0; row < rows_; ++row) {
      Update update{table, std::to_string(row), {}};
      auto values = Values(row);
      for (size_t i = 0; i < values.size(); ++i) update.values["c" + std::to_string(i)] = values[i];
      backend_->Commit({update});
    }
  }

  std::vector<ListedType> types_;
  std::vector<std::vector<std::string>> examples_;
  std::vector<Column> columns_;
  size_t rows_ = 0;
};

TEST_F(Types, EveryTypeIsTheSameOnEveryPath) {
  for (const char* table : {"read", "inserted", "updated"}) Make(table, columns_);
  InsertAll("read");
  std::vector<Act> keys;
  for (size_t row = 0; row < rows_; ++row) {
    std::vector<Literal> values(columns_.size() + 1);
    values[0] = std::to_string(row);
    keys.emplace_back(Insert{"updated", values});
  }
  backend_->Commit(keys);
  OpenSource();
  OpenStream({"inserted", "updated"});
  InsertAll("inserted");
  UpdateAll("updated");
  Image read = ReadImage(Snap().get(), "read"), inserted, updated;
  for (const auto& change : Drain().changes)
    (change.op == '+' ? inserted : updated)[change.values[0]] = change.values;
  ASSERT_EQ(read.size(), rows_);
  ASSERT_EQ(inserted.size(), rows_);
  ASSERT_EQ(updated.size(), rows_);
  for (size_t row = 0; row < rows_; ++row) {
    auto key = std::to_string(row);
    for (size_t i = 0; i < types_.size(); ++i) {
      std::string where = types_[i].name + ": " + Values(row)[i].value_or("NULL");
      EXPECT_EQ(read[key][i + 1], inserted[key][i + 1]) << where;
      EXPECT_EQ(read[key][i + 1], updated[key][i + 1]) << where;
      if (row >= examples_[i].size()) {
        EXPECT_EQ(read[key][i + 1], kNull) << where;
      }
    }
  }
  // The first example of a type is one that Delta can hold.
  for (size_t i = 0; i < types_.size(); ++i) EXPECT_NE(read["0"][i + 1], kNull) << types_[i].name;
}

TEST_F(Types, ThePageSaysWhatDeltaGets) {
  Make("t", columns_);
  OpenSource();
  Shape shape = ShapeOf("t");
  ASSERT_NE(shape, nullptr);
  ASSERT_EQ(shape->width(), static_cast<int>(types_.size()) + 1);
  for (size_t i = 0; i < types_.size(); ++i) {
    auto name = delta::TypeName(*shape->schema->field(static_cast<int>(i) + 1)->type());
    // A domain's row says it in words.
    if (types_[i].delta.find(' ') == std::string::npos) {
      EXPECT_EQ(name.substr(0, name.find_first_of("(<")), types_[i].delta) << types_[i].name;
    }
    EXPECT_FALSE(shape->source_types[i + 1].empty());
  }
}

}  // namespace
}  // namespace freshet::conformance
