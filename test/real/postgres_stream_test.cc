// SPDX-License-Identifier: Apache-2.0
// The change stream of a real server.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "postgres_stream_fixture.h"

namespace freshet::sources::postgres {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(StreamTest, EveryKindOfChange) {
  Run("CREATE TABLE t (id int PRIMARY KEY, v text, n numeric(10,2), at timestamptz)");
  Open({"t"});
  EXPECT_THAT(Drain(), ElementsAre());
  Run("INSERT INTO t VALUES (1, 'a', 1.5, '2024-01-01 00:00:00+00'), (2, NULL, NULL, NULL)");
  Run("UPDATE t SET v = 'b' WHERE id = 1");
  Run("UPDATE t SET id = 3 WHERE id = 2");
  Run("DELETE FROM t WHERE id = 1");
  Run("BEGIN; INSERT INTO t VALUES (9); ROLLBACK");
  Run("TRUNCATE t");
  Run("INSERT INTO t VALUES (4, 'after')");
  EXPECT_THAT(Drain(), ElementsAre("+ 1,a,1.50,2024-01-01 00:00:00.000000Z", "+ 2,-,-,-",
                                   "~ 1,b,1.50,2024-01-01 00:00:00.000000Z", "- 2,-,-,-",
                                   "+ 3,-,-,-", "- 1,-,-,-", "truncate", "+ 4,after,-,-"));
}

TEST_F(StreamTest, UnchangedToastIsMissingAndFilledInUnderFull) {
  Run("CREATE TABLE t (id int PRIMARY KEY, n int, big text); ALTER TABLE t ALTER big SET STORAGE "
      "EXTERNAL");
  Run("CREATE TABLE f (id int PRIMARY KEY, n int, big text); ALTER TABLE f ALTER big SET STORAGE "
      "EXTERNAL; ALTER TABLE f REPLICA IDENTITY FULL");
  Run("INSERT INTO t VALUES (1, 0, repeat('x', 3000)); INSERT INTO f SELECT * FROM t");
  Open({"t", "f"});
  Run("UPDATE t SET n = 1");
  Run("UPDATE t SET id = 2");
  EXPECT_THAT(Drain(), ElementsAre("~ 1,1,?", "- 1,-,-", "+ 2,1,?"));
  Run("UPDATE f SET n = 1");
  EXPECT_THAT(Drain(), ElementsAre("~ 1,1," + std::string(3000, 'x')));
  Run("UPDATE f SET id = 7");
  EXPECT_THAT(Drain(), ElementsAre("- 1,-,-", "+ 7,1," + std::string(3000, 'x')));
}

TEST_F(StreamTest, ToastedKeyThatDidNotChangeIsAnUpdate) {
  Run("CREATE TABLE t (k text PRIMARY KEY, n int); ALTER TABLE t ALTER k SET STORAGE EXTERNAL; "
      "INSERT INTO t VALUES (repeat('k', 2200), 0)");
  Open({"t"});
  Run("UPDATE t SET n = 1");
  EXPECT_THAT(Drain(), ElementsAre("~ " + std::string(2200, 'k') + ",1"));
}

TEST_F(StreamTest, KeylessTableSendsWholeRows) {
  Run("CREATE TABLE t (a int, b text); ALTER TABLE t REPLICA IDENTITY FULL; INSERT INTO t VALUES "
      "(1, 'x'), (1, 'x')");
  Open({"t"});
  Run("UPDATE t SET b = 'y' WHERE ctid = '(0,1)'; DELETE FROM t WHERE b = 'x'");
  EXPECT_THAT(Drain(), ElementsAre("- 1,x", "+ 1,y", "- 1,x"));
}

TEST_F(StreamTest, SomeChangesOfColumnsAreFollowedOthersFailTheirTableOnly) {
  for (const char* table : {"a", "d", "r", "g", "y", "k", "n", "ok"})
    Run(fmt::format("CREATE TABLE {} (id int PRIMARY KEY, v int)", table));
  Open({"a", "d", "r", "g", "y", "k", "n", "ok"});
  auto change = [&](const std::string& table, const std::string& sql) {
    Run(sql);
    Run("INSERT INTO " + table + " (id) VALUES (7)");
    return Drain();
  };
  EXPECT_THAT(change("a", "ALTER TABLE a ADD COLUMN w text"), ElementsAre("shape w", "+ 7,-,-"));
  EXPECT_THAT(change("d", "ALTER TABLE d ADD COLUMN w int DEFAULT 7"),
              ElementsAre("shape w filled", "+ 7,-,7"));
  EXPECT_THAT(change("r", "ALTER TABLE r RENAME COLUMN v TO w"), ElementsAre("shape w", "+ 7,-"));
  EXPECT_THAT(change("g", "ALTER TABLE g DROP COLUMN v"), ElementsAre("shape id", "+ 7"));
  EXPECT_THAT(change("y", "ALTER TABLE y ALTER COLUMN v TYPE text"),
              ElementsAre("failed SHAPE_CHANGE_UNSUPPORTED"));
  EXPECT_THAT(change("k",
                     "ALTER TABLE k DROP CONSTRAINT k_pkey; ALTER TABLE k ADD PRIMARY KEY (id, v); "
                     "ALTER TABLE k ALTER v SET DEFAULT 1"),
              ElementsAre("failed KEY_CHANGED"));
  EXPECT_THAT(change("n2", "ALTER TABLE n RENAME TO n2"), ElementsAre("+ 7,-"));
  Run("INSERT INTO y VALUES (8); INSERT INTO ok VALUES (1, 1)");
  EXPECT_THAT(Drain(), ElementsAre("+ 1,1"));
}

TEST_F(StreamTest, DropAndAddOfTheSameColumnIsNoticed) {
  Run("CREATE TABLE t (id int PRIMARY KEY, v int)");
  Open({"t"});
  Run("INSERT INTO t VALUES (1, 1)");
  EXPECT_THAT(Drain(), ElementsAre("+ 1,1"));
  Run("ALTER TABLE t DROP COLUMN v; ALTER TABLE t ADD COLUMN v int; INSERT INTO t VALUES (2, 2)");
  EXPECT_THAT(Drain(), ElementsAre("failed SHAPE_CHANGE_UNSUPPORTED"));
}

TEST_F(StreamTest, ColumnsChangeWhileTheStreamIsBehind) {
  Run("CREATE TABLE t (id int PRIMARY KEY, v text, n int)");
  Open({"t"});
  Run("INSERT INTO t VALUES (1, 'a', 1); ALTER TABLE t DROP COLUMN v; INSERT INTO t VALUES (2, 2)");
  Run("ALTER TABLE t RENAME n TO m; INSERT INTO t VALUES (3, 3)");
  Run("ALTER TABLE t ADD COLUMN v text; INSERT INTO t VALUES (4, 4, 'b'); DELETE FROM t WHERE id = "
      "1");
  EXPECT_THAT(Drain(), ElementsAre("+ 1,a,1", "shape n", "+ 2,2", "shape m", "+ 3,3", "shape v",
                                   "+ 4,4,b", "- 1,-,-"));
}

TEST_F(StreamTest, DeselectedColumnsAreNotDecoded) {
  config_.columns = *ColumnSelection::Parse(R"([{"exclude_columns": ["v"]}])");
  Run("CREATE TABLE t (id int PRIMARY KEY, v text, n int)");
  Open({"t"});
  Run("INSERT INTO t VALUES (1, 'a', 1); UPDATE t SET v = 'b'; ALTER TABLE t ADD COLUMN w int; "
      "INSERT INTO t VALUES (2, 'c', 2, 3)");
  EXPECT_THAT(Drain(), ElementsAre("+ 1,1", "~ 1,1", "shape w", "+ 2,2,3"));
}

TEST_F(StreamTest, ResumesExactlyAtTheCursor) {
  Run("CREATE TABLE t (id int PRIMARY KEY)");
  Open({"t"});
  Run("INSERT INTO t VALUES (1)");
  EXPECT_THAT(Drain(), ElementsAre("+ 1"));
  ASSERT_TRUE(stream_->Acknowledge(cursor_).ok());
  record::Cursor first = cursor_;
  Run("INSERT INTO t VALUES (2)");
  EXPECT_THAT(Drain(), ElementsAre("+ 2"));
  stream_.reset();
  Run("INSERT INTO t VALUES (3)");
  ASSERT_TRUE(OpenStream({"t"}, first).ok());
  EXPECT_EQ(stream_->Start(), first);
  EXPECT_THAT(Drain(), ElementsAre("+ 2", "+ 3"));
}

TEST_F(StreamTest, WhatWasAcknowledgedLastIsToldBeforeTheEnd) {
  Run("CREATE TABLE t (id int PRIMARY KEY)");
  for (int round = 1; round <= 5; ++round) {
    record::Cursor from = cursor_;
    OpenSource();
    ASSERT_TRUE(OpenStream({"t"}, from).ok());
    Run(fmt::format("INSERT INTO t VALUES ({})", round));
    EXPECT_THAT(Drain(), ElementsAre(fmt::format("+ {}", round)));
    ASSERT_TRUE(stream_->Acknowledge(cursor_).ok());
    stream_.reset();
    auto durable = FromCursor(cursor_);
    ASSERT_TRUE(durable.ok());
    for (auto end = In(kPatience);
         Confirmed() < durable->lsn && std::chrono::steady_clock::now() < end;) {
    }
    EXPECT_EQ(Confirmed(), durable->lsn);
  }
}

TEST_F(StreamTest, SlotLostOrMovedIsAnErrorNeverASkip) {
  Run("CREATE TABLE t (id int PRIMARY KEY)");
  Open({"t"});
  Run("INSERT INTO t VALUES (1)");
  Drain();
  record::Cursor durable = cursor_;
  stream_.reset();
  Run("INSERT INTO t VALUES (2)");
  AwaitFreeSlot();
  Run("SELECT pg_replication_slot_advance('" + config_.slot + "', pg_current_wal_lsn())");
  Status moved = OpenStream({"t"}, durable);
  EXPECT_TRUE(moved.Is(ErrorClass::SLOT_MOVED)) << moved.ToString();
  Run("SELECT pg_drop_replication_slot('" + config_.slot + "')");
  EXPECT_TRUE(OpenStream({"t"}, durable).Is(ErrorClass::SLOT_LOST));
  record::Cursor foreign{"0/1 epoch=1 source=12345-1"};
  EXPECT_TRUE(OpenStream({"t"}, foreign).Is(ErrorClass::SOURCE_CHANGED));
}

TEST_F(StreamTest, OurOwnLeftOverSessionIsEndedAForeignOneIsNot) {
  Run("CREATE TABLE t (id int PRIMARY KEY)");
  Open({"t"});
  Drain();
  // The former stream still reads the slot, as a dead process's session would.
  auto former = std::move(stream_);
  Status status = OpenStream({"t"}, cursor_);
  EXPECT_TRUE(status.ok()) << status.ToString();
  Run("INSERT INTO t VALUES (1)");
  EXPECT_THAT(Drain(), ElementsAre("+ 1"));
  former.reset();
  stream_.reset();
  Config foreign = config_;
  auto connection = Connection::Connect(foreign, Connection::Mode::kReplication);
  ASSERT_TRUE(connection.ok());
  ASSERT_TRUE((*connection)->Execute("SET application_name = 'someone'").ok());
  AwaitFreeSlot();
  std::string start = "START_REPLICATION SLOT " + config_.slot +
                      " LOGICAL 0/0 (proto_version '1', publication_names '" + config_.publication +
                      "')";
  Rows started(PQexec((*connection)->handle(), start.c_str()));
  ASSERT_EQ(PQresultStatus(started.handle()), PGRES_COPY_BOTH);
  status = OpenStream({"t"}, cursor_);
  EXPECT_TRUE(status.Is(ErrorClass::SLOT_IN_USE)) << status.ToString();
}

TEST_F(StreamTest, PositionMovesWhileTheTablesAreIdle) {
  Run("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (id int)");
  Open({"t"});
  Run("INSERT INTO other SELECT generate_series(1, 1000)");
  Lsn before = Confirmed();
  bool moved = false;
  auto end = In(kPatience);
  while (!moved && std::chrono::steady_clock::now() < end) {
    auto event = stream_->Next(In(std::chrono::milliseconds(500)));
    ASSERT_TRUE(event.ok());
    auto* commit = std::get_if<record::Commit>(&*event);
    if (commit == nullptr) continue;
    ASSERT_TRUE(stream_->Acknowledge(commit->cursor).ok());
    moved = true;
  }
  ASSERT_TRUE(moved);
  while (Confirmed() == before && std::chrono::steady_clock::now() < end) {
  }
  EXPECT_GT(Confirmed(), before);
}

TEST_F(StreamTest, SessionLivesWhileNobodyReads) {
  config_.parameters.emplace_back("options", "-c wal_sender_timeout=5s");
  ASSERT_EQ(NewSession()->Query("SHOW wal_sender_timeout")->text(0, 0), "5s");
  Run("CREATE TABLE t (id int PRIMARY KEY, v text)");
  Open({"t"});
  Drain();
  // Far more than the queue and the socket hold.
  Run("INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 60000) i");
  Run("SELECT pg_sleep(8)");
  int64_t rows = 0;
  while (true) {
    auto event = stream_->Next(In(kPatience));
    ASSERT_TRUE(event.ok()) << event.status().ToString();
    if (std::holds_alternative<record::Idle>(*event)) break;
    ASSERT_FALSE(std::holds_alternative<record::Nothing>(*event));
    if (auto* table = std::get_if<record::TableEvent>(&*event)) {
      auto* batch = std::get_if<record::ChangeBatch>(table);
      ASSERT_NE(batch, nullptr);
      rows += batch->rows->num_rows();
    }
  }
  EXPECT_EQ(rows, 60000);
}

TEST_F(StreamTest, WatchAddsAndLeavesTables) {
  Run("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)");
  Open({"a"});
  Run("INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)");
  EXPECT_THAT(Drain(), ElementsAre("+ 1"));
  ASSERT_TRUE(stream_->Watch({Shape("a"), Shape("b")}).ok());
  Run("INSERT INTO b VALUES (2)");
  EXPECT_THAT(Drain(), ElementsAre("+ 2"));
  ASSERT_TRUE(stream_->Watch({Shape("b")}).ok());
  Run("INSERT INTO a VALUES (3); INSERT INTO b VALUES (4)");
  EXPECT_THAT(Drain(), ElementsAre("+ 4"));
  EXPECT_EQ(Ask("SELECT string_agg(tablename, ',') FROM pg_publication_tables WHERE pubname = '" +
                config_.publication + "'"),
            "b");
}

TEST_F(StreamTest, ATableThatLostItsIdentityLeavesThePublication) {
  Run("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)");
  Open({"a", "b"});
  auto shapes = std::vector{Shape("a"), Shape("b")};
  Run("ALTER TABLE a DROP CONSTRAINT a_pkey");
  ASSERT_TRUE(stream_->Watch(shapes).ok());
  EXPECT_THAT(Drain(), ElementsAre("failed TABLE_NO_IDENTITY"));
  Run("INSERT INTO a VALUES (1); UPDATE a SET id = 2");
  // Where no message comes, only a fence is answered at once.
  EXPECT_TRUE(stream_->Fence().ok());
  EXPECT_THAT(Drain(), ElementsAre());
}

TEST_F(StreamTest, GivenSlotAndPublicationAreNeitherMadeNorAltered) {
  Run("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)");
  config_.slot_given = config_.publication_given = true;
  OpenSource();
  EXPECT_TRUE(OpenStream({"a"}).Is(ErrorClass::PUBLICATION_MISSING));
  Run("CREATE PUBLICATION \"" + config_.publication +
      "\" FOR TABLE a WITH (publish_via_partition_root = true)");
  Status no_slot = OpenStream({"a"});
  EXPECT_TRUE(no_slot.Is(ErrorClass::SLOT_LOST)) << no_slot.ToString();
  EXPECT_THAT(std::string(no_slot.remedy()), HasSubstr("pg_create_logical_replication_slot"));
  Run("SELECT pg_create_logical_replication_slot('" + config_.slot +
      "', 'pgoutput'); INSERT INTO a VALUES (1)");
  auto listings = source_->ListTables();
  ASSERT_TRUE(listings.ok());
  EXPECT_TRUE(listings->at(0).problem.ok());
  EXPECT_TRUE(listings->at(1).problem.Is(ErrorClass::PUBLICATION_MISSING));
  ASSERT_TRUE(OpenStream({"a", "b"}).ok());
  EXPECT_THAT(Drain(), ElementsAre("failed PUBLICATION_MISSING", "+ 1"));
  stream_.reset();
  ASSERT_TRUE(source_->Forget().ok());
  EXPECT_EQ(
      Ask("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '" + config_.slot + "'"),
      "1");
}

TEST_F(StreamTest, ForgetLeavesNothing) {
  Run("CREATE TABLE a (id int PRIMARY KEY)");
  Open({"a"});
  stream_.reset();
  ASSERT_TRUE(source_->Forget().ok());
  ASSERT_TRUE(source_->Forget().ok());
  EXPECT_EQ(
      Ask("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '" + config_.slot + "'"),
      "0");
  EXPECT_EQ(Ask("SELECT count(*) FROM pg_publication"), "0");
}

TEST_F(StreamTest, FenceEndsEvenWhileWritesGoOn) {
  Run("CREATE TABLE t (id bigint PRIMARY KEY)");
  Open({"t"});
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    auto session = NewSession();
    for (int i = 0; !stop; ++i)
      (void)session->Execute("INSERT INTO t VALUES (" + std::to_string(i) + ")");
  });
  Await("SELECT count(*) > 100 FROM t");
  int64_t committed = std::atoll(Ask("SELECT count(*) FROM t").c_str());
  Status fence = stream_->Fence();
  int64_t rows = 0;
  bool idle = false;
  while (fence.ok() && !idle) {
    auto event = stream_->Next(In(kPatience));
    if (!event.ok() || std::holds_alternative<record::Nothing>(*event)) break;
    idle = std::holds_alternative<record::Idle>(*event);
    if (auto* table = std::get_if<record::TableEvent>(&*event))
      rows += std::get<record::ChangeBatch>(*table).rows->num_rows();
  }
  stop = true;
  writer.join();
  EXPECT_TRUE(idle);
  EXPECT_GE(rows, committed);
}

