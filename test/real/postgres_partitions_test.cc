// SPDX-License-Identifier: Apache-2.0
// Partitioned tables in the change stream of a real server.
#include <gmock/gmock.h>

#include "postgres_stream_fixture.h"

namespace freshet::sources::postgres {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(StreamTest, PartitionsComeUnderTheirRoot) {
  Run("CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE p1 "
      "PARTITION OF p FOR VALUES FROM (0) TO (10)");
  Run("CREATE TABLE p2 (gone int, v text, id int NOT NULL); ALTER TABLE p2 DROP COLUMN gone; ALTER "
      "TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20)");
  Run("CREATE SCHEMA other; CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (20) TO (40) PARTITION "
      "BY RANGE (id); CREATE TABLE other.p3a PARTITION OF p3 FOR VALUES FROM (20) TO (30)");
  Run("ALTER TABLE other.p3a REPLICA IDENTITY FULL");
  Open({"p"});
  EXPECT_THAT(Drain(), ElementsAre("parts other.p3a public.p1 public.p2"));
  Run("INSERT INTO p VALUES (1, 'a'), (11, 'b')");
  Run("UPDATE p SET id = 12 WHERE id = 1");
  Run("DELETE FROM p WHERE id = 11; INSERT INTO other.p3a VALUES (21, 'c'); UPDATE p SET v = 'd' "
      "WHERE id > 10; UPDATE p SET id = 1 WHERE id = 21; TRUNCATE p");
  EXPECT_THAT(Drain(), ElementsAre("+ 1,a", "+ 11,b", "- 1,-", "+ 12,a", "- 11,-", "+ 21,c",
                                   "~ 12,d", "~ 21,d", "- 21,-", "+ 1,d", "truncate"));
}

TEST_F(StreamTest, ATruncateOfSomePartitionsTellsNoRows) {
  Run("CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p "
      "FOR VALUES FROM (0) TO (10); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20)");
  Run("CREATE TABLE t (id int PRIMARY KEY)");
  Open({"p", "t"});
  EXPECT_THAT(Drain(), ElementsAre("parts public.p1 public.p2"));
  Run("INSERT INTO p VALUES (1), (11); TRUNCATE p1; INSERT INTO p VALUES (2)");
  EXPECT_THAT(Drain(),
              ElementsAre("+ 1", "+ 11", "untold partitions were truncated: public.p1", "+ 2"));
  Run("TRUNCATE p2, p1");
  EXPECT_THAT(Drain(), ElementsAre("truncate"));
  Run("TRUNCATE t, p2");
  EXPECT_THAT(Drain(), ElementsAre("truncate", "untold partitions were truncated: public.p2"));
}

TEST_F(StreamTest, PartitionsThatComeAndGoAreAnnouncedBeforeTheirRows) {
  if (session_->server_version() < 140000)
    GTEST_SKIP() << "13 sends an attached table's changes to later sessions only";
  Run("CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE q (id int "
      "PRIMARY KEY, v text) PARTITION BY RANGE (id)");
  Open({"p", "q"});
  // Where no message comes, only a fence is answered at once.
  auto drain = [&] {
    EXPECT_TRUE(stream_->Fence().ok());
    return Drain();
  };
  EXPECT_THAT(drain(), ElementsAre());
  Run("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); INSERT INTO p VALUES (1, 'a')");
  EXPECT_THAT(drain(), ElementsAre("parts public.p1", "+ 1,a"));
  Run("BEGIN; CREATE TABLE p2 (LIKE p INCLUDING ALL); INSERT INTO p2 VALUES (11, 'b'); ALTER TABLE "
      "p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20); UPDATE p SET v = 'c'; COMMIT");
  EXPECT_THAT(drain(), ElementsAre("~ 1,c", "parts public.p1 public.p2*", "~ 11,c"));
  Run("ALTER TABLE p DETACH PARTITION p2; INSERT INTO p2 VALUES (12, 'alone')");
  EXPECT_THAT(drain(), ElementsAre());
  Run("ALTER TABLE q ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20); UPDATE p2 SET v = 'd' WHERE "
      "id = 12");
  EXPECT_THAT(drain(), ElementsAre("parts public.p1", "parts public.p2*", "~ 12,d"));
  Run("CREATE TABLE s (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE s1 "
      "PARTITION OF s FOR VALUES FROM (20) TO (30); INSERT INTO s VALUES (21, 's'); ALTER TABLE q "
      "ATTACH PARTITION s FOR VALUES FROM (20) TO (30); DELETE FROM q WHERE id = 21");
  EXPECT_THAT(drain(), ElementsAre("parts public.p2* public.s1*", "- 21,-"));
  Run("DROP TABLE p1");
  Run("INSERT INTO q VALUES (22, 'e')");
  EXPECT_THAT(drain(), ElementsAre("+ 22,e"));
  ASSERT_TRUE(stream_->Watch({Shape("p"), Shape("q")}).ok());
  EXPECT_THAT(drain(), ElementsAre("parts"));
}

TEST_F(StreamTest, ATableThatBecomesAPartitionAndBack) {
  Run("CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE t (LIKE p "
      "INCLUDING ALL)");
  Open({"p", "t"});
  Run("INSERT INTO t VALUES (1, 'own')");
  EXPECT_THAT(Drain(), ElementsAre("+ 1,own"));
  Run("ALTER TABLE p ATTACH PARTITION t FOR VALUES FROM (0) TO (10); INSERT INTO p VALUES (2, "
      "'p')");
  auto event = stream_->Next(In(kPatience));
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(std::get<record::PartitionsSeen>(std::get<record::TableEvent>(*event)).table,
            Shape("p")->id);
  event = stream_->Next(In(kPatience));
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(std::get<record::ChangeBatch>(std::get<record::TableEvent>(*event)).shape->id,
            Shape("p")->id)
      << "the table's, though the other is still followed";
  ASSERT_TRUE(stream_->Watch({Shape("p")}).ok());
  Run("ALTER TABLE p DETACH PARTITION t");
  ASSERT_TRUE(stream_->Watch({Shape("p"), Shape("t")}).ok());
  Run("INSERT INTO t VALUES (3, 'own again')");
  EXPECT_THAT(Drain(), ElementsAre("parts", "+ 3,own again"));
}

TEST_F(StreamTest, APartitionIsFollowedByItsOwnName) {
  Run("CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE p1 "
      "PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM "
      "(10) TO (20); INSERT INTO p VALUES (5, 'before'), (15, 'before')");
  Open({"p1"});
  Run("INSERT INTO p VALUES (1, 'a'), (11, 'b'); UPDATE p SET id = 12 WHERE id = 1; UPDATE p1 SET "
      "v "
      "= 'c'");
  EXPECT_THAT(Drain(), ElementsAre("+ 1,a", "- 1,-", "~ 5,c"));
  Run("TRUNCATE p");
  EXPECT_THAT(Drain(), ElementsAre("truncate"));
  stream_.reset();
  ASSERT_TRUE(source_->Forget().ok());
  config_.publication_given = true;
  auto problem = [&] {
    OpenSource();
    auto listings = source_->ListTables();
    EXPECT_TRUE(listings.ok()) << listings.status().ToString();
    for (const auto& listing : *listings) {
      if (listing.name.table == "p1") return listing.problem;
    }
    return Status::Ok();
  };
  std::string name = QuoteIdentifier(config_.publication);
  Run("CREATE PUBLICATION " + name + " FOR TABLE p WITH (publish_via_partition_root = true)");
  Status refused = problem();
  EXPECT_TRUE(refused.Is(ErrorClass::PARTITION_OF_ANOTHER)) << refused.ToString();
  Run("ALTER PUBLICATION " + name + " SET (publish_via_partition_root = false)");
  EXPECT_TRUE(problem().ok()) << problem().ToString();
}

TEST_F(StreamTest, ColumnsAreAddedToPartitions) {
  Run("CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE p1 "
      "PARTITION OF p FOR VALUES FROM (0) TO (10)");
  Run("CREATE TABLE p2 (v text, id int NOT NULL); ALTER TABLE p ATTACH PARTITION p2 FOR VALUES "
      "FROM (10) TO (20)");
  Open({"p"});
  Run("INSERT INTO p VALUES (1, 'a'), (11, 'a'); ALTER TABLE p ADD COLUMN w int; INSERT INTO p "
      "VALUES (12, 'b', 5), (2, 'b', 6)");
  EXPECT_THAT(Drain(), ElementsAre("parts public.p1 public.p2", "+ 1,a", "+ 11,a", "shape w",
                                   "+ 12,b,5", "+ 2,b,6"));
  Run("ALTER TABLE p ADD COLUMN x int DEFAULT 7; ALTER TABLE p ALTER COLUMN x DROP DEFAULT; INSERT "
      "INTO p VALUES (3, 'c', 7)");
  EXPECT_THAT(Drain(), ElementsAre("shape x filled", "+ 3,c,7,-"))
      << "the old rows of the partitions hold 7, which no change tells";
}

TEST_F(StreamTest, AGivenPublicationMaySendPartitionsUnderEitherName) {
  Run("CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE p1 "
      "PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM "
      "(10) TO (20)");
  config_.publication_given = true;
  for (const char* via_root : {"true", "false"}) {
    Run(fmt::format("CREATE PUBLICATION \"{}\" FOR TABLE p WITH (publish_via_partition_root = {})",
                    config_.publication, via_root));
    OpenSource();
    bool hides = std::string(via_root) == "true";
    auto findings = source_->Check();
    EXPECT_EQ(findings.size(), hides ? 1U : 0U);
    for (const auto& finding : findings) EXPECT_FALSE(finding.fatal);
    ASSERT_TRUE(OpenStream({"p"}).ok());
    Run("INSERT INTO p VALUES (1, 'a'); UPDATE p SET id = 11; DELETE FROM p; TRUNCATE p");
    EXPECT_THAT(Drain(), ElementsAre("parts public.p1 public.p2", "+ 1,a", "- 1,-", "+ 11,a",
                                     "- 11,-", "truncate"));
    auto before = source_->ListTables();
    Run("INSERT INTO p VALUES (2, 'a'); TRUNCATE p1");
    auto after = source_->ListTables();
    ASSERT_TRUE(before.ok() && after.ok());
    EXPECT_EQ(before->at(0).partitions->at(0).id != after->at(0).partitions->at(0).id, hides)
        << "where the log hides the truncate, the file tells";
    stream_.reset();
    Status forgotten = source_->Forget();
    ASSERT_TRUE(forgotten.ok()) << forgotten.ToString();
    Run(fmt::format("DROP PUBLICATION \"{}\"", config_.publication));
  }
  Run(fmt::format("CREATE PUBLICATION \"{}\" FOR TABLE p1, p2", config_.publication));
  auto listings = source_->ListTables();
  ASSERT_TRUE(listings.ok());
  EXPECT_TRUE(listings->at(0).problem.Is(ErrorClass::PUBLICATION_MISSING))
      << "a partition made later would not be in it";
}

TEST_F(StreamTest, AKeylessPartitionedTableNeedsAPublicationOfTheUsers) {
  Run("CREATE TABLE p (id int, v text) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR "
      "VALUES FROM (0) TO (10); ALTER TABLE p REPLICA IDENTITY FULL; ALTER TABLE p1 REPLICA "
      "IDENTITY FULL");
  OpenSource();
  EXPECT_TRUE(source_->ListTables()->at(0).unlogged.Is(ErrorClass::TABLE_NO_IDENTITY));
  config_.publication_given = true;
  Run(fmt::format("CREATE PUBLICATION \"{}\" FOR TABLE p", config_.publication));
  Open({"p"});
  Run("INSERT INTO p VALUES (1, 'a'), (1, 'a'); UPDATE p SET v = 'b' WHERE ctid = '(0,1)'; DELETE "
      "FROM p WHERE v = 'a'");
  EXPECT_THAT(Drain(), ElementsAre("parts public.p1", "+ 1,a", "+ 1,a", "- 1,a", "+ 1,b", "- 1,a"));
  Run("CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20)");
  Status later = source_->ListTables()->at(0).unlogged;
  EXPECT_TRUE(later.Is(ErrorClass::TABLE_NO_IDENTITY)) << later.ToString();
  EXPECT_THAT(std::string(later.message()), HasSubstr("public.p2"));
}

}  // namespace
}  // namespace freshet::sources::postgres
