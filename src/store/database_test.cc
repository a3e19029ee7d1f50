// SPDX-License-Identifier: Apache-2.0
#include "store/database.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <thread>

#include "base/random.h"

namespace freshet::store {
namespace {

constexpr std::array<std::string_view, 1> kFirst{
    "CREATE TABLE notes (id INTEGER PRIMARY KEY, name TEXT UNIQUE, body BLOB)"};
constexpr std::array<std::string_view, 2> kSecond{
    kFirst[0], "ALTER TABLE notes ADD COLUMN more TEXT; UPDATE notes SET more = 'filled'"};
constexpr std::array<std::string_view, 2> kBroken{kFirst[0],
                                                  "CREATE TABLE other (id INTEGER); nonsense"};

class DatabaseTest : public testing::Test {
 protected:
  DatabaseTest() { std::filesystem::create_directories(folder_); }
  ~DatabaseTest() override { std::filesystem::remove_all(folder_); }

  Result<std::unique_ptr<Database>> Open(std::span<const std::string_view> steps) {
    std::array<Migrations, 1> migrations{{{.module = "notes", .steps = steps}}};
    return Database::Open(path_, migrations);
  }

  const std::string folder_ = testing::TempDir() + "database_" + RandomHex(6);
  const std::string path_ = folder_ + "/freshet.db";
};

TEST_F(DatabaseTest, WhatWasCommittedIsThereAfterItIsOpenedAgain) {
  {
    auto database = Open(kFirst);
    ASSERT_TRUE(database.ok()) << database.status().ToString();
    std::string bytes("a\0b'\xff", 5);
    auto done = (*database)->Execute("INSERT INTO notes VALUES (?, ?, ?)",
                                     {int64_t{7}, "it's \"so\"; --", Blob{bytes}});
    ASSERT_TRUE(done.ok()) << done.status().ToString();
    EXPECT_EQ(*done, 1);
  }
  auto database = Open(kFirst);
  ASSERT_TRUE(database.ok());
  auto rows = (*database)->Query("SELECT id, name, body, NULL FROM notes");
  ASSERT_TRUE(rows.ok());
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_EQ(rows->at(0).number(0), 7);
  EXPECT_EQ(rows->at(0).text(1), "it's \"so\"; --");
  EXPECT_EQ(rows->at(0).text(2).size(), 5U);
  EXPECT_TRUE(rows->at(0).is_null(3));
  EXPECT_EQ(rows->at(0).number(3), 0);
}

TEST_F(DatabaseTest, OnlyItsOwnerCanReadIt) {
  auto database = Open(kFirst);
  ASSERT_TRUE(database.ok());
  for (const auto* suffix : {"", "-wal"}) {
    struct stat info {};
    ASSERT_EQ(stat((path_ + suffix).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U) << suffix;
  }
}

TEST_F(DatabaseTest, AWorkThatFailsLeavesNothing) {
  auto database = Open(kFirst);
  ASSERT_TRUE(database.ok());
  auto status = (*database)->Write([](Session& session) -> Status {
    FRESHET_CHECK_OK(session.Execute("INSERT INTO notes (name) VALUES ('a')"));
    FRESHET_CHECK_OK(session.Execute("INSERT INTO notes (name) VALUES ('a')"));
    return Status::Ok();
  });
  EXPECT_TRUE(status.Is(ErrorClass::ALREADY_EXISTS)) << status.ToString();
  EXPECT_EQ((*database)->Query("SELECT count(*) FROM notes")->at(0).number(0), 0);
  EXPECT_TRUE((*database)
                  ->Write([](Session& session) -> Status {
                    FRESHET_CHECK_OK(session.Execute("INSERT INTO notes (name) VALUES ('a')"));
                    return Status::Ok();
                  })
                  .ok());
  EXPECT_EQ((*database)->Query("SELECT count(*) FROM notes")->at(0).number(0), 1);
}

TEST_F(DatabaseTest, LaterStepsAreTakenOnce) {
  ASSERT_TRUE((*Open(kFirst))->Execute("INSERT INTO notes (name) VALUES ('old')").ok());
  for (int i = 0; i < 2; ++i) {
    auto database = Open(kSecond);
    ASSERT_TRUE(database.ok()) << database.status().ToString();
    EXPECT_EQ((*database)->Query("SELECT more FROM notes")->at(0).text(0), "filled");
  }
}

TEST_F(DatabaseTest, AStepThatFailsIsNotHalfTaken) {
  ASSERT_TRUE(Open(kFirst).ok());
  auto broken = Open(kBroken);
  ASSERT_FALSE(broken.ok());
  auto database = Open(kFirst);
  ASSERT_TRUE(database.ok());
  EXPECT_FALSE((*database)->Query("SELECT * FROM other").ok());
}

TEST_F(DatabaseTest, ALaterVersionsDatabaseIsRefused) {
  ASSERT_TRUE(Open(kSecond).ok());
  auto older = Open(kFirst);
  ASSERT_FALSE(older.ok());
  EXPECT_TRUE(older.status().Is(ErrorClass::DESTINATION_FOREIGN)) << older.status().ToString();
}

TEST_F(DatabaseTest, WhatIsNoDatabaseIsCorrupt) {
  FILE* file = std::fopen(path_.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fputs("this is a text of some length, and no database at all\n", file);
  std::fclose(file);
  auto database = Open(kFirst);
  ASSERT_FALSE(database.ok());
  EXPECT_TRUE(database.status().Is(ErrorClass::DATA_CORRUPT)) << database.status().ToString();
}

TEST_F(DatabaseTest, ThreadsTakeTurns) {
  auto database = Open(kFirst);
  ASSERT_TRUE(database.ok());
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&database] {
        for (int i = 0; i < 25; ++i) {
          EXPECT_TRUE((*database)
                          ->Write([](Session& session) -> Status {
                            FRESHET_TRY(auto rows, session.Query("SELECT count(*) FROM notes"));
                            FRESHET_CHECK_OK(session.Execute("INSERT INTO notes (id) VALUES (?)",
                                                             {rows[0].number(0) + 1}));
                            return Status::Ok();
                          })
                          .ok());
        }
      });
    }
  }
  EXPECT_EQ((*database)->Query("SELECT max(id) FROM notes")->at(0).number(0), 100);
}

