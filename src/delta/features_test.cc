// SPDX-License-Identifier: Apache-2.0
#include "delta/features.h"

#include <gtest/gtest.h>

#include "delta/commit_duties.h"
#include "delta/log.h"
#include "fakes/fake_clock.h"
#include "store/memory_store.h"

namespace freshet::delta {
namespace {

using Names = std::set<std::string>;

Column ColumnOf(const std::string& name, std::shared_ptr<arrow::DataType> type) {
  Column column;
  column.name = column.physical = name;
  column.id = record::ColumnId(1);
  column.type = std::move(type);
  return column;
}

Protocol For(std::map<std::string, std::string> properties, const Protocol* now = nullptr,
             std::shared_ptr<arrow::DataType> type = arrow::int64()) {
  Metadata metadata;
  metadata.configuration = std::move(properties);
  return ProtocolFor(metadata, {ColumnOf("id", std::move(type))}, now);
}

TEST(Features, AProtocolNamesWhatATableUsesAndNoMore) {
  EXPECT_EQ(For({}), (Protocol{1, 2, {}, {}}));
  const Protocol vectors = For({{"delta.enableDeletionVectors", "true"}});
  EXPECT_EQ(vectors, (Protocol{3, 7, {"deletionVectors"}, {"deletionVectors"}}));
  EXPECT_EQ(For({}, nullptr, arrow::list(arrow::timestamp(arrow::TimeUnit::MICRO))),
            (Protocol{3, 7, {"timestampNtz"}, {"timestampNtz"}}));
  EXPECT_EQ(For({{"delta.enableRowTracking", "true"}, {"delta.enableInCommitTimestamps", "true"}}),
            (Protocol{1, 7, {}, {"domainMetadata", "inCommitTimestamp", "rowTracking"}}));
}

TEST(Features, OldVersionsStayAsLongAsTheySuffice) {
  EXPECT_EQ(For({{"delta.columnMapping.mode", "name"}}), (Protocol{2, 5, {}, {}}));
  EXPECT_EQ(For({{"delta.enableChangeDataFeed", "true"}}), (Protocol{1, 4, {}, {}}));
  const Protocol old{1, 2, {}, {}};
  EXPECT_EQ(For({}, &old), old);
  EXPECT_EQ(For({{"delta.enableInCommitTimestamps", "true"}}, &old),
            (Protocol{1, 7, {}, {"appendOnly", "inCommitTimestamp", "invariants"}}));
  const Protocol mapped{2, 5, {}, {}};
  const auto upgraded = For({{"delta.enableDeletionVectors", "true"}}, &mapped);
  EXPECT_EQ(upgraded.min_reader, 3);
  EXPECT_EQ(upgraded.reader_features, (Names{"columnMapping", "deletionVectors"}));
  EXPECT_TRUE(upgraded.writer_features.contains("generatedColumns"));
  EXPECT_FALSE(upgraded.writer_features.contains("identityColumns"));
}

TEST(Features, TheColumnsToKeepStatisticsOfAreNamedInOneOfManyWays) {
  Metadata metadata;
  EXPECT_TRUE(StatisticsColumns(metadata).empty());
  metadata.configuration["delta.dataSkippingStatsColumns"] = "id, `a b`.c,d.`e`, `f.g`";
  EXPECT_EQ(StatisticsColumns(metadata), (std::vector<std::string>{"id", "a b", "d", "f.g"}));
}

TEST(Features, AProtocolNeverShrinks) {
  const Protocol now{3, 7, {"v2Checkpoint"}, {"v2Checkpoint", "clustering"}};
  EXPECT_EQ(For({}, &now), now);
  const auto more = For({{"delta.enableDeletionVectors", "true"}}, &now);
  EXPECT_EQ(more.reader_features, (Names{"deletionVectors", "v2Checkpoint"}));
  EXPECT_EQ(more.writer_features, (Names{"clustering", "deletionVectors", "v2Checkpoint"}));
  const auto gained = FeaturesGained(now, more);
  EXPECT_EQ(gained, std::vector<std::string>{"deletionVectors"});
  EXPECT_NE(LosersOf(gained).find("delta-rs"), std::string::npos);
}

TEST(Features, ASwitchBindsOnlyWithItsFeature) {
  Metadata metadata;
  metadata.configuration["delta.enableChangeDataFeed"] = "true";
  EXPECT_FALSE(IsOn({3, 7, {}, {"deletionVectors"}}, metadata, kEnableFeed));
  EXPECT_TRUE(IsOn({3, 7, {}, {"changeDataFeed"}}, metadata, kEnableFeed));
  EXPECT_TRUE(IsOn({1, 4, {}, {}}, metadata, kEnableFeed)) << "implied";
  EXPECT_FALSE(IsOn({1, 3, {}, {}}, metadata, kEnableFeed));
  EXPECT_FALSE(IsOn({1, 4, {}, {}}, {}, kEnableFeed));
}

/// A table whose clock the test moves.
class DutiesTest : public ::testing::Test {
 protected:
  std::vector<Action> Described(std::map<std::string, std::string> properties) {
    auto [protocol, metadata] =
        Describe({{ColumnOf("id", arrow::int64())}, std::move(properties), false}, 1);
    return {protocol, metadata};
  }
  static AddFile File(const std::string& path, int64_t rows) {
    AddFile add;
    add.path = path;
    add.bytes = 4;
    add.stats_json = fmt::format(R"({{"numRecords":{}}})", rows);
    return add;
  }
  void Commit(std::vector<Action> actions, int64_t at_ms) {
    CommitInfo info;
    info.at_ms = at_ms;
    auto after = table_.Commit(state_, info, std::move(actions));
    ASSERT_TRUE(after.ok()) << after.status().ToString();
    state_ = *after;
  }
  std::optional<int64_t> TimeOf(int64_t version) {
    auto actions = ReadCommit(*store_, version);
    EXPECT_TRUE(actions.ok());
    return std::get<CommitInfo>(actions->at(0)).in_commit_at_ms;
  }

