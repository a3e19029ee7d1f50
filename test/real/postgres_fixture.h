// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/scalar.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "sources/postgres/connection.h"
#include "sources/postgres/lsn.h"
#include "sources/postgres/source.h"

namespace freshet::sources::postgres {

/// For what is sure to come, on a slow machine too.
inline constexpr std::chrono::seconds kPatience{120};
inline Deadline In(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

/// A database of its own on the server that FRESHET_TEST_POSTGRES names; slots and database go at
/// the end.
class PostgresTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* uri = std::getenv("FRESHET_TEST_POSTGRES");
    ASSERT_NE(uri, nullptr) << "run through test/real/with_postgres.sh";
    auto admin_config = ParseUri(uri);
    ASSERT_TRUE(admin_config.ok());
    auto admin = Connection::Connect(*admin_config, Connection::Mode::kQuery);
    ASSERT_TRUE(admin.ok()) << admin.status().ToString();
    admin_ = std::move(*admin);
    database_ = "test_" + RandomHex(6);
    ASSERT_TRUE(admin_->Execute("CREATE DATABASE " + database_).ok());
    config_ = *admin_config;
    for (auto& [name, value] : config_.parameters) {
      if (name == "dbname") value = database_;
    }
    config_.slot = "freshet_" + database_;
    config_.publication = config_.slot;
    session_ = NewSession();
  }
  void TearDown() override {
    stream_.reset();
    source_.reset();
    session_.reset();
    if (admin_ == nullptr) return;
    (void)admin_->Execute(
        "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = '" +
        database_ + "'");
    for (auto end = In(kPatience); std::chrono::steady_clock::now() < end;) {
      auto left = admin_->Query(
          "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = "
          "$1 AND NOT active",
          {database_});
      auto rows =
          admin_->Query("SELECT 1 FROM pg_replication_slots WHERE database = $1", {database_});
      if (left.ok() && rows.ok() && rows->empty()) break;
    }
    (void)admin_->Execute("DROP DATABASE " + database_ + " WITH (FORCE)");
  }

  std::unique_ptr<Connection> NewSession() {
    auto session = Connection::Connect(config_, Connection::Mode::kQuery);
    EXPECT_TRUE(session.ok()) << session.status().ToString();
    if (!session.ok()) return nullptr;
    EXPECT_TRUE((*session)->Execute("SET search_path = public").ok());
    return std::move(*session);
  }
  void Run(const std::string& sql) {
    Status status = session_->Execute(sql);
    ASSERT_TRUE(status.ok()) << sql << "\n" << status.ToString();
  }
  std::string Ask(const std::string& sql) {
    auto rows = session_->Query(sql);
    EXPECT_TRUE(rows.ok()) << sql << "\n" << rows.status().ToString();
    return rows.ok() && !rows->empty() ? std::string(rows->text(0, 0)) : "";
  }

  /// Wait until the server answers yes: it notices the end of a session some time after it.
  void Await(const std::string& sql) {
    for (auto end = In(kPatience); std::chrono::steady_clock::now() < end;) {
      if (Ask(sql) == "t") return;
    }
    ADD_FAILURE() << "it never came: " << sql;
  }
  void AwaitFreeSlot() {
    Await("SELECT NOT active FROM pg_replication_slots WHERE slot_name = '" + config_.slot + "'");
  }

  void OpenSource() {
    auto source = Open(config_);
    ASSERT_TRUE(source.ok()) << source.status().ToString();
    source_ = std::move(*source);
  }
  std::shared_ptr<const record::TableShape> Shape(const std::string& table) {
    auto shape = source_->Describe(record::TableId(Ask("SELECT '" + table + "'::regclass::oid")));
    EXPECT_TRUE(shape.ok()) << shape.status().ToString();
    if (!shape.ok()) return nullptr;
    shape->version = 1;
    return std::make_shared<record::TableShape>(*std::move(shape));
  }
  Status OpenStream(const std::vector<std::string>& tables, const record::Cursor& from = {}) {
    std::vector<std::shared_ptr<const record::TableShape>> shapes;
    for (const auto& table : tables) shapes.push_back(Shape(table));
    auto stream = source_->OpenChanges(shapes, from);
    if (!stream.ok()) return stream.status();
    stream_ = std::move(*stream);
    return Status::Ok();
  }

  std::string database_;
  Config config_;
  std::unique_ptr<Connection> admin_;
  std::unique_ptr<Connection> session_;
  std::unique_ptr<Source> source_;
  std::unique_ptr<ChangeStream> stream_;
};

/// Read a chunk to its end, or to what keeps it from that; then it holds no lock any more.
inline Status ReadToEnd(Result<std::unique_ptr<ChunkReader>> reader) {
  FRESHET_CHECK_OK(reader);
  while (true) {
    FRESHET_TRY(auto batch, (*reader)->Next());
    if (batch == nullptr) return Status::Ok();
  }
}

/// One value as text: `-` null; whatever Arrow prints otherwise.
inline std::string Text(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return "-";
  if (array.type_id() == arrow::Type::STRING)
    return static_cast<const arrow::StringArray&>(array).GetString(row);
  return array.GetScalar(row).ValueOrDie()->ToString();
}
/// The first `width` columns of a row, comma-separated.
inline std::string RowText(const arrow::RecordBatch& batch, int64_t row, int width) {
  std::string text;
  for (int i = 0; i < width; ++i) text += (i > 0 ? "," : "") + Text(*batch.column(i), row);
  return text;
}

}  // namespace freshet::sources::postgres
