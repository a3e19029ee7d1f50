// SPDX-License-Identifier: Apache-2.0
#include "catalog/secret_box.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>

#include "base/random.h"
#include "catalog/catalog.h"

namespace freshet::catalog {
namespace {

class SecretBoxTest : public testing::Test {
 protected:
  SecretBoxTest() {
    std::filesystem::create_directories(folder_);
    std::array<store::Migrations, 1> migrations{kMigrations};
    database_ = std::move(store::Database::Open(folder_ + "/freshet.db", migrations)).value();
  }
  ~SecretBoxTest() override { std::filesystem::remove_all(folder_); }

  void Keep(const SecretBox& box, const std::string& name, const std::string& value) {
    ASSERT_TRUE(database_
                    ->Execute("INSERT OR REPLACE INTO secrets VALUES ('c', ?, ?)",
                              {name, box.Seal("c/" + name, Secret(value))})
                    .ok());
  }
  Result<Secret> Kept(const SecretBox& box, const std::string& name) {
    auto rows = database_->Query("SELECT sealed FROM secrets WHERE name = ?", {name});
    return box.Open("c/" + name, rows->at(0).text(0));
  }

  const std::string folder_ = testing::TempDir() + "secret_box_" + RandomHex(6);
  const KeySource source_{.key = {}, .path = folder_ + "/master.key"};
  std::unique_ptr<store::Database> database_;
};

TEST_F(SecretBoxTest, WhatIsSealedOpensWhereItWasSealedOnly) {
  auto box = SecretBox::FromKey(Secret(RandomHex(32)));
  ASSERT_TRUE(box.ok());
  auto sealed = box->Seal("connection/password", Secret("hunter2"));
  EXPECT_EQ(sealed.bytes.find("hunter2"), std::string::npos);
  EXPECT_EQ(box->Open("connection/password", sealed.bytes)->Reveal(), "hunter2");
  EXPECT_FALSE(box->Open("another/password", sealed.bytes).ok());
  auto bent = sealed.bytes;
  bent.back() ^= 1;
  EXPECT_TRUE(box->Open("connection/password", bent).status().Is(ErrorClass::DATA_CORRUPT));
  EXPECT_FALSE(box->Open("connection/password", "short").ok());
  EXPECT_NE(box->Seal("connection/password", Secret("hunter2")).bytes, sealed.bytes);
}

TEST_F(SecretBoxTest, AKeyIsSixtyFourHexDigits) {
  for (const auto& key : {RandomHex(31), RandomHex(33), std::string(64, 'x'), std::string()})
    EXPECT_TRUE(SecretBox::FromKey(Secret(key)).status().Is(ErrorClass::INVALID_ARGUMENT)) << key;
}

TEST_F(SecretBoxTest, TheKeysFileIsMadeOnceAndForItsOwner) {
  auto box = OpenBox(source_, *database_);
  ASSERT_TRUE(box.ok()) << box.status().ToString();
  struct stat info {};
  ASSERT_EQ(stat(source_.path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  Keep(*box, "password", "hunter2");
  auto again = OpenBox(source_, *database_);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(Kept(*again, "password")->Reveal(), "hunter2");
}

TEST_F(SecretBoxTest, AnotherKeyIsRefused) {
  ASSERT_TRUE(OpenBox(source_, *database_).ok());
  KeySource other{.key = Secret(RandomHex(32)), .path = source_.path};
  EXPECT_TRUE(OpenBox(other, *database_).status().Is(ErrorClass::DATA_CORRUPT));
  std::filesystem::remove(source_.path);
  EXPECT_TRUE(OpenBox(source_, *database_).status().Is(ErrorClass::NOT_FOUND));
  EXPECT_FALSE(std::filesystem::exists(source_.path));
}

TEST_F(SecretBoxTest, RotationSealsEverythingAnew) {
  auto old = OpenBox(source_, *database_);
  ASSERT_TRUE(old.ok());
  Keep(*old, "password", "hunter2");
  Keep(*old, "user", "alice");
  auto rotated = RotateKey(source_, *database_);
  ASSERT_TRUE(rotated.ok()) << rotated.ToString();
  EXPECT_FALSE(Kept(*old, "password").ok());
  auto box = OpenBox(source_, *database_);
  ASSERT_TRUE(box.ok());
  EXPECT_EQ(Kept(*box, "password")->Reveal(), "hunter2");
  EXPECT_EQ(Kept(*box, "user")->Reveal(), "alice");
}

TEST_F(SecretBoxTest, ARotationThatWasCutShortIsFinishedOrUndone) {
  auto box = OpenBox(source_, *database_);
  ASSERT_TRUE(box.ok());
  Keep(*box, "password", "hunter2");
  // Before anything was sealed anew: the next key is of no use.
  std::filesystem::copy_file(source_.path, source_.path + ".kept");
  FILE* next = std::fopen((source_.path + ".next").c_str(), "w");
  std::fputs(RandomHex(32).c_str(), next);
  std::fclose(next);
  box = OpenBox(source_, *database_);
  ASSERT_TRUE(box.ok()) << box.status().ToString();
  EXPECT_FALSE(std::filesystem::exists(source_.path + ".next"));
  // After everything was: the former key is still in the file's place.
  ASSERT_TRUE(RotateKey(source_, *database_).ok());
  std::filesystem::rename(source_.path, source_.path + ".next");
  std::filesystem::rename(source_.path + ".kept", source_.path);
  box = OpenBox(source_, *database_);
  ASSERT_TRUE(box.ok()) << box.status().ToString();
  EXPECT_EQ(Kept(*box, "password")->Reveal(), "hunter2");
}

TEST_F(SecretBoxTest, AHashTellsTokensApart) {
  auto token = NewToken("dapi");
  EXPECT_EQ(token.Reveal().size(), 68U);
  EXPECT_EQ(HashOf(token.Reveal()), HashOf(token.Reveal()));
  EXPECT_NE(HashOf(token.Reveal()), HashOf(NewToken("dapi").Reveal()));
}

}  // namespace
}  // namespace freshet::catalog