  fakes::FakeClock clock_;
  std::shared_ptr<store::FileStore> store_ = store::MakeMemoryStore(&clock_);
  Table table_{store_};
  std::shared_ptr<const Snapshot> state_;
};

TEST_F(DutiesTest, TimesOfCommitsOnlyGrow) {
  Commit(Described({{"delta.enableInCommitTimestamps", "true"}}), 1000);
  Commit({File("a", 1)}, 2000);
  Commit({File("b", 1)}, 1500);  // the clock went back
  ASSERT_TRUE(table_.Checkpoint(*state_).ok());
  state_ = *Table(store_).Latest(nullptr);
  EXPECT_FALSE(state_->commit_time_ms.has_value()) << "a checkpoint does not say";
  Commit({File("c", 1)}, 1600);
  for (const auto& [version, time] :
       std::map<int64_t, int64_t>{{0, 1000}, {1, 2000}, {2, 2001}, {3, 2002}})
    EXPECT_EQ(TimeOf(version), time) << version;
}

TEST_F(DutiesTest, TimesThatAreTurnedOnLaterComeAfterTheFileBefore) {
  Commit(Described({}), 1000);
  EXPECT_FALSE(TimeOf(0).has_value());
  const int64_t written_ms = clock_.WallNow() / 1000;
  auto turned_on = Described({{"delta.enableInCommitTimestamps", "true"}});
  std::get<Metadata>(turned_on[1]).id = state_->metadata.id;
  Commit(turned_on, 10);
  EXPECT_EQ(TimeOf(1), written_ms + 1);
  const auto& properties = state_->metadata.configuration;
  EXPECT_EQ(properties.at("delta.inCommitTimestampEnablementVersion"), "1");
  EXPECT_EQ(properties.at("delta.inCommitTimestampEnablementTimestamp"),
            std::to_string(written_ms + 1));
}

TEST_F(DutiesTest, RowsHaveIdsThatAreNeverGivenAgain) {
  Commit(Described({{"delta.enableRowTracking", "true"}}), 1);
  EXPECT_TRUE(
      state_->metadata.configuration.contains("delta.rowTracking.materializedRowIdColumnName"));
  Commit({File("a", 3), File("b", 2)}, 2);
  EXPECT_EQ(state_->files.at("a").base_row_id, 0);
  EXPECT_EQ(state_->files.at("b").base_row_id, 3);
  EXPECT_EQ(state_->files.at("b").default_row_commit_version, 1);
  EXPECT_EQ(state_->domains.at("delta.rowTracking").configuration, R"({"rowIdHighWaterMark":4})");
  // A file that is added again, with a vector, keeps its own.
  RemoveFile remove;
  remove.path = "b";
  AddFile marked = File("b", 2);
  marked.deletion_vector = DeletionVectorDescriptor{'i', "00000", std::nullopt, 4, 1};
  RemoveFile gone;
  gone.path = "a";
  Commit({remove, marked, gone, File("c", 1)}, 3);
  EXPECT_EQ(state_->files.at("b").base_row_id, 3);
  EXPECT_EQ(state_->files.at("b").default_row_commit_version, 1);
  EXPECT_EQ(state_->files.at("c").base_row_id, 5);
  ASSERT_TRUE(table_.Checkpoint(*state_).ok());
  state_ = *Table(store_).Latest(nullptr);
  Commit({File("d", 1)}, 4);
  EXPECT_EQ(state_->files.at("d").base_row_id, 6);
  EXPECT_EQ(state_->files.at("d").default_row_commit_version, 3);
  AddFile uncounted = File("e", 1);
  uncounted.stats_json.clear();
  EXPECT_TRUE(table_.Commit(state_, {}, {uncounted}).status().Is(ErrorClass::DELTA_UNSUPPORTED));
}

TEST_F(DutiesTest, FilesThatWereThereGetIdsWithTheFeature) {
  Commit(Described({}), 1);
  Commit({File("a", 3), File("b", 2)}, 2);
  auto turned_on = Described({{"delta.enableRowTracking", "true"}});
  std::get<Metadata>(turned_on[1]).id = state_->metadata.id;
  RemoveFile gone;
  gone.path = "a";
  turned_on.emplace_back(gone);
  turned_on.emplace_back(File("c", 4));
  Commit(turned_on, 3);
  EXPECT_EQ(state_->files.size(), 2U);
  std::set<int64_t> ids;
  for (const auto& [path, file] : state_->files) {
    ids.insert(file.base_row_id.value());
    EXPECT_EQ(file.default_row_commit_version, 2) << path;
  }
  EXPECT_EQ(ids.size(), 2U);
  EXPECT_EQ(state_->domains.at("delta.rowTracking").configuration, R"({"rowIdHighWaterMark":5})");
}

TEST_F(DutiesTest, NoIdsAreGivenWhileThatIsSuspended) {
  Commit(Described({{"delta.enableRowTracking", "true"}}), 1);
  Commit({File("a", 3)}, 2);
  Metadata off = state_->metadata;
  off.configuration["delta.enableRowTracking"] = "false";
  off.configuration["delta.rowTrackingSuspended"] = "true";
  Commit({off}, 3);
  Commit({File("b", 2)}, 4);
  EXPECT_FALSE(state_->files.at("b").base_row_id.has_value());
  EXPECT_EQ(state_->files.at("a").base_row_id, 0);
  Metadata on = state_->metadata;
  on.configuration["delta.enableRowTracking"] = "true";
  Commit({on}, 5);
  EXPECT_EQ(state_->metadata.configuration.at("delta.rowTrackingSuspended"), "false");
  EXPECT_EQ(state_->files.at("b").base_row_id, 3);
  EXPECT_EQ(state_->files.at("a").base_row_id, 0);
}

TEST_F(DutiesTest, FilesThatCameWithoutIdsWhileTheyWereOffGetTheirs) {
  Commit(Described({{"delta.enableRowTracking", "true"}}), 1);
  Metadata off = state_->metadata;
  off.configuration["delta.enableRowTracking"] = "false";
  Commit({off}, 2);
  Commit({File("a", 3)}, 3);
  // As of a writer that goes by the property alone.
  const std::string foreign =
      R"({"add":{"path":"b","partitionValues":{},"size":4,"modificationTime":1,"dataChange":true,)"
      R"("stats":"{\"numRecords\":2}"}})";
  ASSERT_TRUE(store_->Put(CommitPath(3), foreign, store::If::kAbsent).ok());
  state_ = *Table(store_).Latest(nullptr);
  ASSERT_FALSE(state_->files.at("b").base_row_id.has_value());
  Metadata on = state_->metadata;
  on.configuration["delta.enableRowTracking"] = "true";
  Commit({on}, 5);
  EXPECT_EQ(state_->files.at("b").base_row_id, 3);
}

