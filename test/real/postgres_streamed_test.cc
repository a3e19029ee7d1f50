// SPDX-License-Identifier: Apache-2.0
// Transactions that a real server streams before they end.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>

#include "postgres_stream_fixture.h"

namespace freshet::sources::postgres {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// A server that streams whatever is larger than 64 kB.
class StreamedServerTest : public StreamTest {
 protected:
  void SetUp() override {
    StreamTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    if (session_->server_version() < 140000)
      GTEST_SKIP() << "the server streams from version 14 on";
    config_.scratch_folder = std::filesystem::temp_directory_path().string();
    config_.parameters.emplace_back("options", "-c logical_decoding_work_mem=64kB");
    other_ = NewSession();
    flusher_ = NewSession();
    Run("CREATE TABLE t (id int PRIMARY KEY, n int, v text)");
  }
  void RunOther(const std::string& sql) {
    Status status = other_->Execute(sql);
    ASSERT_TRUE(status.ok()) << sql << "\n" << status.ToString();
  }
  /// Rows of half a kilobyte: 300 of them are more than the server keeps.
  static std::string Insert(int first, int last, const std::string& table = "t") {
    return fmt::format(
        "INSERT INTO {} SELECT i, 0, repeat('x', 500) FROM generate_series({}, {}) i;", table,
        first, last);
  }
  /// The lines of a drain, each run of 'x' as one and neighbours that differ in growing ids only as
  /// one: `+ 1..300,0,x`.
  std::vector<std::string> Brief() {
    // What an open transaction wrote is flushed up to a whole page, in the middle of a record, and
    // the server then says for up to half a minute that it has not sent it all; a commit flushes.
    EXPECT_TRUE(flusher_->Execute("SELECT pg_logical_emit_message(true, 'a', 'b')").ok());
    EXPECT_TRUE(stream_->Fence().ok());
    std::vector<std::string> brief;
    std::string head, tail;
    int first = 0, last = 0;
    auto close = [&] {
      if (head.empty()) return;
      std::string ids = fmt::format("{}", first);
      if (last != first) ids += fmt::format("..{}", last);
      brief.push_back(head + ids + tail);
      head.clear();
    };
    for (std::string line : Drain()) {
      line.erase(std::unique(line.begin(), line.end(),
                             [](char a, char b) { return a == 'x' && b == 'x'; }),
                 line.end());
      size_t comma = line.find(',');
      if (comma == line.npos || line[1] != ' ') {
        close();
        brief.push_back(line);
        continue;
      }
      int id = std::stoi(line.substr(2, comma - 2));
      if (head != line.substr(0, 2) || tail != line.substr(comma) || id != last + 1) {
        close();
        head = line.substr(0, 2);
        tail = line.substr(comma);
        first = id;
      }
      last = id;
    }
    close();
    return brief;
  }
  /// Wait until the server says that it streamed, or the test proves nothing.
  void ExpectStreamed() {
    Await("SELECT stream_txns > 0 FROM pg_stat_replication_slots WHERE slot_name = '" +
          config_.slot + "'");
  }

