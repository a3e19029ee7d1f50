// SPDX-License-Identifier: Apache-2.0
// Chunks on a real server: ranges of blocks, and ranges of keys, which are planned before version
// 14 only, but read on any.
#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "postgres_fixture.h"
#include "sources/postgres/chunk_plan.h"
#include "sources/postgres/key_range.h"
#include "sources/postgres/key_sample.h"

namespace freshet::sources::postgres {
namespace {

class RangesTest : public PostgresTest {
 protected:
  /// How the table as it is now is divided by a key.
  std::optional<KeySplit> Divide(const std::string& table, int64_t chunks,
                                 const std::vector<std::string>& but = {}) {
    const auto shape = Shape(table);
    auto columns = shape->schema->field_names();
    std::erase_if(columns, [&](const auto& name) { return std::ranges::count(but, name) > 0; });
    auto leaves = ReadExtents(session_.get(), shape->id);
    EXPECT_TRUE(leaves.ok()) << leaves.status().ToString();
    if (!leaves.ok() || leaves->size() != 1) return {};
    leaf_ = leaves->front();
    auto split = DivideByKey(session_.get(), leaf_, chunks, columns);
    EXPECT_TRUE(split.ok()) << split.status().ToString();
    if (!split.ok()) return {};
    return *split;
  }
  /// The same as a plan.
  std::vector<Chunk> PlanByKey(const std::string& table, int64_t chunks) {
    auto split = Divide(table, chunks);
    if (!split) return {};
    return PlanChunks({leaf_}, false, {{leaf_.oid, *split}});
  }
  Result<std::vector<std::string>> Read(Snapshot* snapshot, const std::string& table,
                                        const Chunk& chunk) {
    auto shape = Shape(table);
    FRESHET_TRY(auto reader, snapshot->Open(shape, chunk));
    std::vector<std::string> rows;
    while (true) {
      FRESHET_TRY(auto batch, reader->Next());
      if (batch == nullptr) return rows;
      for (int64_t i = 0; i < batch->num_rows(); ++i)
        rows.push_back(RowText(*batch, i, batch->num_columns()));
    }
  }
  /// The rows of each chunk, and all of them sorted.
  struct Reading {
    std::vector<size_t> counts;
    std::vector<std::string> rows;
  };
  Reading ReadAll(Snapshot* snapshot, const std::string& table, const std::vector<Chunk>& chunks) {
    Reading reading;
    for (const auto& chunk : chunks) {
      auto rows = Read(snapshot, table, chunk);
      EXPECT_TRUE(rows.ok()) << chunk.text << ": " << rows.status().ToString();
      if (!rows.ok()) continue;
      reading.counts.push_back(rows->size());
      reading.rows.insert(reading.rows.end(), rows->begin(), rows->end());
    }
    std::ranges::sort(reading.rows);
    return reading;
  }
  std::unique_ptr<Snapshot> Begin() {
    auto snapshot = source_->BeginSnapshot();
    EXPECT_TRUE(snapshot.ok()) << snapshot.status().ToString();
    if (!snapshot.ok()) return nullptr;
    return std::move(*snapshot);
  }
  /// Check that the table, which has rows enough for as many chunks, is divided and read whole.
  void IsReadWhole(const std::string& table, int64_t chunks) {
    auto plan = PlanByKey(table, chunks);
    EXPECT_EQ(std::ssize(plan), chunks) << table;
    auto snapshot = Begin();
    auto whole =
        ReadAll(snapshot.get(), table, {{.text = fmt::format("table={} blocks=0..", leaf_.oid)}});
    EXPECT_FALSE(whole.rows.empty());
    EXPECT_EQ(ReadAll(snapshot.get(), table, plan).rows, whole.rows) << table;
  }

