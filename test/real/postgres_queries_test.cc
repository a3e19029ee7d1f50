// SPDX-License-Identifier: Apache-2.0
// Capture by queries: what fails for one table, and very many of them.
#include <gmock/gmock.h>

#include "base/limits.h"
#include "postgres_stream_fixture.h"
#include "sources/postgres/cursor_rule.h"
#include "sources/postgres/cursor_source.h"

namespace freshet::sources::postgres {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

class QueriesTest : public StreamTest {
 protected:
  void Follow(const std::string& rules, const std::vector<std::string>& tables) {
    memos_.clear();
    seen_.clear();
    UseRules(rules);
    ASSERT_TRUE(OpenStream(tables).ok());
    cursor_ = stream_->Start();
    Keep();
  }
  void UseRules(const std::string& rules) {
    auto parsed = CursorRules::Parse(rules);
    ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
    config_.rules = std::make_shared<const CursorRules>(*std::move(parsed));
    auto source = OpenQueried(config_);
    ASSERT_TRUE(source.ok()) << source.status().ToString();
    source_ = std::move(*source);
  }
  /// What one read returns, but rows that were returned before: by a mark, the highest are.
  std::vector<std::string> Read() {
    EXPECT_TRUE(stream_->Fence().ok());
    auto lines = Drain();
    Keep();
    std::erase_if(lines, [&](const auto& line) {
      return line.starts_with('~') && !seen_.insert(line).second;
    });
    return lines;
  }
  /// As a gateway does with each Commit.
  void Keep() {
    for (auto& [table, memo] : stream_->TakeMemos()) memos_[table] = memo;
  }
  /// Another process goes on where this one was.
  void OpenAgain(const std::vector<std::string>& tables) {
    std::vector<std::shared_ptr<const record::TableShape>> shapes;
    for (const auto& table : tables) {
      auto shape = std::make_shared<record::TableShape>(*Shape(table));
      shape->memo = memos_[shape->id];
      shapes.push_back(std::move(shape));
    }
    auto stream = source_->OpenChanges(shapes, cursor_);
    ASSERT_TRUE(stream.ok()) << stream.status().ToString();
    stream_ = std::move(*stream);
  }

