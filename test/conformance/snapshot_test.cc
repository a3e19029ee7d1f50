// SPDX-License-Identifier: Apache-2.0
// What a snapshot holds, and what it does not.
#include <thread>

#include "fixture.h"

namespace freshet::conformance {
namespace {

TEST_F(Conformance, TheChunksHoldEveryRowOnce) {
  Make("t");
  Fill("t", 1, 1000);
  Fill("t", 1001, 3000);
  backend_->Commit({Delete{"t", "17"}, Update{"t", "18", {{"v", "changed"}}}});
  OpenSource();
  auto snapshot = Snap();
  auto rows = Read(snapshot.get(), "t", /*readers=*/2);
  std::vector<std::vector<std::string>> expected;
  for (int i = 1; i <= 3000; ++i) {
    if (i != 17)
      expected.push_back({std::to_string(i), i == 18 ? "changed" : "row " + std::to_string(i)});
  }
  std::ranges::sort(expected);
  EXPECT_EQ(rows, expected);
  // A chunk read again holds the same.
  EXPECT_EQ(Read(snapshot.get(), "t"), expected);
}

TEST_F(Conformance, AnEmptyTableHasASnapshot) {
  Make("never");
  Make("emptied");
  Fill("emptied", 1, 5);
  backend_->Commit({Truncate{"emptied"}});
  OpenSource();
  auto snapshot = Snap();
  EXPECT_TRUE(Read(snapshot.get(), "never").empty());
  EXPECT_TRUE(Read(snapshot.get(), "emptied").empty());
}

TEST_F(Conformance, AWideRowIsRead) {
  Make("t");
  std::string wide(2'000'000, 'w');
  backend_->Commit({Insert{"t", {"1", wide}}, Insert{"t", {"2", std::nullopt}}});
  OpenSource();
  OpenStream({"t"});
  auto rows = Read(Snap().get(), "t");
  ASSERT_EQ(rows.size(), size_t{2});
  EXPECT_TRUE(rows[0][1] == wide);
  EXPECT_EQ(rows[1][1], kNull);
  backend_->Commit({Insert{"t", {"3", wide}}});
  Seen seen = Drain();
  ASSERT_EQ(seen.changes.size(), size_t{1});
  EXPECT_TRUE(seen.changes[0].values[1] == wide);
}

TEST_F(Conformance, ASnapshotIsOpenedAgainByItsHandle) {
  Make("t");
  Fill("t", 1, 100);
  OpenSource();
  auto held = Snap();
  backend_->Commit({Delete{"t", "1"}, Update{"t", "2", {{"v", "later"}}}});
  auto resumed = source_->ResumeSnapshot(held->Handle());
  ASSERT_TRUE(resumed.ok()) << resumed.status().ToString();
  EXPECT_EQ((*resumed)->Position(), held->Position());
  EXPECT_EQ((*resumed)->TakenAt(), held->TakenAt());
  EXPECT_LE(held->Handle().size(), size_t{1024});
  EXPECT_EQ(Read(resumed->get(), "t"), Read(held.get(), "t"));
  EXPECT_TRUE(source_->ResumeSnapshot("nonsense").status().Is(ErrorClass::SNAPSHOT_STALE));
}

TEST_F(Conformance, ASnapshotDoesNotMove) {
  Make("t");
  Fill("t", 1, 10);
  OpenSource();
  auto snapshot = Snap();
  backend_->Commit({Delete{"t", "1"}, Update{"t", "2", {{"v", "later"}}}});
  Fill("t", 11, 20);
  Image image = ReadImage(snapshot.get(), "t");
  EXPECT_EQ(image.size(), size_t{10});
  EXPECT_EQ(image["2"][1], "row 2");
  EXPECT_TRUE(snapshot->Position() < Snap()->Position());
}

/// Changes at or below the position are in the snapshot, all others are not: with writes before,
/// while and after it is taken.
TEST_F(Conformance, ThePositionSaysWhatIsInTheSnapshot) {
  Make("t");
  Fill("t", 1, 5);
  OpenSource();
  OpenStream({"t"});
  Fill("t", 6, 10);
  backend_->Commit({Update{"t", "1", {{"v", "before"}}}, Delete{"t", "2"}});
  std::unique_ptr<sources::Snapshot> snapshot;
  {
    std::jthread writer([&] {
      for (int i = 11; i <= 60; ++i) Fill("t", i, i);
    });
    snapshot = Snap();
  }
  backend_->Commit({Update{"t", "3", {{"v", "after"}}}, Delete{"t", "4"}});
  Image image = ReadImage(snapshot.get(), "t");
  Seen seen = Drain();
  int below = 0, above = 0;
  for (const auto& change : seen.changes) {
    bool in_it = change.sequence <= snapshot->Position();
    ++(in_it ? below : above);
    if (change.op == '+') {
      EXPECT_EQ(image.contains(change.values[0]), in_it) << change.ToString();
    }
  }
  EXPECT_GE(below, 7);
  EXPECT_GE(above, 2);
  EXPECT_EQ(image["1"][1], "before");
  EXPECT_FALSE(image.contains("2"));
  EXPECT_TRUE(image.contains("4"));
  ApplyTo(&image, seen.changes, snapshot->Position());
  EXPECT_EQ(image, ReadImage(Snap().get(), "t"));
}

}  // namespace
}  // namespace freshet::conformance
