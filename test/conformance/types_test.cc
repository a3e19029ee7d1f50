// SPDX-License-Identifier: Apache-2.0
// Every row of a source's TYPES.md: the snapshot and both change paths give the same values.
#include <fstream>
#include <sstream>

#include "delta/table.h"
#include "fixture.h"

namespace freshet::conformance {
namespace {

/// A row of the page's table: | `type` | DELTA | … |
struct ListedType {
  std::string name, delta;
};

std::vector<ListedType> ListedTypes(const std::string& page) {
  std::ifstream file(page);
  EXPECT_TRUE(file) << page;
  std::vector<ListedType> types;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| `")) continue;
    size_t end = line.find('`', 3), bar = line.find("| ", end);
    size_t delta_end = line.find(" |", bar + 2);
    if (end == std::string::npos || delta_end == std::string::npos) continue;
    types.push_back({line.substr(3, end - 3), line.substr(bar + 2, delta_end - bar - 2)});
  }
  return types;
}

class Types : public Conformance {
 protected:
  void SetUp() override {
    Conformance::SetUp();
    types_ = ListedTypes(facts_.types_page);
    ASSERT_GE(types_.size(), size_t{10}) << facts_.types_page;
    for (size_t i = 0; i < types_.size(); ++i) {
      examples_.push_back(backend_->Examples(types_[i].name));
      ASSERT_FALSE(examples_.back().empty()) << facts_.types_page << " names " << types_[i].name
                                             << ": give the backend's Examples values of it";
      rows_ = std::max(rows_, examples_.back().size() + 1);
      columns_.push_back({"c" + std::to_string(i), types_[i].name});
    }
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
    EXPECT_EQ(name.substr(0, name.find_first_of("(<")), types_[i].delta) << types_[i].name;
    EXPECT_FALSE(shape->source_types[i + 1].empty());
  }
}

}  // namespace
}  // namespace freshet::conformance