  Extent leaf_;
};

TEST_F(RangesTest, EveryTypeThatATableIsDividedByIsReadWhole) {
  Run("CREATE TABLE ints (k int PRIMARY KEY); INSERT INTO ints SELECT i * 1000 - 2147483648 FROM "
      "generate_series(0, 3999) i; INSERT INTO ints VALUES (2147483647)");
  Run("CREATE TABLE bigs (k bigint PRIMARY KEY); INSERT INTO bigs VALUES (-9223372036854775808), "
      "(9223372036854775807); INSERT INTO bigs SELECT i FROM generate_series(1, 4000) i");
  Run("CREATE TABLE smalls (k smallint PRIMARY KEY); INSERT INTO smalls SELECT i FROM "
      "generate_series(-2000, 2000) i");
  Run("CREATE TABLE numbers (k numeric PRIMARY KEY); INSERT INTO numbers SELECT i / 7.0 FROM "
      "generate_series(-2000, 2000) i; INSERT INTO numbers SELECT i * 1e40 FROM "
      "generate_series(1, 3000) i; INSERT INTO numbers VALUES ('NaN')");
  Run("CREATE TABLE floats (n int, k float8); CREATE INDEX ON floats (k); INSERT INTO floats "
      "SELECT 0, '-infinity' FROM generate_series(1, 900); INSERT INTO floats SELECT i, i / 3e0 "
      "FROM generate_series(-1000, 2000) i; INSERT INTO floats SELECT 1, 'infinity' FROM "
      "generate_series(1, 900); INSERT INTO floats SELECT 2, 'NaN' FROM generate_series(1, 900); "
      "INSERT INTO floats VALUES (3, '-0'), (4, '0'), (5, NULL)");
  Run("CREATE TABLE reals (n int, k float4); CREATE INDEX ON reals (k); INSERT INTO reals SELECT "
      "i, i / 3e0 FROM generate_series(-2000, 2000) i");
  Run("CREATE TABLE moments (k timestamptz PRIMARY KEY); INSERT INTO moments SELECT '4713-01-01 "
      "BC'::timestamptz + i * '1 s'::interval FROM generate_series(1, 2000) i; INSERT INTO moments "
      "SELECT '2020-01-01'::timestamptz + i * '1.000001 s'::interval FROM generate_series(1, 2000) "
      "i; INSERT INTO moments SELECT '294276-01-01'::timestamptz + i * '1 s'::interval FROM "
      "generate_series(1, 2000) i; INSERT INTO moments VALUES ('-infinity'), ('infinity')");
  Run("CREATE TABLE times (k timestamp PRIMARY KEY); INSERT INTO times SELECT k AT TIME ZONE 'UTC' "
      "FROM moments ORDER BY k");
  Run("CREATE TABLE days (n int, k date); CREATE INDEX ON days (k); INSERT INTO days SELECT 0, "
      "'-infinity' FROM generate_series(1, 900); INSERT INTO days SELECT i, "
      "'0044-03-15 BC'::date + i FROM generate_series(1, 3000) i; INSERT INTO days SELECT 1, "
      "'infinity' FROM generate_series(1, 900)");
  Run("CREATE TABLE ids (k uuid PRIMARY KEY); INSERT INTO ids SELECT lpad(to_hex(i * 65521), 32, "
      "'0')::uuid FROM generate_series(1, 4000) i ORDER BY 1");
  OpenSource();
  for (const char* table :
       {"ints", "bigs", "smalls", "numbers", "floats", "reals", "moments", "times", "days", "ids"})
    IsReadWhole(table, 4);
}

TEST_F(RangesTest, SkewedKeysMakeEvenChunks) {
  // Most rows lie in a millionth of the range.
  Run("CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t SELECT i + "
      "power(1.003::float8, "
      "i)::int8, 'v' FROM generate_series(1, 10000) i; INSERT INTO t VALUES (-5000000000000000000, "
      "'v')");
  OpenSource();
  auto plan = PlanByKey("t", 8);
  ASSERT_EQ(plan.size(), 8U);
  auto snapshot = Begin();
  for (size_t count : ReadAll(snapshot.get(), "t", plan).counts) {
    EXPECT_GE(count, 1000U);
    EXPECT_LE(count, 1500U);
  }
  EXPECT_NEAR(static_cast<double>(plan.front().rows_estimated), 1250, 2);
}

TEST_F(RangesTest, ACompositeKeyIsDividedByItsFirstColumnUnlessOneValueHasMostRows) {
  Run("CREATE TABLE t (day date, n int, PRIMARY KEY (day, n)); INSERT INTO t SELECT "
      "'2020-01-01'::date "
      "+ d, n FROM generate_series(1, 40) d, generate_series(1, 200) n");
  Run("CREATE TABLE heavy (tenant int, n int, PRIMARY KEY (tenant, n)); INSERT INTO heavy SELECT "
      "CASE "
      "WHEN n BETWEEN 500 AND 9000 THEN 500 ELSE n END, n FROM generate_series(1, 10000) n");
  OpenSource();
  IsReadWhole("t", 4);
  EXPECT_FALSE(Divide("heavy", 4));
}

TEST_F(RangesTest, WhatWouldNotBeReadSideBySideIsNotDividedByIt) {
  // The key jumps about; the time of writing does not.
  Run("CREATE TABLE t (id uuid PRIMARY KEY, at timestamptz); INSERT INTO t SELECT "
      "md5(i::text)::uuid, "
      "'2020-01-01'::timestamptz + i * '1 s'::interval FROM generate_series(1, 5000) i");
  OpenSource();
  EXPECT_FALSE(Divide("t", 4));
  Run("CREATE INDEX ON t (at) WHERE at > '2020-01-01'; CREATE INDEX ON t ((at IS "
      "NULL))");
  EXPECT_FALSE(Divide("t", 4)) << "neither index has all rows by a column";
  Run("CREATE INDEX ON t (at DESC)");
  auto split = Divide("t", 4);
  ASSERT_TRUE(split);
  EXPECT_EQ(split->type, "timestamptz");
  EXPECT_FALSE(Divide("t", 4, {"at"})) << "its values are none of ours";
  IsReadWhole("t", 4);
}

TEST_F(RangesTest, TextAndTablesWithoutAnIndexAreNotDividedByKey) {
  std::string other = Ask(
      "SELECT quote_ident(collname) FROM pg_collation WHERE collencoding IN (-1, "
      "pg_char_to_encoding(getdatabaseencoding())) AND collname NOT IN ('C', 'POSIX', 'default', "
      "'ucs_basic', 'pg_c_utf8') ORDER BY 1 LIMIT 1");
  if (other.empty()) other = "\"default\"";
  Run("CREATE TABLE t (id text COLLATE " + other +
      " PRIMARY KEY, c text COLLATE \"C\" UNIQUE); INSERT INTO t SELECT lpad(i::text, 9, '0'), "
      "lpad(i::text, 9, '0') FROM generate_series(1, 5000) i");
  Run("CREATE TABLE bare (id int); ALTER TABLE bare REPLICA IDENTITY FULL; INSERT INTO bare SELECT "
      "i "
      "FROM generate_series(1, 5000) i; CREATE TABLE empty (id int PRIMARY KEY)");
  OpenSource();
  for (const char* table : {"t", "bare", "empty"}) EXPECT_FALSE(Divide(table, 4)) << table;
}

TEST_F(RangesTest, NullsAreReadOnce) {
  Run("CREATE TABLE t (n int, k int); CREATE INDEX ON t (k); ALTER TABLE t REPLICA IDENTITY FULL; "
      "INSERT INTO t SELECT i, CASE WHEN i > 500 THEN i END FROM generate_series(1, 5000) i");
  OpenSource();
  IsReadWhole("t", 4);
}

TEST_F(RangesTest, RowsThatComeAndGoWhileItIsReadAreThoseOfTheSnapshot) {
  Run("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'old' FROM "
      "generate_series(1, 5000) i");
  OpenSource();
  auto plan = PlanByKey("t", 4);
  ASSERT_EQ(plan.size(), 4U);
  auto snapshot = Begin();
  std::vector<std::string> rows;
  for (const auto& chunk : plan) {
    Run("DELETE FROM t WHERE id % 9 = 0; UPDATE t SET v = 'new' WHERE id % 5 = 0; UPDATE t SET id "
        "= -id "
        "WHERE id % 7 = 0 AND id > 0; INSERT INTO t SELECT i * 9, 'late' FROM generate_series(1, "
        "700) i "
        "ON CONFLICT DO NOTHING; INSERT INTO t SELECT max(id) + 1, 'late' FROM t");
    auto read = Read(snapshot.get(), "t", chunk);
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    rows.insert(rows.end(), read->begin(), read->end());
  }
  EXPECT_EQ(rows.size(), 5000U);
  EXPECT_TRUE(std::ranges::all_of(rows, [](const auto& row) { return row.ends_with(",old"); }));
  EXPECT_EQ(std::set<std::string>(rows.begin(), rows.end()).size(), 5000U);
}

TEST_F(RangesTest, ChunksAreTheSameForWhoeverOpensThem) {
  Run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 5000)");
  OpenSource();
  auto plan = PlanByKey("t", 4);
  ASSERT_EQ(plan.size(), 4U);
  auto snapshot = Begin();
  std::vector<size_t> counts;
  counts.push_back(Read(snapshot.get(), "t", plan[0])->size());
  // The reader crashes, the table grows, and another reads on.
  Run("INSERT INTO t SELECT generate_series(-5000, 0); INSERT INTO t SELECT generate_series(5001, "
      "9000)");
  auto resumed = source_->ResumeSnapshot(snapshot->Handle());
  ASSERT_TRUE(resumed.ok()) << resumed.status().ToString();
  for (size_t i = 1; i < plan.size(); ++i)
    counts.push_back(
        Read(resumed->get(), "t", {.number = plan[i].number, .text = plan[i].text})->size());
  EXPECT_THAT(counts, testing::Each(1250U));
}

TEST_F(RangesTest, TheRestIsReadByTheSameRangesFromALaterSnapshot) {
  Run("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'old' FROM "
      "generate_series(1, 4000) i");
  OpenSource();
  std::vector<std::string> plan;
  for (const auto& chunk : PlanByKey("t", 4)) plan.push_back(chunk.text);
  ASSERT_EQ(plan.size(), 4U);
  Run("UPDATE t SET v = 'new' WHERE id % 2 = 0; DELETE FROM t WHERE id % 1000 = 500");
  auto later = Begin();
  auto rest = later->PlanRest(*Shape("t"), plan, {0, 1});
  ASSERT_TRUE(rest.ok()) << rest.status().ToString();
  ASSERT_TRUE(rest->has_value());
  EXPECT_EQ((*rest)->size(), 2U);
  EXPECT_EQ(ReadAll(later.get(), "t", **rest).counts, (std::vector<size_t>{999, 999}));
  Run("VACUUM FULL t");
  auto moved = Begin();
  EXPECT_FALSE(moved->PlanRest(*Shape("t"), plan, {0, 1})->has_value());
}

TEST_F(RangesTest, AnotherColumnUnderTheNameMakesTheSnapshotStale) {
  for (const char* sql :
       {"ALTER TABLE t RENAME k TO a; ALTER TABLE t RENAME l TO k", "ALTER TABLE t DROP k",
        "ALTER TABLE t ALTER k TYPE bigint", "TRUNCATE t", "DROP TABLE t"}) {
    Run("CREATE TABLE t (id uuid PRIMARY KEY DEFAULT md5(random()::text)::uuid, k int, l int); "
        "INSERT "
        "INTO t (k, l) SELECT i, -i FROM generate_series(1, 5000) i; CREATE INDEX ON t (k)");
    OpenSource();
    auto plan = PlanByKey("t", 4);
    ASSERT_EQ(plan.size(), 4U);
    auto shape = Shape("t");
    auto snapshot = Begin();
    Run(sql);
    const Status status = ReadToEnd(snapshot->Open(shape, plan[1]));
    EXPECT_TRUE(status.Is(ErrorClass::SNAPSHOT_STALE)) << sql << ": " << status.ToString();
    snapshot.reset();
    Run("DROP TABLE IF EXISTS t");
  }
}

TEST_F(RangesTest, ALargeTableIsSplitWithoutLossOrOverlap) {
  // A row a page: 40,000 pages of 8 KiB are two chunks and a half, and as many for each reader.
  Run("CREATE TABLE big (id int PRIMARY KEY, v text) WITH (fillfactor = 10); INSERT INTO big "
      "SELECT i, repeat('x', 850) FROM generate_series(1, 40000) i");
  OpenSource();
  const bool by_keys = session_->server_version() < 140000;
  auto snapshot = Begin();
  auto plan = snapshot->Plan(*Shape("big"));
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  ASSERT_EQ(plan->size(), 4U);
  for (const auto& chunk : *plan) EXPECT_EQ(IsKeyRange(chunk.text), by_keys) << chunk.text;
  auto reading = ReadAll(snapshot.get(), "big", *plan);
  EXPECT_EQ(reading.rows.size(), 40000U);
  EXPECT_EQ(std::ranges::unique(reading.rows).size(), 0U);
  for (size_t count : reading.counts) EXPECT_LE(count, 15000U);

  Run("ALTER TABLE big DROP CONSTRAINT big_pkey, REPLICA IDENTITY FULL");
  auto keyless = Begin()->Plan(*Shape("big"));
  ASSERT_TRUE(keyless.ok()) << keyless.status().ToString();
  EXPECT_EQ(keyless->size(), by_keys ? 2U : 4U) << "each would look through the whole table";
}

}  // namespace
}  // namespace freshet::sources::postgres