TEST_F(DatabaseTest, ABackupIsAWholeDatabase) {
  {
    auto database = Open(kFirst);
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE((*database)->Execute("INSERT INTO notes (name) VALUES ('kept')").ok());
    ASSERT_TRUE((*database)->Backup(folder_ + "/copy.db").ok());
    EXPECT_TRUE((*database)->Backup(folder_ + "/copy.db").Is(ErrorClass::ALREADY_EXISTS));
  }
  std::array<Migrations, 1> migrations{{{.module = "notes", .steps = kFirst}}};
  auto copy = Database::Open(folder_ + "/copy.db", migrations);
  ASSERT_TRUE(copy.ok());
  EXPECT_EQ((*copy)->Query("SELECT name FROM notes")->at(0).text(0), "kept");
}

TEST_F(DatabaseTest, ABackupIsOfWhatIsThereAndOfItsOwnerAlone) {
  auto database = Open(kFirst);
  ASSERT_TRUE((*database)->Execute("INSERT INTO notes (name) VALUES ('kept')").ok());
  // As a later version would leave it: a copy is taken all the same, and nothing is changed.
  ASSERT_TRUE((*database)->Execute("UPDATE migrations SET steps = 99").ok());
  auto reader = Database::OpenToRead(folder_ + "/freshet.db");
  ASSERT_TRUE(reader.ok()) << reader.status().ToString();
  EXPECT_FALSE((*reader)->Execute("DELETE FROM notes").ok());
  auto copied = (*reader)->Backup(folder_ + "/copy.db");
  ASSERT_TRUE(copied.ok()) << copied.ToString();
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(folder_ + "/copy.db").permissions(),
            perms::owner_read | perms::owner_write);
  EXPECT_EQ((*database)->Query("SELECT steps FROM migrations")->at(0).number(0), 99);
  // What comes to nothing leaves nothing.
  EXPECT_FALSE((*reader)->Backup(folder_ + "/none/copy.db").ok());
  EXPECT_FALSE(Database::OpenToRead(folder_ + "/none.db").ok());
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/none.db"));
}

}  // namespace
}  // namespace freshet::store
