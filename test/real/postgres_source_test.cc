// SPDX-License-Identifier: Apache-2.0
// Discovery, checks and snapshots of a real server.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include "base/limits.h"
#include "postgres_fixture.h"

namespace freshet::sources::postgres {
namespace {

using testing::HasSubstr;

class SourceTest : public PostgresTest {
 protected:
  std::map<std::string, TableListing> List() {
    auto listings = source_->ListTables();
    EXPECT_TRUE(listings.ok()) << listings.status().ToString();
    std::map<std::string, TableListing> byname;
    if (listings.ok()) {
      for (auto& listing : *listings) byname[listing.name.ToString()] = listing;
    }
    return byname;
  }
  /// Read the whole table through one snapshot, sorted.
  /// The first column of a chunk's rows, in order.
  std::vector<std::string> ReadChunk(Snapshot* snapshot, const std::string& table,
                                     const Chunk& chunk) {
    std::vector<std::string> rows;
    auto reader = snapshot->Open(Shape(table), chunk);
    EXPECT_TRUE(reader.ok()) << reader.status().ToString();
    while (reader.ok()) {
      auto batch = (*reader)->Next();
      EXPECT_TRUE(batch.ok()) << batch.status().ToString();
      if (!batch.ok() || *batch == nullptr) break;
      for (int64_t i = 0; i < (*batch)->num_rows(); ++i) rows.push_back(RowText(**batch, i, 1));
    }
    std::sort(rows.begin(), rows.end());
    return rows;
  }
  Result<std::vector<std::string>> ReadAll(Snapshot* snapshot, const std::string& table) {
    FRESHET_TRY(auto described,
                snapshot->Describe(record::TableId(Ask("SELECT '" + table + "'::regclass::oid"))));
    auto shape = std::make_shared<const record::TableShape>(std::move(described));
    FRESHET_TRY(auto chunks, snapshot->Plan(*shape));
    std::vector<std::string> rows;
    for (const auto& chunk : chunks) {
      FRESHET_TRY(auto reader, snapshot->Open(shape, chunk));
      while (true) {
        FRESHET_TRY(auto batch, reader->Next());
        if (batch == nullptr) break;
        EXPECT_TRUE(batch->ValidateFull().ok());
        for (int64_t i = 0; i < batch->num_rows(); ++i)
          rows.push_back(RowText(*batch, i, batch->num_columns()));
      }
    }
    std::sort(rows.begin(), rows.end());
    return rows;
  }
};

TEST_F(SourceTest, ListsTablesWithTheirProblems) {
  Run("CREATE TABLE good (id int PRIMARY KEY)");
  Run("CREATE TABLE nokey (id int)");
  Run("CREATE TABLE whole (id int); ALTER TABLE whole REPLICA IDENTITY FULL");
  Run("CREATE TABLE late (id int PRIMARY KEY DEFERRABLE)");
  Run("CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY)");
  Run("CREATE VIEW seen AS SELECT 1 AS one");
  Run("CREATE TABLE parted (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)");
  Run("CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10)");
  Run("CREATE TABLE keyless_parts (id int) PARTITION BY RANGE (id)");
  Run("ALTER TABLE keyless_parts REPLICA IDENTITY FULL");
  Run("CREATE TABLE gen (a int, g int GENERATED ALWAYS AS (a) STORED PRIMARY KEY)");
  Run("CREATE TABLE reserved (id int PRIMARY KEY, __freshet_op int)");
  Run("CREATE TABLE clash (id int PRIMARY KEY, \"A\" int, a int)");
  Run("CREATE SCHEMA \"Odd \"\"Names\"; CREATE TABLE \"Odd \"\"Names\".\"ta.b le\" (id int PRIMARY "
      "KEY)");
  OpenSource();
  auto tables = List();
  auto problem = [&](const std::string& name) { return tables.at("public." + name).problem; };
  auto unlogged = [&](const std::string& name) {
    EXPECT_TRUE(problem(name).ok()) << problem(name).ToString();
    return tables.at("public." + name).unlogged;
  };
  EXPECT_TRUE(unlogged("good").ok());
  EXPECT_TRUE(unlogged("whole").ok());
  EXPECT_TRUE(unlogged("parted").ok());
  EXPECT_TRUE(tables.at("Odd \"Names.ta.b le").problem.ok());
  EXPECT_FALSE(tables.at("public.parted").derived);
  EXPECT_TRUE(tables.at("public.parted_1").derived) << "taken by its own name only";
  EXPECT_EQ(tables.at("public.parted_1").part_of, tables.at("public.parted").id);
  EXPECT_TRUE(unlogged("nokey").Is(ErrorClass::TABLE_NO_IDENTITY));
  EXPECT_THAT(std::string(unlogged("nokey").remedy()),
              HasSubstr("ALTER TABLE \"public\".\"nokey\" REPLICA IDENTITY FULL"));
  for (const char* name : {"late", "keyless_parts"})
    EXPECT_TRUE(unlogged(name).Is(ErrorClass::TABLE_NO_IDENTITY)) << name;
  EXPECT_EQ(unlogged("gen").ok(), session_->server_version() >= 180000)
      << unlogged("gen").ToString();
  EXPECT_TRUE(unlogged("fleeting").Is(ErrorClass::TABLE_NOT_LOGGED));
  EXPECT_TRUE(unlogged("seen").Is(ErrorClass::TABLE_NOT_LOGGED));
  EXPECT_FALSE(tables.at("public.fleeting").derived);
  EXPECT_TRUE(tables.at("public.seen").derived);
  EXPECT_TRUE(problem("reserved").Is(ErrorClass::COLUMN_RESERVED));
  EXPECT_TRUE(problem("clash").Is(ErrorClass::COLUMN_NAME_CONFLICT));
}

TEST_F(SourceTest, DescribesKeysAndTypes) {
  Run("CREATE DOMAIN amount AS numeric(10,2)");
  // A negative scale means zeros before the point; older servers refuse it.
  std::string rounded = session_->server_version() >= 150000 ? "numeric(3,-2)" : "numeric(5,0)";
  Run("CREATE TABLE t (a int, b text, c amount, d " + rounded +
      ", e numeric, f timestamptz, g int[], h amount[], i int[][], j int GENERATED ALWAYS AS (a) "
      "STORED, PRIMARY KEY (b, a))");
  Run("CREATE TABLE u (a int NOT NULL, b int NOT NULL, PRIMARY KEY (a)); CREATE UNIQUE INDEX u_b "
      "ON u (b) INCLUDE (a); "
      "ALTER TABLE u REPLICA IDENTITY USING INDEX u_b");
  OpenSource();
  auto shape = Shape("t");
  ASSERT_NE(shape, nullptr);
  EXPECT_EQ(shape->key, (std::vector<int>{1, 0}));
  std::vector<std::string> types;
  for (const auto& field : shape->schema->fields()) types.push_back(field->type()->ToString());
  // The stored generated column, which newer servers send.
  if (session_->server_version() >= 180000) {
    EXPECT_EQ(types.back(), "int32");
    types.pop_back();
  }
  EXPECT_EQ(types, (std::vector<std::string>{"int32", "string", "decimal128(10, 2)",
                                             "decimal128(5, 0)", "string", "timestamp[us, tz=UTC]",
                                             "list<item: int32>", "list<item: decimal128(10, 2)>",
                                             "list<item: list<item: int32>>"}));
  EXPECT_EQ(Shape("u")->key, std::vector<int>{1});
}

TEST_F(SourceTest, SnapshotIsExactAtItsPosition) {
  Run("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' || i FROM "
      "generate_series(1, 5000) i; DELETE FROM t WHERE id % 7 = 0");
  OpenSource();
  auto snapshot = source_->BeginSnapshot();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status().ToString();
  Run("INSERT INTO t VALUES (100000, 'late'); UPDATE t SET v = 'changed' WHERE id = 1; DELETE FROM "
      "t WHERE id = 2");
  auto rows = ReadAll(snapshot->get(), "t");
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  std::vector<std::string> expected;
  for (int i = 1; i <= 5000; ++i) {
    if (i % 7 != 0) expected.push_back(fmt::format("{0},v{0}", i));
  }
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(*rows, expected);
  EXPECT_EQ(Ask("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"),
            "0");
}

TEST_F(SourceTest, AHeldSnapshotIsOpenedAgainByItsHandle) {
  Run("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b')");
  OpenSource();
  auto held = source_->BeginSnapshot();
  ASSERT_TRUE(held.ok()) << held.status().ToString();
  Run("UPDATE t SET v = 'late' WHERE id = 1; DELETE FROM t WHERE id = 2");
  auto resumed = source_->ResumeSnapshot((*held)->Handle());
  ASSERT_TRUE(resumed.ok()) << resumed.status().ToString();
  EXPECT_EQ((*resumed)->Handle(), (*held)->Handle());
  EXPECT_EQ((*resumed)->Position(), (*held)->Position());
  EXPECT_EQ((*resumed)->TakenAt(), (*held)->TakenAt());
  auto rows = ReadAll(resumed->get(), "t");
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  EXPECT_EQ(*rows, (std::vector<std::string>{"1,a", "2,b"}));

  // With its holder it goes, for whoever opens it and for whoever has it open.
  std::string handle = (*held)->Handle();
  held->reset();
  Await(
      "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
      "pg_backend_pid() AND query LIKE '%pg_export_snapshot%'");
  auto late = source_->ResumeSnapshot(handle);
  EXPECT_TRUE(late.status().Is(ErrorClass::SNAPSHOT_STALE)) << late.status().ToString();
  auto reader = (*resumed)->Open(Shape("t"), {.number = 0, .text = "table=1 blocks=0.."});
  EXPECT_TRUE(reader.status().Is(ErrorClass::SNAPSHOT_STALE)) << reader.status().ToString();
}

TEST_F(SourceTest, TheRestOfAPlanIsReadFromALaterSnapshot) {
  // A row fills a block; the last one is in a chunk of its own.
  Run("CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t ALTER v SET STORAGE PLAIN; "
      "INSERT INTO t SELECT i, repeat('x', 7000) FROM generate_series(1, 4) i");
  OpenSource();
  auto first = source_->BeginSnapshot();
  ASSERT_TRUE(first.ok()) << first.status().ToString();
  auto planned = (*first)->Plan(*Shape("t"));
  ASSERT_TRUE(planned.ok()) << planned.status().ToString();
  ASSERT_EQ(planned->size(), 1U);
  // As it is of a larger table.
  const std::string end = planned->front().text.substr(planned->front().text.find("..") + 2);
  const std::string table = planned->front().text.substr(0, planned->front().text.find(" blocks"));
  const std::vector<std::string> plan = {table + " blocks=2.." + end, table + " blocks=0..1" + end,
                                         table + " blocks=1..2" + end};
  first->reset();
  Run("UPDATE t SET v = repeat('y', 7000) WHERE id IN (1, 3); DELETE FROM t WHERE id = 4");
  auto later = source_->BeginSnapshot();
  ASSERT_TRUE(later.ok()) << later.status().ToString();
  auto rest = (*later)->PlanRest(*Shape("t"), plan, {0, 1});
  ASSERT_TRUE(rest.ok()) << rest.status().ToString();
  ASSERT_TRUE(rest->has_value());
  // What nobody read, and where the file has grown: the updated rows went there.
  ASSERT_EQ((*rest)->size(), 2U);
  EXPECT_EQ((**rest)[0].number, 2);
  EXPECT_EQ((**rest)[1].number, 3);
  EXPECT_EQ(ReadChunk(later->get(), "t", (**rest)[0]), (std::vector<std::string>{"2"}));
  EXPECT_EQ(ReadChunk(later->get(), "t", (**rest)[1]), (std::vector<std::string>{"1", "3"}));

  Run("VACUUM FULL t");
  auto moved = source_->BeginSnapshot();
  ASSERT_TRUE(moved.ok()) << moved.status().ToString();
  auto none = (*moved)->PlanRest(*Shape("t"), plan, {0, 1});
  ASSERT_TRUE(none.ok()) << none.status().ToString();
  EXPECT_FALSE(none->has_value()) << "its rows are elsewhere";
}

TEST_F(SourceTest, AnotherSnapshotUnderTheSameNameIsNotTaken) {
  Run("CREATE TABLE t (id int PRIMARY KEY)");
  OpenSource();
  auto held = source_->BeginSnapshot();
  ASSERT_TRUE(held.ok()) << held.status().ToString();
  std::string handle = (*held)->Handle();
  std::string other = handle.substr(0, handle.find(" sees=")) + " sees=1";
  EXPECT_TRUE(source_->ResumeSnapshot(other).status().Is(ErrorClass::SNAPSHOT_STALE));
  EXPECT_TRUE(source_->ResumeSnapshot("nonsense").status().Is(ErrorClass::SNAPSHOT_STALE));
  EXPECT_TRUE(source_->ResumeSnapshot(handle).ok());
}

TEST_F(SourceTest, SnapshotOfPartitionsAndOfAnEmptyTable) {
  Run("CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE p1 "
      "PARTITION OF p FOR VALUES FROM (0) TO (10)");
  Run("CREATE TABLE p2 (extra int, v text, id int NOT NULL); ALTER TABLE p2 DROP COLUMN extra; "
      "ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20)");
  Run("INSERT INTO p VALUES (1, 'a'), (11, 'b'); CREATE TABLE empty (id int PRIMARY KEY)");
  OpenSource();
  auto snapshot = source_->BeginSnapshot();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status().ToString();
  auto rows = ReadAll(snapshot->get(), "p");
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  EXPECT_EQ(*rows, (std::vector<std::string>{"1,a", "11,b"}));
  EXPECT_TRUE(ReadAll(snapshot->get(), "empty")->empty());
}

TEST_F(SourceTest, ValuesOutOfLineCountForAChunksSize) {
  // Nobody analyses it but us.
  Run("CREATE TABLE wide (id int PRIMARY KEY, v text) WITH (autovacuum_enabled = off); ALTER TABLE "
      "wide ALTER COLUMN v SET STORAGE "
      "EXTERNAL; INSERT INTO wide SELECT i, repeat('x', 200000) FROM generate_series(1, 1000) i");
  OpenSource();
  auto snapshot = source_->BeginSnapshot();
  ASSERT_TRUE(snapshot.ok());
  // What is written from now on belongs to the open chunk and is in no snapshot.
  Run("INSERT INTO wide SELECT i, 'late' FROM generate_series(1001, 5000) i");
  auto shape = Shape("wide");
  auto chunks = (*snapshot)->Plan(*shape);
  ASSERT_TRUE(chunks.ok());
  EXPECT_GE(chunks->size(), 2U);
  EXPECT_LE(chunks->size(), 40U);
  EXPECT_THAT(chunks->front().text, testing::HasSubstr(".. file=")) << "the open one is read first";
  std::set<int32_t> ids;
  int64_t rows = 0, batch_bytes_max = 0;
  for (const auto& chunk : *chunks) {
    EXPECT_EQ(chunk.rows_estimated, -1) << "never analysed";
    auto reader = (*snapshot)->Open(shape, chunk);
    ASSERT_TRUE(reader.ok()) << reader.status().ToString();
    while (true) {
      auto batch = (*reader)->Next();
      ASSERT_TRUE(batch.ok()) << batch.status().ToString();
      if (*batch == nullptr) break;
      rows += (*batch)->num_rows();
      const auto& column = static_cast<const arrow::Int32Array&>(*(*batch)->column(0));
      for (int64_t i = 0; i < column.length(); ++i) ids.insert(column.Value(i));
      batch_bytes_max = std::max(batch_bytes_max, (*batch)->num_rows() * 200'000);
    }
  }
  EXPECT_EQ(rows, 1000);
  EXPECT_EQ(ids.size(), 1000U);
  EXPECT_EQ(*ids.rbegin(), 1000);
  EXPECT_LE(batch_bytes_max, static_cast<int64_t>(limits::kBatchBytesMax) + 200'000);
  Run("ANALYZE wide");
  auto known = source_->BeginSnapshot();
  ASSERT_TRUE(known.ok());
  EXPECT_GT((*known)->Plan(*shape)->front().rows_estimated, 0);
}

TEST_F(SourceTest, RewriteOrTruncateMakesTheSnapshotStale) {
  for (const char* sql :
       {"TRUNCATE t", "VACUUM FULL t", "ALTER TABLE t ALTER COLUMN v TYPE bigint",
        "ALTER TABLE t RENAME COLUMN v TO w", "ALTER TABLE t DROP COLUMN v", "DROP TABLE t"}) {
    Run("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM "
        "generate_series(1, 100) i");
    OpenSource();
    auto shape = Shape("t");
    auto snapshot = source_->BeginSnapshot();
    ASSERT_TRUE(snapshot.ok());
    auto chunks = (*snapshot)->Plan(*shape);
    Run(sql);
    const Status status = ReadToEnd((*snapshot)->Open(shape, chunks->at(0)));
    EXPECT_TRUE(status.Is(ErrorClass::SNAPSHOT_STALE)) << sql << ": " << status.ToString();
    snapshot->reset();
    Run("DROP TABLE IF EXISTS t");
  }
}

TEST_F(SourceTest, ANameThatChangesHandsDoesNotChangeWhoseRowsAreRead) {
  Run("CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p_now PARTITION "
      "OF p FOR VALUES FROM (0) TO (10); INSERT INTO p SELECT generate_series(1, 3)");
  Run("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO a "
      "VALUES (1); INSERT INTO b VALUES (2)");
  OpenSource();
  auto snapshot = source_->BeginSnapshot();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status().ToString();
  Run("ALTER TABLE p_now RENAME TO p_before; CREATE TABLE p_now PARTITION OF p FOR VALUES FROM "
      "(10) TO (20)");
  Run("ALTER TABLE a RENAME TO c; ALTER TABLE b RENAME TO a");
  auto rows = ReadAll(snapshot->get(), "p");
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  EXPECT_EQ(*rows, (std::vector<std::string>{"1", "2", "3"}));
  for (const char* name : {"c", "a"}) {
    rows = ReadAll(snapshot->get(), name);
    ASSERT_TRUE(rows.ok()) << rows.status().ToString();
    EXPECT_EQ(*rows, std::vector<std::string>{name[0] == 'c' ? "1" : "2"});
  }
}

TEST_F(SourceTest, ATableDroppedSinceTheSnapshotIsNotFoundInIt) {
  Run("CREATE TABLE t (id int PRIMARY KEY)");
  OpenSource();
  auto shape = Shape("t");
  auto snapshot = source_->BeginSnapshot();
  ASSERT_TRUE(snapshot.ok());
  ASSERT_TRUE((*snapshot)->Describe(shape->id).ok());
  Run("DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY)");
  auto shown = (*snapshot)->Describe(shape->id);
  EXPECT_TRUE(shown.status().Is(ErrorClass::NOT_FOUND)) << shown.status().ToString();
}

TEST_F(SourceTest, AnAddedColumnDoesNotDisturbTheSnapshot) {
  Run("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1)");
  OpenSource();
  auto snapshot = source_->BeginSnapshot();
  ASSERT_TRUE(snapshot.ok());
  Run("ALTER TABLE t ADD COLUMN w int; INSERT INTO t VALUES (2, 2, 2)");
  auto rows = ReadAll(snapshot->get(), "t");
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  EXPECT_EQ(*rows, std::vector<std::string>{"1,1"});
}

TEST_F(SourceTest, AnOpenTransactionBlocksASnapshotAndIsNamed) {
  Run("CREATE TABLE t (id int PRIMARY KEY)");
  config_.slot_wait_max = std::chrono::milliseconds(300);
  OpenSource();
  auto other = NewSession();
  ASSERT_TRUE(other->Execute("BEGIN; INSERT INTO t VALUES (1)").ok());
  auto snapshot = source_->BeginSnapshot();
  ASSERT_TRUE(snapshot.status().Is(ErrorClass::SOURCE_BLOCKED)) << snapshot.status().ToString();
  EXPECT_THAT(snapshot.status().message(), HasSubstr(std::to_string(other->process_id())));
  EXPECT_THAT(std::string(snapshot.status().remedy()), HasSubstr("pg_terminate_backend"));
  EXPECT_TRUE(other->Execute("COMMIT").ok());
  config_.slot_wait_max = kPatience;
  OpenSource();
  EXPECT_TRUE(source_->BeginSnapshot().ok());
}

TEST_F(SourceTest, ParallelReadersShareOneSnapshot) {
  Run("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO a "
      "SELECT generate_series(1, 20000); INSERT INTO b SELECT * FROM a");
  OpenSource();
  auto snapshot = source_->BeginSnapshot();
  ASSERT_TRUE(snapshot.ok());
  std::vector<std::shared_ptr<const record::TableShape>> shapes = {Shape("a"), Shape("b")};
  std::array<int64_t, 2> counts{};
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      auto chunks = (*snapshot)->Plan(*shapes[i]);
      for (const auto& chunk : *chunks) {
        auto reader = (*snapshot)->Open(shapes[i], chunk);
        while (true) {
          auto batch = (*reader)->Next();
          if (!batch.ok() || *batch == nullptr) break;
          counts[i] += (*batch)->num_rows();
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counts[0], 20000);
  EXPECT_EQ(counts[1], 20000);
}

TEST_F(SourceTest, ConnectionErrorsHaveTheirClasses) {
  auto with = [&](const std::string& name, const std::string& value) {
    Config config = config_;
    std::erase_if(config.parameters,
                  [&](const auto& parameter) { return parameter.first == name; });
    config.parameters.emplace_back(name, value);
    return Open(config).status();
  };
  EXPECT_TRUE(with("port", "1").Is(ErrorClass::SOURCE_UNREACHABLE));
  EXPECT_TRUE(with("host", "no-such-host.invalid").Is(ErrorClass::SOURCE_UNREACHABLE));
  EXPECT_TRUE(with("dbname", "nowhere").Is(ErrorClass::SOURCE_DATABASE_MISSING))
      << with("dbname", "nowhere").ToString();
  EXPECT_TRUE(with("user", "nobody_knows").Is(ErrorClass::SOURCE_AUTH))
      << with("user", "nobody_knows").ToString();
  EXPECT_TRUE(with("sslmode", "require").Is(ErrorClass::SOURCE_TLS))
      << with("sslmode", "require").ToString();
}

TEST_F(SourceTest, MissingRightsAreFindingsWithTheirSql) {
  Run("CREATE TABLE mine (id int PRIMARY KEY)");
  std::string role = "role_" + database_;
  Run("CREATE ROLE " + role + " LOGIN");
  for (auto& [name, value] : config_.parameters) {
    if (name == "user") value = role;
  }
  OpenSource();
  std::string all;
  for (const auto& finding : source_->Check())
    all += finding.problem.ToString() + " → " + std::string(finding.problem.remedy()) + "\n";
  EXPECT_THAT(all, HasSubstr("ALTER ROLE \"" + role + "\" REPLICATION"));
  EXPECT_THAT(all, HasSubstr("GRANT SELECT ON \"public\".\"mine\" TO \"" + role + "\""));
  EXPECT_THAT(all, HasSubstr("GRANT CREATE ON DATABASE"));
  EXPECT_TRUE(List().at("public.mine").problem.Is(ErrorClass::SOURCE_PRIVILEGE));
  auto snapshot = source_->BeginSnapshot();
  EXPECT_TRUE(snapshot.status().Is(ErrorClass::SOURCE_PRIVILEGE)) << snapshot.status().ToString();
  source_.reset();
  Run("DROP ROLE " + role);
}

TEST_F(SourceTest, OwningThroughARoleThatIsNotInheritedIsNotOwning) {
  Run("CREATE TABLE mine (id int PRIMARY KEY)");
  std::string role = "role_" + database_, owner = "owner_" + database_;
  Run("CREATE ROLE " + owner + "; CREATE ROLE " + role + " LOGIN REPLICATION NOINHERIT; GRANT " +
      owner + " TO " + role + "; GRANT CREATE ON DATABASE " + database_ + " TO " + role +
      "; GRANT SELECT ON mine TO " + role + "; ALTER TABLE mine OWNER TO " + owner);
  for (auto& [name, value] : config_.parameters) {
    if (name == "user") value = role;
  }
  OpenSource();
  std::string all;
  for (const auto& finding : source_->Check()) all += finding.problem.ToString() + "\n";
  EXPECT_THAT(all, HasSubstr("does not own the table"));
  EXPECT_TRUE(List().at("public.mine").problem.Is(ErrorClass::SOURCE_PRIVILEGE));
  source_.reset();
  Run("DROP TABLE mine; DROP OWNED BY " + role + "; DROP ROLE " + role + "; DROP ROLE " + owner);
}

}  // namespace
}  // namespace freshet::sources::postgres
