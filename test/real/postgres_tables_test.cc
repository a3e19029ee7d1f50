// SPDX-License-Identifier: Apache-2.0
// Kinds of tables and columns, and rights that are less than all, on a real server.
#include <gmock/gmock.h>

#include <algorithm>
#include <variant>

#include "postgres_fixture.h"

namespace freshet::sources::postgres {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TablesTest : public PostgresTest {
 protected:
  std::map<std::string, Status> Problems() {
    auto listings = source_->ListTables();
    EXPECT_TRUE(listings.ok()) << listings.status().ToString();
    std::map<std::string, Status> problems;
    if (!listings.ok()) return problems;
    for (auto& listing : *listings) {
      problems.emplace(listing.name.table,
                       listing.problem.ok() ? listing.unlogged : listing.problem);
    }
    return problems;
  }
  std::vector<std::string> Read(const std::string& table) {
    auto snapshot = source_->BeginSnapshot();
    EXPECT_TRUE(snapshot.ok()) << snapshot.status().ToString();
    std::vector<std::string> rows;
    if (!snapshot.ok()) return rows;
    auto shape = Shape(table);
    auto chunks = (*snapshot)->Plan(*shape);
    EXPECT_TRUE(chunks.ok()) << chunks.status().ToString();
    for (const auto& chunk : *chunks) {
      auto reader = (*snapshot)->Open(shape, chunk);
      EXPECT_TRUE(reader.ok()) << reader.status().ToString();
      while (reader.ok()) {
        auto batch = (*reader)->Next();
        EXPECT_TRUE(batch.ok()) << batch.status().ToString();
        if (!batch.ok() || *batch == nullptr) break;
        for (int64_t i = 0; i < (*batch)->num_rows(); ++i)
          rows.push_back(RowText(**batch, i, (*batch)->num_columns()));
      }
    }
    std::sort(rows.begin(), rows.end());
    return rows;
  }
  /// The rows of all changes until the source is idle, deletes too, without what they are.
  std::vector<std::string> Changes() {
    std::vector<std::string> rows;
    while (true) {
      auto event = stream_->Next(In(kPatience));
      EXPECT_TRUE(event.ok()) << event.status().ToString();
      if (!event.ok() || std::holds_alternative<record::Idle>(*event)) return rows;
      auto* table = std::get_if<record::TableEvent>(&*event);
      if (table == nullptr) continue;
      auto* batch = std::get_if<record::ChangeBatch>(table);
      if (batch == nullptr) {
        rows.emplace_back("not a batch");
        continue;
      }
      record::ChangeView view(batch->rows);
      for (int64_t i = 0; i < view.size(); ++i)
        rows.push_back(RowText(*batch->rows, i, view.width()));
    }
  }
  /// Be someone who may replicate and read `tables` but owns nothing.
  void BecomeReader(const std::string& grants) {
    role_ = "reader_" + database_;
    Run("CREATE ROLE " + role_ + " LOGIN REPLICATION; " +
        fmt::format(fmt::runtime(grants), fmt::arg("role", role_)));
    for (auto& [name, value] : config_.parameters) {
      if (name == "user") value = role_;
    }
    config_.publication_given = true;
    config_.publication = "given";
  }
  void TearDown() override {
    if (!role_.empty()) {
      stream_.reset();
      source_.reset();
      Run("DROP OWNED BY " + role_ + "; DROP ROLE " + role_);
    }
    PostgresTest::TearDown();
  }
  int version() const { return session_->server_version(); }