TEST_F(StreamTest, AFenceIsPassedSoonWhereTheFlushedLogEndsWithinARecord) {
  Run("CREATE TABLE t (id int PRIMARY KEY)");
  Open({"t"});
  // Full pages are flushed, the rest of the message is nobody's to flush. The server does it by
  // itself every 15 s, so that three times in a row are no luck.
  for (int i = 0; i < 3; ++i) {
    Run("BEGIN; SELECT pg_logical_emit_message(false, 'm', repeat('m', 100000)); ROLLBACK");
    ASSERT_TRUE(stream_->Fence().ok());
    bool idle = false;
    for (const auto end = In(std::chrono::seconds(5));
         !idle && std::chrono::steady_clock::now() < end;) {
      auto event = stream_->Next(end);
      ASSERT_TRUE(event.ok()) << event.status().ToString();
      idle = std::holds_alternative<record::Idle>(*event);
    }
    EXPECT_TRUE(idle) << "round " << i;
  }
}

TEST_F(StreamTest, AnOpenTransactionDoesNotHideThatTheSourceIsIdle) {
  Run("CREATE TABLE t (id int PRIMARY KEY)");
  Open({"t"});
  auto other = NewSession();
  ASSERT_TRUE(other->Execute("BEGIN; INSERT INTO t VALUES (5)").ok());
  Run("SET synchronous_commit = off; INSERT INTO t VALUES (1)");
  EXPECT_THAT(Drain(), ElementsAre("+ 1"));
  ASSERT_TRUE(other->Execute("COMMIT").ok());
  EXPECT_THAT(Drain(), ElementsAre("+ 5"));
}

}  // namespace
}  // namespace freshet::sources::postgres