TEST_F(DutiesTest, VectorsThatWereThereStayWhereNoneMayCome) {
  Commit(Described({{"delta.enableDeletionVectors", "true"}}), 1);
  AddFile marked = File("a", 2);
  marked.deletion_vector = DeletionVectorDescriptor{'i', "00000", std::nullopt, 4, 1};
  Commit({marked, File("b", 2)}, 2);
  Metadata off = state_->metadata;
  off.configuration["delta.enableDeletionVectors"] = "false";
  Commit({off}, 3);
  AddFile other = File("c", 2);
  other.deletion_vector = marked.deletion_vector;
  EXPECT_TRUE(table_.Commit(state_, {}, {other}).status().Is(ErrorClass::DELTA_UNSUPPORTED));
  // Added again as it is, for its row ids.
  Metadata ids = state_->metadata;
  ids.configuration["delta.enableRowTracking"] = "true";
  Commit({ProtocolFor(ids, state_->columns, &state_->protocol), ids}, 4);
  EXPECT_EQ(state_->files.at("a").base_row_id, 0);
  EXPECT_TRUE(state_->files.at("a").deletion_vector.has_value());
}

TEST(Features, WhatACommitCouldNotKeepIsNotGiven) {
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"delta.setTransactionRetentionDuration", "interval 1 day"},
           {"delta.checkpointPolicy", "v2"},
           {"delta.logRetentionDuration", "a week"},
           {"delta.deletedFileRetentionDuration", "interval 1 month"},
           {"delta.rowTrackingSuspended", "true"},
           {"delta.appendOnly", "true"}})
    EXPECT_TRUE(CheckProperty(name, value).Is(ErrorClass::INVALID_ARGUMENT)) << name;
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"delta.checkpointPolicy", "classic"},
           {"delta.logRetentionDuration", "interval 9 days"},
           {"delta.deletedFileRetentionDuration", "interval 1 week"},
           {"owner", "me"}})
    EXPECT_TRUE(CheckProperty(name, value).ok()) << name;
}

}  // namespace
}  // namespace freshet::delta
