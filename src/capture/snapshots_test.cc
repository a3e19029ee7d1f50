// SPDX-License-Identifier: Apache-2.0
#include "capture/snapshots.h"

#include "capture/gateway_world_test.h"

namespace freshet::capture {
namespace {

TEST_F(GatewayTest, AfterACrashAHeldSnapshotIsReadOn) {
  holder_ = &held_;
  source_.chunk_rows = 1;
  Wish("1", 1);
  source_.before = [](const std::string& step) {
    return step == "chunk end 1 2" ? Error(ErrorClass::SOURCE_UNREACHABLE, "gone") : Status::Ok();
  };
  EXPECT_TRUE(Run().status().Is(ErrorClass::SOURCE_UNREACHABLE));
  EXPECT_FALSE(held_.empty());
  source_.Commit({Delete{"1", {int64_t{3}, "c"}}, Insert{"1", {int64_t{4}, "d"}}});
  std::vector<std::string> read;
  source_.before = [&](const std::string& step) {
    if (step.starts_with("chunk 1")) read.push_back(step);
    return Status::Ok();
  };
  RunWell();
  EXPECT_EQ(read, std::vector<std::string>{"chunk 1 2"}) << "chunks that are staged stay";
  EXPECT_EQ(events_.Count("snapshot_resumed"), 1);
  EXPECT_TRUE(Entries<staging::GenerationAbandoned>().empty());
  EXPECT_EQ(source_.snapshots_taken(), 1);
  EXPECT_EQ(SnapshotIds("1", 1), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(ChangeRows("1"), 2);
  auto ended = Entries<staging::GenerationEnded>();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].rows, 3);
  EXPECT_EQ(ended[0].values_nulled, 3) << "also those of the chunks before the crash";
  EXPECT_TRUE(held_.empty()) << "what is read is let go";
}

TEST_F(GatewayTest, AHeldSnapshotThatIsLostIsTakenAnew) {
  holder_ = &held_;
  source_.chunk_rows = 1;
  Wish("1", 1);
  source_.before = [](const std::string& step) {
    return step == "chunk end 1 2" ? Error(ErrorClass::SOURCE_UNREACHABLE, "gone") : Status::Ok();
  };
  EXPECT_TRUE(Run().status().Is(ErrorClass::SOURCE_UNREACHABLE));
  held_.KeepOnly({});
  source_.before = nullptr;
  RunWell();
  EXPECT_EQ(events_.Count("snapshot_resumed"), 0);
  EXPECT_EQ(Entries<staging::GenerationAbandoned>().size(), 1U);
  EXPECT_EQ(SnapshotIds("1", 2), (std::vector<int64_t>{1, 2, 3}));
}

TEST_F(GatewayTest, ASnapshotThatNoManifestNamesIsLetGo) {
  holder_ = &held_;
  Wish("1", 1);
  source_.before = [](const std::string& step) {
    return step == "resume" ? Error(ErrorClass::SOURCE_UNREACHABLE, "gone") : Status::Ok();
  };
  EXPECT_TRUE(Run().status().Is(ErrorClass::SOURCE_UNREACHABLE));
  EXPECT_FALSE(held_.empty());
  source_.before = [&](const std::string& step) {
    EXPECT_TRUE(step != "snapshot" || held_.empty());
    return Status::Ok();
  };
  RunWell();
  EXPECT_EQ(source_.snapshots_taken(), 2);
  EXPECT_TRUE(held_.empty());
}

TEST_F(GatewayTest, AHolderThatGoesAwayStartsTheSnapshotAgain) {
  holder_ = &held_;
  source_.chunk_rows = 1;
  Wish("1", 1);
  bool gone = false;
  source_.before = [&](const std::string& step) {
    if (step == "chunk 1 1" && !std::exchange(gone, true)) held_.KeepOnly({});
    return Status::Ok();
  };
  RunWell();
  EXPECT_EQ(Entries<staging::GenerationAbandoned>().size(), 1U);
  EXPECT_EQ(SnapshotIds("1", 2), (std::vector<int64_t>{1, 2, 3}));
}

TEST_F(GatewayTest, TablesAreBegunAsTheReadersComeToThem) {
  constexpr int kTables = 200;
  for (int table = 2; table <= kTables; ++table) {
    std::string id = std::to_string(table);
    source_.Create(Shape(id));
    source_.Commit({Insert{id, {int64_t{table}, "a"}}});
    Wish(id, 1);
  }
  int shown = 0;
  std::optional<int> shown_first;
  source_.before = [&](const std::string& step) {
    shown += step == "show" ? 1 : 0;
    if (!step.starts_with("chunk ") || shown_first) return Status::Ok();
    shown_first = shown;
    // Tables of the same snapshot that are not begun yet: one is emptied, one gets a column.
    source_.Commit({Truncate{"98"}});
    source_.Commit({Alter{Shape("99", {{"more", arrow::utf8()}})}});
    source_.Commit({Insert{"99", {int64_t{99'000}, "b", "c"}}});
    return Status::Ok();
  };
  RunWell();
  EXPECT_LT(*shown_first, kTables / 2) << "the first rows are read before all is planned";
  EXPECT_EQ(Entries<staging::GenerationEnded>().size(), static_cast<size_t>(kTables - 1));
  EXPECT_TRUE(Entries<staging::GenerationAbandoned>().empty());
  EXPECT_EQ(source_.snapshots_taken(), 2) << "one for all, one for those that changed meanwhile";
  EXPECT_EQ(SnapshotIds("97", 1), (std::vector<int64_t>{97}));
  EXPECT_EQ(SnapshotIds("98", 1), (std::vector<int64_t>{}));
  EXPECT_EQ(SnapshotIds("99", 1), (std::vector<int64_t>{99, 99'000}));
}

}  // namespace
}  // namespace freshet::capture
