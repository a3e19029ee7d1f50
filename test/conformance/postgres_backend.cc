// SPDX-License-Identifier: Apache-2.0
// A database of its own on the server that test/real/with_postgres.sh starts.
#include <spawn.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>

#include "base/random.h"
#include "fixture.h"
#include "sources/postgres/connection.h"
#include "sources/postgres/source.h"

namespace freshet::conformance {
namespace {

using sources::postgres::Config;
using sources::postgres::Connection;
using sources::postgres::QuoteIdentifier;
using sources::postgres::QuoteLiteral;

std::string LiteralOf(const Literal& value) { return value ? QuoteLiteral(*value) : "NULL"; }

class PostgresBackend final : public TestBackend {
 public:
  PostgresBackend() {
    const char* uri = std::getenv("FRESHET_TEST_POSTGRES");
    const char* directory = std::getenv("FRESHET_TEST_POSTGRES_DIR");
    if (uri == nullptr || directory == nullptr) {
      ADD_FAILURE() << "run through test/real/with_postgres.sh";
      std::abort();
    }
    directory_ = directory;
    auto admin = sources::postgres::ParseUri(uri);
    EXPECT_TRUE(admin.ok());
    admin_config_ = config_ = *std::move(admin);
    database_ = "conformance_" + RandomHex(6);
    for (auto& [name, value] : config_.parameters) {
      if (name == "dbname") value = database_;
    }
    config_.slot = config_.publication = "freshet_" + database_;
    config_.scratch_folder = std::filesystem::temp_directory_path().string();
    MakeDatabase();
  }
  ~PostgresBackend() override { DropDatabase(); }

  Facts facts() const override {
    return {.types_page = FRESHET_ROOT "/src/sources/postgres/TYPES.md",
            .schema = "public",
            .long_type = "bigint",
            .text_type = "text"};
  }
  void CreateTable(const std::string& table, const std::vector<Column>& columns,
                   bool keyed) override {
    std::string sql;
    for (const auto& column : columns) {
      sql += (sql.empty() ? "" : ", ") + QuoteIdentifier(column.name) + " " + column.type;
      if (keyed && &column == &columns[0]) sql += " PRIMARY KEY";
    }
    names_[table] = columns;
    Run("CREATE TABLE " + QuoteIdentifier(table) + " (" + sql + ")");
  }
  void Commit(const std::vector<Act>& acts) override {
    std::string sql = "BEGIN; ";
    for (const auto& act : acts)
      sql += std::visit([&](const auto& each) { return SqlOf(each); }, act) + "; ";
    Run(sql + "COMMIT");
  }
  void Restart() override {
    session_.reset();
    Script("kill");
    Script("start");
    Connect();
  }
  void Suffer(Misfortune misfortune) override;
  Result<std::unique_ptr<sources::Source>> Open() override {
    return sources::postgres::Open(config_);
  }
  std::vector<std::string> Examples(const std::string& type) const override;

 private:
  std::string SqlOf(const Insert& insert) {
    std::string values;
    for (const auto& value : insert.row) values += (values.empty() ? "" : ", ") + LiteralOf(value);
    return "INSERT INTO " + QuoteIdentifier(insert.table) + " VALUES (" + values + ")";
  }
  std::string SqlOf(const Update& update) {
    std::string sets;
    for (const auto& [name, value] : update.values)
      sets += (sets.empty() ? "" : ", ") + QuoteIdentifier(name) + " = " + LiteralOf(value);
    return "UPDATE " + QuoteIdentifier(update.table) + " SET " + sets + Where(update);
  }
  std::string SqlOf(const Delete& each) {
    return "DELETE FROM " + QuoteIdentifier(each.table) + Where(each);
  }
  static std::string SqlOf(const Truncate& each) {
    return "TRUNCATE " + QuoteIdentifier(each.table);
  }
  static std::string SqlOf(const Drop& each) { return "DROP TABLE " + QuoteIdentifier(each.table); }
  static std::string SqlOf(const AddColumn& each) {
    return "ALTER TABLE " + QuoteIdentifier(each.table) + " ADD COLUMN " +
           QuoteIdentifier(each.column.name) + " " + each.column.type;
  }
  template <typename T>
  std::string Where(const T& act) {
    return " WHERE " + QuoteIdentifier(names_[act.table][0].name) + " = " + QuoteLiteral(act.key);
  }

