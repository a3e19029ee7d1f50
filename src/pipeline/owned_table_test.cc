// SPDX-License-Identifier: Apache-2.0
#include "pipeline/owned_table.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "apply/table_form.h"
#include "base/random.h"
#include "delta/table.h"
#include "store/file_store.h"

namespace freshet::pipeline {
namespace {

namespace fs = std::filesystem;

class OwnedTableTest : public testing::Test {
 protected:
  OwnedTableTest() { fs::create_directories(table_); }
  ~OwnedTableTest() override { fs::remove_all(root_); }

  void Put(const std::string& name) {
    fs::create_directories(fs::path(table_ + "/" + name).parent_path());
    std::ofstream(table_ + "/" + name) << "bytes";
  }
  /// A table that says `properties` of itself.
  void Make(std::map<std::string, std::string> properties) {
    auto [protocol, metadata] = delta::Describe({.columns = {}, .properties = properties}, 1);
    delta::Table table(*store::OpenLocalStore(table_));
    delta::CommitInfo info;
    info.operation = "CREATE TABLE";
    info.txn_id = RandomUuid();
    info.engine = "test";
    ASSERT_TRUE(table.Commit(nullptr, std::move(info), {protocol, metadata}).ok());
    Put("part-0.parquet");
  }
  static std::map<std::string, std::string> Mark(const std::string& staging,
                                                 const std::string& pipeline = "ingest") {
    apply::TableMark mark;
    mark.staging = staging;
    mark.flow = "f";
    mark.table = "t";
    mark.pipeline = pipeline;
    return mark.ToProperties();
  }
  bool Remove(const std::string& staging, bool unfinished = true) {
    auto removed = RemoveTableOf(table_, {staging}, unfinished);
    EXPECT_TRUE(removed.ok()) << removed.status().ToString();
    EXPECT_EQ(fs::exists(table_), !*removed);
    return *removed;
  }

  const std::string root_ = testing::TempDir() + "owned_table_" + RandomHex(6);
  const std::string table_ = root_ + "/sales/orders";
};

TEST_F(OwnedTableTest, OnlyItsOwnStagingRemovesATable) {
  Make(Mark("ours"));
  EXPECT_FALSE(Remove("theirs"));
  EXPECT_FALSE(Remove(""));
  EXPECT_TRUE(*IsTableOf(table_, {"ours"}));
  EXPECT_TRUE(Remove("ours"));
  EXPECT_TRUE(fs::is_empty(root_ + "/sales"));
  EXPECT_TRUE(Remove("ours"));
}

TEST_F(OwnedTableTest, PipelinesOverOneStagingHaveTablesOfTheirOwn) {
  Make(Mark("ours", "one"));
  EXPECT_FALSE(*IsTableOf(table_, {"ours"}));
  EXPECT_FALSE(*IsTableOf(table_, {"ours", "two"}));
  EXPECT_FALSE(*RemoveTableOf(table_, {"ours", "two"}, true));
  EXPECT_TRUE(*IsTableOf(table_, {"ours", "one"}));
  EXPECT_TRUE(*RemoveTableOf(table_, {"ours", "one"}, true));
}

TEST_F(OwnedTableTest, AnotherProgramsTableStaysAsItIs) {
  Make({{"delta.appendOnly", "false"}});
  auto before = fs::last_write_time(table_);
  EXPECT_FALSE(Remove("ours"));
  // Not even looked at by writing.
  EXPECT_EQ(fs::last_write_time(table_), before);
  EXPECT_TRUE(fs::exists(table_ + "/part-0.parquet"));
}

TEST_F(OwnedTableTest, ATableThatCannotBeReadIsRefused) {
  Put("_delta_log/00000000000000000000.json");
  EXPECT_FALSE(RemoveTableOf(table_, {"ours"}, true).ok());
  EXPECT_TRUE(fs::exists(table_ + "/_delta_log/00000000000000000000.json"));
}

TEST_F(OwnedTableTest, WhatWasBegunAndHasNoLogGoesOnlyWhereItIsSaid) {
  Put("part-0.parquet");
  EXPECT_FALSE(Remove("ours", false));
  EXPECT_TRUE(Remove("ours", true));
}

TEST_F(OwnedTableTest, ARemovalThatWasCutShortGoesOn) {
  Make(Mark("ours"));
  fs::rename(table_, root_ + "/sales/.freshet_removed_ours");
  fs::remove_all(root_ + "/sales/.freshet_removed_ours/_delta_log");
  EXPECT_TRUE(Remove("ours"));
  EXPECT_TRUE(fs::is_empty(root_ + "/sales"));
}

}  // namespace
}  // namespace freshet::pipeline