  std::unique_ptr<Connection> other_, flusher_;
};

TEST_F(StreamedServerTest, TransactionsInTurnsComeInTheOrderOfTheirCommits) {
  Open({"t"});
  Run("BEGIN;" + Insert(1, 300));
  RunOther("BEGIN;" + Insert(1001, 1300));
  // Idle: what is not committed is nothing to wait for.
  EXPECT_THAT(Brief(), IsEmpty());
  Run(Insert(301, 600));
  RunOther(Insert(1301, 1600));
  EXPECT_THAT(Brief(), IsEmpty());
  RunOther("COMMIT");
  Run(Insert(601, 700));
  EXPECT_THAT(Brief(), ElementsAre("+ 1001..1600,0,x"));
  RunOther("INSERT INTO t VALUES (5000, 1, 'small')");
  Run("COMMIT");
  EXPECT_THAT(Brief(), ElementsAre("+ 5000,1,small", "+ 1..700,0,x"));
  ExpectStreamed();
}

TEST_F(StreamedServerTest, WhatIsRolledBackToASavepointNeverComes) {
  Open({"t"});
  // The table is described first within what is rolled back.
  Run("BEGIN; SAVEPOINT a;" + Insert(1, 300));
  EXPECT_THAT(Brief(), IsEmpty());
  Run("ROLLBACK TO a; SAVEPOINT b;" + Insert(1001, 1300) + "SAVEPOINT c;" + Insert(2001, 2300) +
      "RELEASE c; SAVEPOINT d;" + Insert(3001, 3300));
  EXPECT_THAT(Brief(), IsEmpty());
  Run("ROLLBACK TO d;" + Insert(4001, 4300) + "RELEASE b; SAVEPOINT e;" + Insert(5001, 5300) +
      "SAVEPOINT f;" + Insert(6001, 6300) + "RELEASE f;");
  EXPECT_THAT(Brief(), IsEmpty());
  Run("ROLLBACK TO e;" + Insert(7001, 7300) + "COMMIT");
  EXPECT_THAT(Brief(), ElementsAre("+ 1001..1300,0,x", "+ 2001..2300,0,x", "+ 4001..4300,0,x",
                                   "+ 7001..7300,0,x"));
  ExpectStreamed();
}

TEST_F(StreamedServerTest, WhatWasSpilledBeforeItWasStreamedAndRolledBackNeverComes) {
  // A large value's pieces come before its row, so the server cannot stream and spills. Once it has
  // read more than 4,096 spilled changes back it takes the subtransaction for one of which it never
  // sent anything, unless something makes it look up how that ended.
  config_.parameters.back().second = "-c logical_decoding_work_mem=9MB";
  Run("ALTER TABLE t ALTER v SET STORAGE EXTERNAL;"
      "INSERT INTO t SELECT i, 0 FROM generate_series(1, 1300) i");
  Open({"t"});
  Run("UPDATE t SET v = repeat('x', 9000) WHERE id = 1");
  EXPECT_THAT(Brief(), ElementsAre("~ 1,0,x"));
  Run("BEGIN; SAVEPOINT a; UPDATE t SET v = repeat('x', 9000); ROLLBACK TO a;"
      "SAVEPOINT b; UPDATE t SET v = repeat('x', 9000) WHERE id BETWEEN 201 AND 300; RELEASE b;"
      "UPDATE t SET n = 1 WHERE id = 7; COMMIT");
  EXPECT_THAT(Brief(), ElementsAre("~ 201..300,0,x", "~ 7,1,-"));
  // From 18 on it sends nothing of what it knows was rolled back.
  if (session_->server_version() < 180000) ExpectStreamed();
}

TEST_F(StreamedServerTest, ADescriptionCountsThoughItCameWithinWhatIsRolledBackUntold) {
  // As above, but the server learns that it was rolled back only after it sent the rows, and does
  // not describe the table again.
  config_.parameters.back().second = "-c logical_decoding_work_mem=9MB";
  Run("ALTER TABLE t ALTER v SET STORAGE EXTERNAL;"
      "INSERT INTO t SELECT i, 0 FROM generate_series(1, 1300) i");
  Open({"t"});
  Run("BEGIN; SAVEPOINT a; UPDATE t SET v = repeat('x', 9000)");
  EXPECT_THAT(Brief(), IsEmpty());
  ExpectStreamed();
  Run("ROLLBACK TO a; UPDATE t SET n = 1 WHERE id = 7; COMMIT");
  EXPECT_THAT(Brief(), ElementsAre("~ 7,1,-"));
  Run("UPDATE t SET n = 2 WHERE id = 8");
  EXPECT_THAT(Brief(), ElementsAre("~ 8,2,-"));
}

TEST_F(StreamedServerTest, WhatIsRolledBackAsAWholeNeverComes) {
  Open({"t"});
  Run("BEGIN;" + Insert(1, 300));
  RunOther("BEGIN;" + Insert(1001, 1300));
  EXPECT_THAT(Brief(), IsEmpty());
  Run("ROLLBACK");
  RunOther("COMMIT");
  Run("INSERT INTO t VALUES (1, 2, 'y')");
  EXPECT_THAT(Brief(), ElementsAre("+ 1001..1300,0,x", "+ 1,2,y"));
  ExpectStreamed();
}

TEST_F(StreamedServerTest, AShapeCountsFromItsCommitOn) {
  Run("CREATE TABLE u (id int PRIMARY KEY, n int)");
  Open({"t", "u"});
  Run("BEGIN;" + Insert(1, 300) + "ALTER TABLE t ADD COLUMN c int;" +
      "INSERT INTO t SELECT i, 0, repeat('x', 500), 7 FROM generate_series(301, 600) i;" +
      "SAVEPOINT a; ALTER TABLE t ADD COLUMN d int;" +
      "INSERT INTO t SELECT i, 0, repeat('x', 500), 7, 8 FROM generate_series(601, 900) i");
  RunOther("INSERT INTO u VALUES (1, 1)");
  EXPECT_THAT(Brief(), ElementsAre("+ 1,1"));
  Run("ROLLBACK TO a;" +
      std::string(
          "INSERT INTO t SELECT i, 0, repeat('x', 500), 9 FROM generate_series(901, 1200) i"));
  RunOther("INSERT INTO u VALUES (2, 2)");
  EXPECT_THAT(Brief(), ElementsAre("+ 2,2"));
  Run("COMMIT");
  EXPECT_THAT(Brief(),
              ElementsAre("+ 1..300,0,x", "shape c", "+ 301..600,0,x,7", "+ 901..1200,0,x,9"));
  ExpectStreamed();
}

TEST_F(StreamedServerTest, EveryKindOfChangeWithinOne) {
  Run("CREATE TABLE big (id int PRIMARY KEY, n int, v text); ALTER TABLE big ALTER v SET STORAGE "
      "EXTERNAL; INSERT INTO big SELECT i, 0, repeat('x', 3000) FROM generate_series(1, 3) i;"
      "CREATE TABLE p (r int, id int, PRIMARY KEY (r, id)) PARTITION BY LIST (r); CREATE TABLE p1 "
      "PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);"
      "INSERT INTO p VALUES (1, 1); INSERT INTO t VALUES (-1, 0, 'gone')");
  Open({"t", "big", "p"});
  Brief();
  Run("BEGIN;" + Insert(1, 300) + "TRUNCATE t;" + Insert(1, 300) +
      "UPDATE t SET id = 5000 WHERE id = 7; DELETE FROM t WHERE id = 8;"
      "UPDATE big SET n = 1 WHERE id = 1; UPDATE big SET id = 9 WHERE id = 2;"
      "UPDATE p SET r = 2; SELECT pg_logical_emit_message(true, 'p', repeat('m', 100000));" +
      Insert(301, 600));
  EXPECT_THAT(Brief(), IsEmpty());
  Run("COMMIT");
  // Tables stand in no order among each other.
  auto lines = Brief();
  std::vector<std::string> of_t, others;
  for (const auto& line : lines) {
    bool rest = line.find(",0,x") == line.npos && line != "truncate" && line != "- 7,-,-" &&
                line != "- 8,-,-";
    (rest ? others : of_t).push_back(line);
  }
  EXPECT_THAT(of_t, ElementsAre("+ 1..300,0,x", "truncate", "+ 1..300,0,x", "- 7,-,-", "+ 5000,0,x",
                                "- 8,-,-", "+ 301..600,0,x"));
  EXPECT_THAT(others,
              testing::UnorderedElementsAre("~ 1,1,?", "- 2,-,-", "+ 9,0,?", "- 1,1", "+ 2,1"));
  ExpectStreamed();
}

TEST_F(StreamedServerTest, OneThatIsOpenWhenTheStreamEndsIsSentAgain) {
  Open({"t"});
  Run("BEGIN;" + Insert(1, 300));
  RunOther("INSERT INTO t VALUES (1000, 1, 'a')");
  EXPECT_THAT(Brief(), ElementsAre("+ 1000,1,a"));
  Run(Insert(301, 600));
  RunOther("INSERT INTO t VALUES (1001, 1, 'b')");
  EXPECT_THAT(Brief(), ElementsAre("+ 1001,1,b"));
  // A position past what was streamed, which is committed only after it.
  ASSERT_TRUE(stream_->Acknowledge(cursor_).ok());
  auto durable = FromCursor(cursor_);
  ASSERT_TRUE(durable.ok());
  for (auto end = In(kPatience);
       Confirmed() < durable->lsn && std::chrono::steady_clock::now() < end;) {
  }
  stream_.reset();
  RunOther("INSERT INTO t VALUES (1002, 1, 'c')");
  ASSERT_TRUE(OpenStream({"t"}, cursor_).ok());
  EXPECT_THAT(Brief(), ElementsAre("+ 1002,1,c"));
  stream_.reset();
  Run(Insert(601, 900) + "COMMIT");
  ASSERT_TRUE(OpenStream({"t"}, cursor_).ok());
  EXPECT_THAT(Brief(), ElementsAre("+ 1..900,0,x"));
  ASSERT_TRUE(stream_->Acknowledge(cursor_).ok());
  stream_.reset();
  ASSERT_TRUE(OpenStream({"t"}, cursor_).ok());
  EXPECT_THAT(Brief(), IsEmpty());
  ExpectStreamed();
}

TEST_F(StreamedServerTest, APreparedOneComesWhenItIsCommitted) {
  if (Ask("SHOW max_prepared_transactions") == "0") GTEST_SKIP() << "none can be prepared here";
  Open({"t"});
  Run("BEGIN;" + Insert(1, 300) + "PREPARE TRANSACTION '" + database_ + "'");
  RunOther("BEGIN;" + Insert(1001, 1300) + "PREPARE TRANSACTION '" + database_ + "_other'");
  EXPECT_THAT(Brief(), IsEmpty());
  Run("ROLLBACK PREPARED '" + database_ + "_other'");
  Run("COMMIT PREPARED '" + database_ + "'");
  EXPECT_THAT(Brief(), ElementsAre("+ 1..300,0,x"));
  ExpectStreamed();
}

TEST_F(StreamedServerTest, WithoutScratchTheServerKeepsThem) {
  config_.scratch_folder.clear();
  Open({"t"});
  Run("BEGIN;" + Insert(1, 300));
  EXPECT_THAT(Brief(), IsEmpty());
  Run("COMMIT");
  EXPECT_THAT(Brief(), ElementsAre("+ 1..300,0,x"));
}

}  // namespace
}  // namespace freshet::sources::postgres
