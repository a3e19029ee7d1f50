// SPDX-License-Identifier: Apache-2.0
// Tables that leave the publication and come back, and tables that somebody holds locked.
#include <gmock/gmock.h>

#include <thread>

#include "postgres_stream_fixture.h"

namespace freshet::sources::postgres {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;
using Memos = std::map<record::TableId, std::string>;

class PublicationTest : public StreamTest {
 protected:
  void SetUp() override {
    StreamTest::SetUp();
    Run("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)");
  }
  void Alter(const std::string& what) {
    Run("ALTER PUBLICATION \"" + config_.publication + "\" " + what);
  }
  /// Both tables with what is kept of them.
  std::vector<std::shared_ptr<const record::TableShape>> WithMemos(const Memos& memos) {
    std::vector<std::shared_ptr<const record::TableShape>> shapes;
    for (const std::string table : {"a", "b"}) {
      auto shape = std::make_shared<record::TableShape>(*Shape(table));
      auto memo = memos.find(shape->id);
      if (memo != memos.end()) shape->memo = memo->second;
      shapes.push_back(std::move(shape));
    }
    return shapes;
  }
  /// Open the stream where it was, with what is kept; the former one is let go of first.
  void OpenAgain(const Memos& memos) {
    stream_.reset();
    AwaitFreeSlot();
    auto stream = source_->OpenChanges(WithMemos(memos), cursor_);
    ASSERT_TRUE(stream.ok()) << stream.status().ToString();
    stream_ = std::move(*stream);
    EXPECT_TRUE(stream_->Fence().ok());
  }
  std::string MemoInListing(const std::string& table) {
    auto listings = source_->ListTables();
    EXPECT_TRUE(listings.ok());
    for (const auto& listing : *listings) {
      if (listing.name.table == table) return listing.memo.value_or("none");
    }
    return "no such table";
  }
  /// Make the publication the user's own, and the slot with it.
  void Give(const std::string& statement) {
    config_.slot_given = config_.publication_given = true;
    Run("CREATE PUBLICATION \"" + config_.publication + "\" " + statement);
    Run("SELECT pg_create_logical_replication_slot('" + config_.slot + "', 'pgoutput')");
  }
};

TEST_F(PublicationTest, ATableThatIsTakenOutAndPutInAgainHasLostChanges) {
  Open({"a", "b"});
  const Memos memos = stream_->TakeMemos();
  ASSERT_EQ(memos.size(), 2U);
  EXPECT_TRUE(stream_->TakeMemos().empty());
  EXPECT_EQ(MemoInListing("a"), memos.at(Shape("a")->id));
  ASSERT_TRUE(stream_->Watch(WithMemos(memos)).ok());
  Alter("DROP TABLE a");
  EXPECT_EQ(MemoInListing("a"), "");
  Run("INSERT INTO a VALUES (1)");
  Alter("ADD TABLE a");
  EXPECT_NE(MemoInListing("a"), memos.at(Shape("a")->id));
  EXPECT_EQ(MemoInListing("b"), memos.at(Shape("b")->id));
  ASSERT_TRUE(stream_->Watch(WithMemos(memos)).ok());
  EXPECT_TRUE(stream_->TakeMemos().empty()) << "not before somebody heard of the loss";
  Run("INSERT INTO a VALUES (2); INSERT INTO b VALUES (2)");
  EXPECT_TRUE(stream_->Fence().ok());
  EXPECT_THAT(Drain(), ElementsAre("failed PUBLICATION_MISSING", "+ 2"));
}

TEST_F(PublicationTest, ATableThatWatchPutsInAgainHasLostChangesToo) {
  Open({"a", "b"});
  const Memos memos = stream_->TakeMemos();
  Alter("DROP TABLE a");
  ASSERT_TRUE(stream_->Watch(WithMemos(memos)).ok());
  EXPECT_TRUE(stream_->Fence().ok());
  EXPECT_THAT(Drain(), ElementsAre("failed PUBLICATION_MISSING"));
  // Read anew, it is followed by its new entry.
  auto anew = WithMemos(memos);
  auto shape = std::make_shared<record::TableShape>(*anew[0]);
  shape->memo.clear();
  shape->version = 2;
  anew[0] = shape;
  ASSERT_TRUE(stream_->Watch(anew).ok());
  const Memos taken = stream_->TakeMemos();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken.begin()->second, MemoInListing("a"));
  Run("INSERT INTO a VALUES (3)");
  EXPECT_TRUE(stream_->Fence().ok());
  EXPECT_THAT(Drain(), ElementsAre("+ 3"));
}

TEST_F(PublicationTest, BetweenTwoStreamsToo) {
  Open({"a", "b"});
  const Memos memos = stream_->TakeMemos();
  OpenAgain(memos);
  EXPECT_THAT(Drain(), ElementsAre()) << "nothing happened";
  Alter("DROP TABLE b");
  Run("INSERT INTO b VALUES (1)");
  Alter("ADD TABLE b");
  OpenAgain(memos);
  EXPECT_THAT(Drain(), ElementsAre("failed PUBLICATION_MISSING"));
  OpenAgain({});
  EXPECT_THAT(Drain(), ElementsAre()) << "of an older staging nothing is known";
  EXPECT_EQ(stream_->TakeMemos().size(), 2U);
}

TEST_F(PublicationTest, APublicationThatIsMadeAgainHasLostTheChangesOfAll) {
  Open({"a", "b"});
  const Memos memos = stream_->TakeMemos();
  stream_.reset();
  AwaitFreeSlot();
  Run("DROP PUBLICATION \"" + config_.publication + "\"");
  Run("CREATE PUBLICATION \"" + config_.publication + "\" FOR TABLE a, b");
  OpenAgain(memos);
  EXPECT_THAT(Drain(), ElementsAre("failed PUBLICATION_MISSING", "failed PUBLICATION_MISSING"));
}