  std::string role_;
};

TEST_F(TablesTest, StoredGeneratedColumnsComeOnBothRoadsFromVersion18) {
  bool virtual_ones = version() >= 180000;
  Run("CREATE TABLE t (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED, v text" +
      std::string(virtual_ones ? ", never int GENERATED ALWAYS AS (id * 3)" : "") + ")");
  Run("INSERT INTO t (id, v) VALUES (1, 'a')");
  OpenSource();
  ASSERT_TRUE(OpenStream({"t"}).ok());
  EXPECT_THAT(Changes(), ElementsAre());
  Run("INSERT INTO t (id, v) VALUES (2, 'b')");
  EXPECT_THAT(Read("t"), virtual_ones ? ElementsAre("1,2,a", "2,4,b") : ElementsAre("1,a", "2,b"));
  EXPECT_THAT(Changes(), virtual_ones ? ElementsAre("2,4,b") : ElementsAre("2,b"));
}

TEST_F(TablesTest, PublishingNeverBreaksTheUpdatesOfATableWithGeneratedColumns) {
  Run("CREATE TABLE stored (a int, g int GENERATED ALWAYS AS (a * 2) STORED); ALTER TABLE stored "
      "REPLICA IDENTITY FULL; INSERT INTO stored VALUES (1)");
  bool virtual_ones = version() >= 180000;
  if (virtual_ones)
    Run("CREATE TABLE virtual (a int, g int GENERATED ALWAYS AS (a * 2)); ALTER TABLE virtual "
        "REPLICA IDENTITY FULL; INSERT INTO virtual VALUES (1)");
  OpenSource();
  auto problems = Problems();
  EXPECT_TRUE(problems["stored"].ok()) << problems["stored"].ToString();
  ASSERT_TRUE(OpenStream({"stored"}).ok());
  EXPECT_THAT(Changes(), ElementsAre());
  Run("UPDATE stored SET a = 2");
  EXPECT_THAT(Changes(), virtual_ones ? ElementsAre("1,2", "2,4") : ElementsAre("1", "2"));
  if (!virtual_ones) return;
  EXPECT_TRUE(problems["virtual"].Is(ErrorClass::TABLE_NO_IDENTITY));
  EXPECT_THAT(problems["virtual"].message(), HasSubstr("virtual generated column"));
  Run("UPDATE virtual SET a = 2");
}

TEST_F(TablesTest, AGivenPublicationWithoutGeneratedColumnsIsAProblemFromVersion18) {
  Run("CREATE TABLE t (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id * 2) STORED); CREATE "
      "PUBLICATION given FOR TABLE t WITH (publish_via_partition_root = true)");
  config_.publication_given = true;
  config_.publication = "given";
  OpenSource();
  if (version() < 180000) {
    EXPECT_TRUE(Problems()["t"].ok());
    return;
  }
  Status problem = Problems()["t"];
  EXPECT_TRUE(problem.Is(ErrorClass::PUBLICATION_MISSING)) << problem.ToString();
  EXPECT_THAT(std::string(problem.remedy()), HasSubstr("publish_generated_columns = stored"));
  Run("ALTER PUBLICATION given SET (publish_generated_columns = stored)");
  EXPECT_TRUE(Problems()["t"].ok());
}

TEST_F(TablesTest, OurOwnSlotOutlivesThePrimaryFromVersion17) {
  Run("CREATE TABLE t (id int PRIMARY KEY)");
  OpenSource();
  ASSERT_TRUE(OpenStream({"t"}).ok());
  if (version() < 170000) return;
  EXPECT_EQ(
      Ask("SELECT failover FROM pg_replication_slots WHERE slot_name = '" + config_.slot + "'"),
      "t");
}

TEST_F(TablesTest, InheritedTablesAreEachTheirOwn) {
  Run("CREATE TABLE parent (id int PRIMARY KEY, v text); CREATE TABLE child (more int, PRIMARY KEY "
      "(id)) INHERITS (parent)");
  Run("INSERT INTO parent VALUES (1, 'p'); INSERT INTO child VALUES (2, 'c', 7)");
  OpenSource();
  ASSERT_TRUE(OpenStream({"parent", "child"}).ok());
  EXPECT_THAT(Changes(), ElementsAre());
  EXPECT_THAT(Read("parent"), ElementsAre("1,p"));
  EXPECT_THAT(Read("child"), ElementsAre("2,c,7"));
  Run("UPDATE parent SET v = v || '!' WHERE id = 1");
  EXPECT_THAT(Changes(), ElementsAre("1,p!"));
  Run("UPDATE parent SET v = v || '!' WHERE id = 2");
  EXPECT_THAT(Changes(), ElementsAre("2,c!,7"));
}

TEST_F(TablesTest, TemporaryTablesAreNoneOfOurs) {
  Run("CREATE TABLE t (id int PRIMARY KEY); CREATE TEMPORARY TABLE gone (id int PRIMARY KEY)");
  OpenSource();
  auto problems = Problems();
  EXPECT_EQ(problems.size(), 1U);
  ASSERT_TRUE(OpenStream({"t"}).ok());
  Run("INSERT INTO gone VALUES (1); INSERT INTO t VALUES (1)");
  EXPECT_THAT(Changes(), ElementsAre("1"));
}

TEST_F(TablesTest, SixteenHundredColumns) {
  std::string columns = "id int PRIMARY KEY", values = "1";
  for (int i = 1; i < 1600; ++i) {
    columns += fmt::format(", c{} bool", i);
    values += i % 3 == 0 ? ", NULL" : ", true";
  }
  Run("CREATE TABLE wide (" + columns + "); INSERT INTO wide VALUES (" + values + ")");
  OpenSource();
  ASSERT_TRUE(OpenStream({"wide"}).ok());
  EXPECT_THAT(Changes(), ElementsAre());
  auto read = Read("wide");
  ASSERT_EQ(read.size(), 1U);
  EXPECT_EQ(std::count(read[0].begin(), read[0].end(), ','), 1599);
  Run("UPDATE wide SET c3 = NULL");
  EXPECT_EQ(Changes(), read);
}

TEST_F(TablesTest, IdentityByIndexIsTheKeyWhateverThePrimaryKeyIs) {
  Run("CREATE TABLE t (id int PRIMARY KEY, code text NOT NULL, \"Größe\" int NOT NULL, v text); "
      "CREATE UNIQUE INDEX by_code ON t (\"Größe\", code); ALTER TABLE t REPLICA IDENTITY USING "
      "INDEX by_code; INSERT INTO t VALUES (1, 'a', 5, 'x')");
  OpenSource();
  EXPECT_EQ(Shape("t")->key, (std::vector<int>{2, 1}));
  ASSERT_TRUE(OpenStream({"t"}).ok());
  EXPECT_THAT(Changes(), ElementsAre());
  Run("UPDATE t SET id = 2");
  EXPECT_THAT(Changes(), ElementsAre("2,a,5,x"));
  Run("UPDATE t SET code = 'b'");
  EXPECT_THAT(Changes(), ElementsAre("-,a,5,-", "2,b,5,x"));
  Run("DELETE FROM t");
  EXPECT_THAT(Changes(), ElementsAre("-,b,5,-"));
}

TEST_F(TablesTest, RowSecurityThatWouldHideRowsIsRefused) {
  Run("CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY "
      "visible ON t USING (id > 5); INSERT INTO t SELECT generate_series(1, 10); "
      "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p "
      "FOR VALUES FROM (0) TO (10); ALTER TABLE p1 ENABLE ROW LEVEL SECURITY; CREATE POLICY "
      "visible "
      "ON p1 USING (id > 5); CREATE PUBLICATION given FOR TABLE t, p WITH "
      "(publish_via_partition_root = true)");
  BecomeReader("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}");
  OpenSource();
  auto problems = Problems();
  for (const char* table : {"t", "p"}) {
    EXPECT_TRUE(problems[table].Is(ErrorClass::SOURCE_PRIVILEGE)) << problems[table].ToString();
    EXPECT_THAT(std::string(problems[table].remedy()), HasSubstr("BYPASSRLS"));
  }
  // A policy that is made later ends the reading; it never reads a part of the rows.
  Run("ALTER TABLE t DISABLE ROW LEVEL SECURITY");
  auto snapshot = source_->BeginSnapshot();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status().ToString();
  auto shape = Shape("t");
  ASSERT_NE(shape, nullptr);
  auto chunks = (*snapshot)->Plan(*shape);
  Run("ALTER TABLE t ENABLE ROW LEVEL SECURITY");
  auto reader = (*snapshot)->Open(shape, chunks->at(0));
  EXPECT_TRUE(reader.status().Is(ErrorClass::SOURCE_PRIVILEGE)) << reader.status().ToString();
  Run("ALTER ROLE " + role_ + " BYPASSRLS");
  EXPECT_TRUE(Problems()["t"].ok());
}

TEST_F(TablesTest, WhatMakesValuesReadOtherwiseIsMarked) {
  Run("CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TYPE pair AS (a int, b text); CREATE "
      "DOMAIN amount AS numeric(10,2)");
  Run("CREATE TABLE t (id int PRIMARY KEY, v varchar(9), m mood, p pair[], j json, n "
      "numeric(10,2), "
      "x text)");
  Run("CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE p1 "
      "PARTITION OF p FOR VALUES FROM (0) TO (10)");
  OpenSource();
  auto listed = [&](const std::string& table) {
    auto listings = source_->ListTables();
    EXPECT_TRUE(listings.ok()) << listings.status().ToString();
    if (!listings.ok()) return std::string();
    for (const auto& listing : *listings) {
      if (listing.name.table == table) return listing.fingerprint;
    }
    return std::string();
  };
  // Whether values may read otherwise after the statements; a look notices any of them.
  auto otherwise = [&](const std::string& sql, const std::string& table = "t") {
    auto before = Shape(table);
    std::string fingerprint = listed(table);
    Run(sql);
    EXPECT_NE(listed(table), fingerprint) << sql;
    return !record::ReadsOtherwise(*before->imprint, *Shape(table)->imprint).empty();
  };
  EXPECT_TRUE(otherwise("ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'"));
  EXPECT_FALSE(otherwise("ALTER TYPE mood ADD VALUE 'calm' BEFORE 'happy'"));
  EXPECT_TRUE(otherwise("ALTER TYPE pair DROP ATTRIBUTE b; ALTER TYPE pair ADD ATTRIBUTE c text"));
  EXPECT_TRUE(otherwise("ALTER TABLE t ALTER j TYPE jsonb"));
  EXPECT_TRUE(otherwise("ALTER TABLE t ALTER x TYPE text USING upper(x)"));
  EXPECT_TRUE(otherwise("ALTER TABLE t ALTER v TYPE varchar(4)"));
  EXPECT_FALSE(otherwise("ALTER TABLE t ALTER v TYPE varchar(40)"));
  EXPECT_FALSE(otherwise("ALTER TABLE t ALTER v TYPE text"));
  EXPECT_FALSE(otherwise("ALTER TABLE t ALTER n TYPE amount"));
  EXPECT_FALSE(otherwise("VACUUM FULL t"));
  EXPECT_FALSE(otherwise("ALTER TABLE t ALTER v SET NOT NULL"));
  EXPECT_TRUE(otherwise("ALTER TABLE p ALTER v TYPE text USING upper(v)", "p"));
  EXPECT_FALSE(otherwise("VACUUM FULL p1", "p"));
  auto before = Shape("t");
  Run("ALTER TABLE t ADD COLUMN w int");
  EXPECT_FALSE(record::WrittenAnew(*before->imprint, *Shape("t")->imprint));
  Run("ALTER TABLE t ADD COLUMN y float DEFAULT random(); ALTER TABLE t ALTER y DROP DEFAULT");
  EXPECT_TRUE(record::WrittenAnew(*before->imprint, *Shape("t")->imprint));
}

TEST_F(TablesTest, NamesThatAreNotUtf8AreRefused) {
  session_.reset();
  ASSERT_TRUE(admin_->Execute("DROP DATABASE " + database_).ok());
  ASSERT_TRUE(admin_
                  ->Execute("CREATE DATABASE " + database_ +
                            " ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
                  .ok());
  session_ = NewSession();
  Run("CREATE TABLE good (id int PRIMARY KEY); CREATE TABLE \"M\xFCller\" (id int PRIMARY KEY); "
      "CREATE TABLE odd (id int PRIMARY KEY, \"stra\xDF"
      "e\" text)");
  OpenSource();
  auto problems = Problems();
  EXPECT_TRUE(problems.at("good").ok());
  Status name = problems.at(
      "M\xEF\xBF\xBD"
      "FCller");
  EXPECT_TRUE(name.Is(ErrorClass::NAME_NOT_UTF8)) << name.ToString();
  auto odd = source_->Describe(record::TableId(Ask("SELECT 'odd'::regclass::oid")));
  EXPECT_TRUE(odd.status().Is(ErrorClass::NAME_NOT_UTF8)) << odd.status().ToString();
}

TEST_F(TablesTest, AValueThatTheServerCannotConvertIsSaidToBeOne) {
  session_.reset();
  ASSERT_TRUE(admin_->Execute("DROP DATABASE " + database_).ok());
  ASSERT_TRUE(admin_
                  ->Execute("CREATE DATABASE " + database_ +
                            " ENCODING 'WIN1252' LOCALE 'C' TEMPLATE template0")
                  .ok());
  session_ = NewSession();
  Run("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, E'\\x81')");
  OpenSource();
  auto snapshot = source_->BeginSnapshot();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status().ToString();
  auto shape = Shape("t");
  auto reader = (*snapshot)->Open(shape, (*snapshot)->Plan(*shape)->front());
  ASSERT_TRUE(reader.ok()) << reader.status().ToString();
  Status status = (*reader)->Next().status();
  EXPECT_TRUE(status.Is(ErrorClass::SOURCE_ENCODING)) << status.ToString();
  EXPECT_THAT(status.ToString(), HasSubstr("public.t"));
  ASSERT_TRUE(OpenStream({"t"}).ok());
  Run("UPDATE t SET id = 2");
  status = Status::Ok();
  for (auto end = In(kPatience); status.ok() && std::chrono::steady_clock::now() < end;)
    status = stream_->Next(end).status();
  EXPECT_TRUE(status.Is(ErrorClass::SOURCE_ENCODING)) << status.ToString();
}

TEST_F(TablesTest, ARowThatDoesNotFitDoesNotCutTheBatchesOfOthers) {
  Run("CREATE TYPE pair AS (a int, b text); CREATE TABLE c (id int PRIMARY KEY, p pair); CREATE "
      "TABLE t (id int PRIMARY KEY)");
  OpenSource();
  ASSERT_TRUE(OpenStream({"c", "t"}).ok());
  Run("ALTER TYPE pair ADD ATTRIBUTE d int");
  Run("BEGIN; INSERT INTO c VALUES (1, (1, 'long enough to be more than a row of t', 2)); INSERT "
      "INTO t SELECT generate_series(1, 500); COMMIT");
  EXPECT_TRUE(stream_->Fence().ok());
  int batches = 0, failed = 0;
  int64_t rows = 0;
  while (true) {
    auto event = stream_->Next(In(kPatience));
    ASSERT_TRUE(event.ok()) << event.status().ToString();
    if (std::holds_alternative<record::Idle>(*event)) break;
    auto* table = std::get_if<record::TableEvent>(&*event);
    if (table == nullptr) continue;
    if (auto* batch = std::get_if<record::ChangeBatch>(table)) {
      ++batches;
      rows += batch->rows->num_rows();
    }
    failed += std::holds_alternative<record::TableFailed>(*table) ? 1 : 0;
  }
  EXPECT_EQ(failed, 1);
  EXPECT_EQ(rows, 500);
  EXPECT_EQ(batches, 1) << "one transaction, far below a batch's size";
}

TEST_F(TablesTest, RightsOnSomeColumnsOnlyAreTooFew) {
  Run("CREATE TABLE t (id int PRIMARY KEY, v text, secret text); CREATE PUBLICATION given FOR "
      "TABLE "
      "t WITH (publish_via_partition_root = true)");
  BecomeReader("GRANT SELECT (id, v) ON t TO {role}");
  OpenSource();
  Status problem = Problems()["t"];
  EXPECT_TRUE(problem.Is(ErrorClass::SOURCE_PRIVILEGE)) << problem.ToString();
  EXPECT_THAT(std::string(problem.remedy()), HasSubstr("GRANT SELECT ON \"public\".\"t\""));
}

}  // namespace
}  // namespace freshet::sources::postgres