  std::map<record::TableId, std::string> memos_;
  std::set<std::string> seen_;
};

TEST_F(QueriesTest, WhatFailsForOneTableIsLeftToItsNextRead) {
  Run("CREATE TABLE a (id int PRIMARY KEY, n int, v int); CREATE TABLE b (id int PRIMARY KEY, n "
      "int)");
  for (const std::string window : {"-1", "0"}) {
    SCOPED_TRACE(window);
    Run("TRUNCATE a, b");
    Follow(R"([{"cursor_columns":["n"],"late_commit_window":)" + window +
               R"(},{"schema":"public","table":"a","deletion_condition":"10 / v = 1"}])",
           {"a", "b"});
    Run("INSERT INTO a VALUES (1, 1, 1); INSERT INTO b VALUES (1, 1)");
    EXPECT_THAT(Read(), UnorderedElementsAre("~ 1,1,1", "~ 1,1"));
    Run("INSERT INTO a VALUES (2, 2, 0); INSERT INTO b VALUES (2, 2)");
    EXPECT_THAT(Read(), UnorderedElementsAre("unread SOURCE_QUERY", "~ 2,2"));
    OpenAgain({"a", "b"});
    Run("INSERT INTO a VALUES (3, 3, 5); INSERT INTO b VALUES (3, 3)");
    EXPECT_THAT(Read(), UnorderedElementsAre("unread SOURCE_QUERY", "~ 3,3"));
    // The rows of all the time since its last read come.
    Run("UPDATE a SET v = 4 WHERE v = 0");
    EXPECT_THAT(Read(), UnorderedElementsAre("~ 2,2,4", "~ 3,3,5", "readable"));
    EXPECT_EQ(memos_[Shape("a")->id].find("since"), std::string::npos);
    stream_.reset();
  }
}

TEST_F(QueriesTest, ATableThatIsHeldLockedHoldsUpNoOther) {
  Run("CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE b (id int PRIMARY KEY, n int)");
  Follow(R"([{"cursor_columns":["n"]}])", {"a", "b"});
  Run("INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 10)");
  auto locker = NewSession();
  ASSERT_TRUE(locker->Execute("BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE").ok());
  EXPECT_THAT(Read(), UnorderedElementsAre("unread SOURCE_BLOCKED", "~ 1,10"));
  ASSERT_TRUE(locker->Execute("ROLLBACK").ok());
  EXPECT_THAT(Read(), UnorderedElementsAre("~ 1,1", "readable"));
}

TEST_F(QueriesTest, ACursorColumnThatIsGoneIsItsTablesMatter) {
  Run("CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE b (id int PRIMARY KEY, n int)");
  Follow(R"([{"cursor_columns":["n"]}])", {"a", "b"});
  Run("ALTER TABLE a RENAME n TO m; INSERT INTO b VALUES (1, 1)");
  EXPECT_THAT(Read(), UnorderedElementsAre("unread CURSOR_UNSUITABLE", "~ 1,1"));
  auto listings = source_->ListTables();
  ASSERT_TRUE(listings.ok());
  EXPECT_TRUE(listings->at(0).problem.Is(ErrorClass::CURSOR_UNSUITABLE));
}

TEST_F(QueriesTest, ASweepAboveTheThresholdDeletesNothingAndTheRestGoesOn) {
  Run("CREATE TABLE a (id int PRIMARY KEY, n int)");
  Run("INSERT INTO a SELECT i, i FROM generate_series(1, 10) i");
  std::string rules =
      R"([{"cursor_columns":["n"],"hard_deletion_sync_min_interval_in_seconds":0}])";
  Follow(rules, {"a"});
  Read();
  Run("DELETE FROM a WHERE id > 2; INSERT INTO a VALUES (11, 11)");
  auto lines = Read();
  EXPECT_THAT(lines, UnorderedElementsAre("unread SWEEP_REFUSED", "~ 11,11"));
  EXPECT_THAT(Read(), ElementsAre("unread SWEEP_REFUSED")) << "again each time";
  rules.insert(rules.size() - 2, R"(,"hard_deletion_max_fraction":1.0)");
  UseRules(rules);
  OpenAgain({"a"});
  EXPECT_THAT(Read(), ElementsAre("untold rows may be gone: its sweep is due"));
}

TEST_F(QueriesTest, WhatIsKeptOfVeryManyTablesFitsNoCursor) {
  constexpr int kTables = 1'000;
  for (int first = 0; first < kTables; first += 250) {
    Run(fmt::format(
        "DO $$ BEGIN FOR i IN {} .. {} LOOP EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, "
        "n int, m text); INSERT INTO t%s VALUES (1, 1, repeat(''m'', 100))', i, i); END LOOP; END "
        "$$",
        first, first + 249));
  }
  std::vector<std::string> tables;
  for (int i = 0; i < kTables; ++i) tables.push_back("t" + std::to_string(i));
  Follow(R"([{"cursor_columns":["n","m"],"late_commit_window":0}])", tables);
  Run("INSERT INTO t7 VALUES (2, 2, 'x')");
  Read();
  size_t kept = 0;
  for (const auto& [table, memo] : memos_) kept += memo.size();
  EXPECT_EQ(memos_.size(), tables.size());
  EXPECT_GT(kept, limits::kCursorBytesMax);
  EXPECT_LT(cursor_.text.size(), size_t{1000});
  OpenAgain(tables);
  Run("INSERT INTO t7 VALUES (3, 1, 'below the mark'), (4, 2, 'y')");
  EXPECT_THAT(Read(), ElementsAre("~ 4,2,y"));
}

}  // namespace
}  // namespace freshet::sources::postgres