TEST_F(PublicationTest, SoHasAGivenOneOfAllTables) {
  Give("FOR ALL TABLES");
  Open({"a", "b"});
  const Memos memos = stream_->TakeMemos();
  EXPECT_EQ(memos.at(Shape("a")->id), memos.at(Shape("b")->id));
  OpenAgain(memos);
  EXPECT_THAT(Drain(), ElementsAre());
  stream_.reset();
  AwaitFreeSlot();
  Run("DROP PUBLICATION \"" + config_.publication + "\"");
  Run("CREATE PUBLICATION \"" + config_.publication + "\" FOR ALL TABLES");
  OpenAgain(memos);
  EXPECT_THAT(Drain(), ElementsAre("failed PUBLICATION_MISSING", "failed PUBLICATION_MISSING"));
}

TEST_F(PublicationTest, ASchemaThatIsTakenOutAndPutInAgainToo) {
  if (session_->server_version() < 150000) GTEST_SKIP() << "older servers publish no schemas";
  Give("FOR TABLES IN SCHEMA public");
  Open({"a", "b"});
  const Memos memos = stream_->TakeMemos();
  EXPECT_THAT(memos.at(Shape("a")->id), HasSubstr("schema"));
  Alter("DROP TABLES IN SCHEMA public");
  Alter("ADD TABLES IN SCHEMA public");
  OpenAgain(memos);
  EXPECT_THAT(Drain(), ElementsAre("failed PUBLICATION_MISSING", "failed PUBLICATION_MISSING"));
}

TEST_F(PublicationTest, LockedTablesWaitAndAllOthersAreFollowed) {
  Open({});
  auto vacuum = NewSession();
  ASSERT_TRUE(vacuum->Execute("BEGIN; LOCK TABLE a IN SHARE UPDATE EXCLUSIVE MODE").ok());
  auto locked = stream_->Watch(WithMemos({}));
  ASSERT_TRUE(locked.ok()) << locked.status().ToString();
  EXPECT_THAT(*locked, ElementsAre(Shape("a")->id));
  Run("INSERT INTO b VALUES (1)");
  EXPECT_TRUE(stream_->Fence().ok());
  EXPECT_THAT(Drain(), ElementsAre("+ 1"));
  ASSERT_TRUE(vacuum->Execute("COMMIT").ok());
  locked = stream_->Watch(WithMemos({}));
  ASSERT_TRUE(locked.ok()) << locked.status().ToString();
  EXPECT_THAT(*locked, ElementsAre());
  Run("INSERT INTO a VALUES (2); INSERT INTO b VALUES (3)");
  EXPECT_TRUE(stream_->Fence().ok());
  EXPECT_THAT(Drain(), UnorderedElementsAre("+ 2", "+ 3"));
  // One that is to leave the publication waits as well, and says so.
  ASSERT_TRUE(vacuum->Execute("BEGIN; LOCK TABLE a IN SHARE UPDATE EXCLUSIVE MODE").ok());
  locked = stream_->Watch({Shape("b")});
  ASSERT_TRUE(locked.ok()) << locked.status().ToString();
  EXPECT_THAT(*locked, ElementsAre(Shape("a")->id));
}

TEST_F(PublicationTest, AReaderThatWaitsForALockGivesUpWhenItIsTold) {
  OpenSource();
  Run("INSERT INTO a SELECT generate_series(1, 10)");
  auto snapshot = source_->BeginSnapshot();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status().ToString();
  auto shape = Shape("a");
  auto chunks = (*snapshot)->Plan(*shape);
  ASSERT_TRUE(chunks.ok());
  auto locker = NewSession();
  ASSERT_TRUE(locker->Execute("BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE").ok());
  Status opened;
  {
    std::jthread reader([&] { opened = (*snapshot)->Open(shape, chunks->front()).status(); });
    Await(
        "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM "
        "pg_database WHERE datname = current_database())");
    (*snapshot)->Cancel();
  }
  EXPECT_TRUE(opened.Is(ErrorClass::CANCELLED)) << opened.ToString();
}

/// Whoever made it may have had reasons; here it would lose data without a word.
TEST_F(PublicationTest, AGivenOneThatLeavesOutColumnsOrRowsIsRefusedForTheseTables) {
  if (session_->server_version() < 150000) GTEST_SKIP() << "older servers leave nothing out";
  Run("CREATE TABLE whole (id int PRIMARY KEY, v text); "
      "CREATE TABLE listed (id int PRIMARY KEY, v text, w text); "
      "CREATE TABLE filtered (id int PRIMARY KEY, v text); "
      "CREATE TABLE all_listed (id int PRIMARY KEY, v text); "
      "CREATE TABLE parted (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); "
      "CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (10)");
  Give(
      "FOR TABLE whole, listed (id, w), filtered WHERE (id > 1), all_listed (id, v), "
      "parted WHERE (id > 1) WITH (publish_via_partition_root = true)");
  OpenSource();
  auto listings = source_->ListTables();
  ASSERT_TRUE(listings.ok()) << listings.status().ToString();
  std::map<std::string, std::string> found;
  for (const auto& listing : *listings) {
    found[listing.name.table] =
        listing.problem.ok() ? "ok" : std::string(NameOf(listing.problem.error_class()));
  }
  EXPECT_EQ(found["whole"], "ok");
  EXPECT_EQ(found["all_listed"], "ok");
  EXPECT_EQ(found["listed"], "PUBLICATION_MISSING");
  EXPECT_EQ(found["filtered"], "PUBLICATION_MISSING");
  EXPECT_EQ(found["parted"], "PUBLICATION_MISSING");
}

}  // namespace
}  // namespace freshet::sources::postgres