  void Run(const std::string& sql) {
    Status status = session_->Execute(sql);
    EXPECT_TRUE(status.ok()) << sql.substr(0, 1000) << "\n" << status.ToString();
  }
  void Connect() {
    auto session = Connection::Connect(config_, Connection::Mode::kQuery);
    ASSERT_TRUE(session.ok()) << session.status().ToString();
    session_ = std::move(*session);
    Run("SET search_path = public");
  }
  std::unique_ptr<Connection> Admin() {
    auto admin = Connection::Connect(admin_config_, Connection::Mode::kQuery);
    EXPECT_TRUE(admin.ok()) << admin.status().ToString();
    return admin.ok() ? std::move(*admin) : nullptr;
  }
  void MakeDatabase() {
    auto admin = Admin();
    Status made = admin->Execute("CREATE DATABASE " + database_);
    EXPECT_TRUE(made.ok()) << made.ToString();
    Connect();
    Run("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE point3 AS (x int, y text); "
        "CREATE DOMAIN amount AS numeric(12,3); CREATE EXTENSION hstore; CREATE TYPE plain; "
        "CREATE FUNCTION plain_in(cstring) RETURNS plain AS 'textin' LANGUAGE internal IMMUTABLE "
        "STRICT; CREATE FUNCTION plain_out(plain) RETURNS cstring AS 'textout' LANGUAGE internal "
        "IMMUTABLE STRICT; CREATE TYPE plain (INPUT = plain_in, OUTPUT = plain_out)");
  }
  /// End whoever reads the slot, and wait until the server has noticed.
  void FreeSlot(Connection* admin) {
    auto end = Soon();
    while (std::chrono::steady_clock::now() < end) {
      auto active = admin->Query(
          "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = $1 "
          "AND active",
          {database_});
      if (active.ok() && active->empty()) return;
    }
    ADD_FAILURE() << "the slot of " << database_ << " stays in use";
  }
  void DropSlots(Connection* admin) {
    FreeSlot(admin);
    auto dropped = admin->Query(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1",
        {database_});
    EXPECT_TRUE(dropped.ok()) << dropped.status().ToString();
  }
  void DropDatabase() {
    session_.reset();
    auto admin = Admin();
    if (admin == nullptr) return;
    DropSlots(admin.get());
    Status gone = admin->Execute("DROP DATABASE " + database_ + " WITH (FORCE)");
    EXPECT_TRUE(gone.ok()) << gone.ToString();
  }
  void Script(const char* command) {
    std::string script = FRESHET_ROOT "/tools/postgres-real.sh", word = command;
    std::array<char*, 4> arguments{script.data(), word.data(), directory_.data(), nullptr};
    pid_t process = 0;
    ASSERT_EQ(posix_spawn(&process, script.c_str(), nullptr, nullptr, arguments.data(), environ),
              0);
    int ended = 0;
    ASSERT_EQ(waitpid(process, &ended, 0), process);
    ASSERT_EQ(ended, 0) << command;
  }

  std::string directory_, database_;
  Config admin_config_, config_;
  std::unique_ptr<Connection> session_;
  std::map<std::string, std::vector<Column>> names_;
};

void PostgresBackend::Suffer(Misfortune misfortune) {
  auto admin = Admin();
  ASSERT_NE(admin, nullptr);
  switch (misfortune) {
    case Misfortune::kForgotten:
      DropSlots(admin.get());
      return;
    case Misfortune::kMoved:
      FreeSlot(admin.get());
      Run("SELECT pg_replication_slot_advance('" + config_.slot + "', pg_current_wal_lsn())");
      return;
    case Misfortune::kReplaced:
      DropDatabase();
      MakeDatabase();
      return;
  }
}

std::vector<std::string> PostgresBackend::Examples(const std::string& type) const {
  static const std::map<std::string, std::vector<std::string>> kExamples = {
      {"boolean", {"true", "false"}},
      {"smallint", {"0", "-32768", "32767"}},
      {"integer", {"0", "-2147483648", "2147483647"}},
      {"bigint", {"0", "-9223372036854775808", "9223372036854775807"}},
      {"oid", {"0", "4294967295"}},
      {"numeric(38,10)", {"1.5", "-9999999999999999999999999999.9999999999", "NaN"}},
      {"numeric", {"1.50", "123456789012345678901234567890123456789012345.678", "NaN"}},
      {"real", {"0.5", "3.4028235e38", "1e-45", "NaN", "-Infinity"}},
      {"double precision", {"0.1", "1.7976931348623157e308", "5e-324", "NaN", "Infinity"}},
      {"text", {"text", "", "line\nbreak \\ 'quoted' ünïcode 表"}},
      {"varchar(10)", {"ab", ""}},
      {"char(5)", {"ab", ""}},
      {"name", {"some name", ""}},
      {"bytea", {"\\x00ff", "\\x"}},
      {"date", {"2026-01-02", "1969-12-31", "0001-01-01", "9999-12-31", "infinity"}},
      {"time", {"23:59:59.999999", "24:00:00"}},
      {"timetz", {"23:59:59.999999-08"}},
      {"timestamp", {"2026-01-02 03:04:05.678901", "1969-12-31 23:59:59.999999", "-infinity"}},
      {"timestamptz", {"2026-01-02 03:04:05.678901+02", "1582-10-04 00:00:00+00", "infinity"}},
      {"interval", {"-1 year 2 mons 3 days 04:05:06.789"}},
      {"uuid", {"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}},
      {"json", {R"({"a":  1, "a": 2})", "null"}},
      {"jsonb", {R"({"b": 1, "a": [null, true]})", "null"}},
      {"mood", {"sad", "ok"}},
      {"money", {"1.50"}},
      {"inet", {"::1/64"}},
      {"bit(5)", {"10101"}},
      {"xml", {"<a>b</a>"}},
      {"numeric(3,-2)", {"12300"}},
      {"\"char\"", {"a"}},
      {"point", {"(1.5,-2)"}},
      {"int4range", {"[1,5)", "empty"}},
      {"int4multirange", {"{[1,5),[7,9)}"}},
      {"tsvector", {"a:1 b:2"}},
      {"regtype", {"integer"}},
      {"int2vector", {"1 2"}},
      {"amount", {"1.5", "NaN"}},
      {"point3", {"(1,a)", "(,\"b c\")"}},
      {"hstore", {"a=>1, b=>NULL", ""}},
      {"plain", {"any text", ""}},
      {"integer[][]", {"{{1,2},{3,4}}"}},
      {"box[]", {"{(1,1),(0,0)}"}},
      {"integer[]", {"{1,NULL,-3}", "{}", "{{1,2},{3,4}}"}},
      {"text[]", {R"({"",NULL,"NULL","a b"})", "{}"}},
  };
  auto found = kExamples.find(type);
  return found == kExamples.end() ? std::vector<std::string>() : found->second;
}

}  // namespace

std::unique_ptr<TestBackend> MakeBackend() { return std::make_unique<PostgresBackend>(); }

}  // namespace freshet::conformance
