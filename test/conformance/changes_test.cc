// SPDX-License-Identifier: Apache-2.0
// What a change stream returns, in which order, and where it goes on after an end.
#include <atomic>
#include <thread>

#include "fixture.h"

namespace freshet::conformance {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(Conformance, ChangesComeInOrderAndCommitClosesThem) {
  Make("t");
  OpenSource();
  OpenStream({"t"});
  EXPECT_FALSE(stream_->Start().text.empty());
  EXPECT_THAT(Drain().Lines(), IsEmpty());
  backend_->Commit({Insert{"t", {"1", "a"}}, Insert{"t", {"2", std::nullopt}}});
  backend_->Commit({Update{"t", "1", {{"v", "b"}}}});
  backend_->Commit({Update{"t", "1", {{"v", "c"}}}, Delete{"t", "2"}});
  backend_->Commit({Delete{"t", "1"}, Insert{"t", {"1", "again"}}});
  EXPECT_THAT(Drain().Lines(), ElementsAre("t + 1,a", "t + 2,NULL", "t ~ 1,b", "t ~ 1,c",
                                           "t - 2,NULL", "t - 1,NULL", "t + 1,again"));
  EXPECT_THAT(Drain().Lines(), IsEmpty());
}

TEST_F(Conformance, ATransactionIsNotSplitByACommit) {
  Make("a");
  Make("b");
  OpenSource();
  OpenStream({"a", "b"});
  backend_->Commit({Insert{"a", {"1", "x"}}, Insert{"b", {"1", "y"}}, Insert{"a", {"2", "z"}}});
  Seen seen = Drain();
  ASSERT_EQ(seen.changes.size(), size_t{3});
  for (size_t count : seen.changes_before) EXPECT_TRUE(count == 0 || count == 3) << count;
}

TEST_F(Conformance, AChangedKeyIsADeleteAndAnInsertSideBySide) {
  Make("t");
  Fill("t", 1, 2);
  OpenSource();
  OpenStream({"t"});
  backend_->Commit({Update{"t", "1", {{"id", "7"}, {"v", "moved"}}}});
  Seen seen = Drain();
  ASSERT_THAT(seen.Lines(), ElementsAre("t - 1,NULL", "t + 7,moved"));
  EXPECT_EQ(seen.changes[0].batch, seen.changes[1].batch);
}

/// A value that the source does not send is marked; it is never a NULL.
TEST_F(Conformance, AValueThatDidNotChangeIsNeverNull) {
  Make("t", {{"n", facts_.long_type}, {"v", facts_.text_type}});
  std::string large(20'000, 'x');
  for (size_t i = 0; i < large.size(); ++i)
    large[i] = static_cast<char>('a' + (i * i + i / 7) % 26);
  backend_->Commit({Insert{"t", {"1", "0", large}}});
  OpenSource();
  OpenStream({"t"});
  Image image = ReadImage(Snap().get(), "t");
  backend_->Commit({Update{"t", "1", {{"n", "1"}}}});
  backend_->Commit({Insert{"t", {"2", "0", large}}, Update{"t", "2", {{"n", "5"}}}});
  Seen seen = Drain();
  ASSERT_EQ(seen.changes.size(), size_t{3});
  for (const auto& change : seen.changes)
    EXPECT_TRUE(change.values[2] == kUnsent || change.values[2] == large) << change.op;
  ApplyTo(&image, seen.changes);
  EXPECT_TRUE((image["1"] == std::vector<std::string>{"1", "1", large}));
  EXPECT_TRUE((image["2"] == std::vector<std::string>{"2", "5", large}));
}

TEST_F(Conformance, TheEndOfAllRowsIsAnEvent) {
  Make("t");
  Make("other");
  Fill("t", 1, 3);
  OpenSource();
  OpenStream({"t", "other"});
  backend_->Commit({Insert{"t", {"4", "before"}}});
  backend_->Commit({Truncate{"t"}});
  backend_->Commit({Insert{"t", {"5", "after"}}, Insert{"other", {"1", "x"}}});
  Seen seen = Drain();
  EXPECT_THAT(seen.events, ElementsAre("truncated"));
  Image image;
  for (const auto& change : seen.changes) {
    if (change.table == "t") image[change.values[0]] = change.values;
  }
  EXPECT_TRUE(image.contains("4") && image.contains("5"));
}

TEST_F(Conformance, ADroppedTableDoesNotStopTheOthers) {
  Make("t");
  Make("other");
  OpenSource();
  OpenStream({"t", "other"});
  backend_->Commit({Insert{"t", {"1", "last words"}}});
  backend_->Commit({Drop{"t"}});
  backend_->Commit({Insert{"other", {"1", "x"}}});
  Seen seen = Drain();
  EXPECT_THAT(seen.Lines(), testing::UnorderedElementsAre("t + 1,last words", "other + 1,x"));
  EXPECT_THAT(seen.events, testing::AnyOf(IsEmpty(), ElementsAre("dropped")));
}

TEST_F(Conformance, AnAddedColumnIsAnEventBeforeItsRows) {
  Make("t");
  Fill("t", 1, 1);
  OpenSource();
  Shape before = ShapeOf("t");
  OpenStream({"t"});
  backend_->Commit({Insert{"t", {"2", "old"}}});
  backend_->Commit({AddColumn{"t", {"w", facts_.text_type}}});
  backend_->Commit({Insert{"t", {"3", "new", "extra"}}});
  Seen seen = Drain();
  EXPECT_THAT(seen.events, ElementsAre("shape t"));
  EXPECT_THAT(seen.Lines(), ElementsAre("t + 2,old", "t + 3,new,extra"));
  Shape after = ShapeOf("t");
  ASSERT_EQ(after->width(), 3);
  EXPECT_TRUE(std::equal(before->ids.begin(), before->ids.end(), after->ids.begin()));
}

TEST_F(Conformance, WatchAddsAndLeavesTables) {
  Make("a");
  Make("b");
  OpenSource();
  OpenStream({"a"});
  backend_->Commit({Insert{"a", {"1", "x"}}, Insert{"b", {"1", "unwatched"}}});
  EXPECT_THAT(Drain().Lines(), ElementsAre("a + 1,x"));
  ASSERT_TRUE(stream_->Watch(ShapesOf({"a", "b"})).ok());
  backend_->Commit({Insert{"b", {"2", "watched"}}});
  EXPECT_THAT(Drain().Lines(), ElementsAre("b + 2,watched"));
  ASSERT_TRUE(stream_->Watch(ShapesOf({"b"})).ok());
  backend_->Commit({Insert{"a", {"3", "left"}}, Insert{"b", {"4", "y"}}});
  EXPECT_THAT(Drain().Lines(), ElementsAre("b + 4,y"));
}

/// Another table's changes move the position, so that the source can let go of its log.
TEST_F(Conformance, AQuietTableMovesThePosition) {
  Make("quiet");
  Make("busy");
  OpenSource();
  OpenStream({"quiet"});
  record::Cursor start = stream_->Start();
  Drain();
  for (int i = 1; i <= 20; ++i) Fill("busy", i, i);
  Seen seen = Drain();
  EXPECT_THAT(seen.Lines(), IsEmpty());
  ASSERT_FALSE(seen.commits.empty());
  EXPECT_NE(seen.commits.back(), start);
  ASSERT_TRUE(stream_->Acknowledge(seen.commits.back()).ok());
  backend_->Commit({Insert{"quiet", {"1", "woke"}}});
  OpenStream({"quiet"}, seen.commits.back());
  EXPECT_THAT(Drain().Lines(), ElementsAre("quiet + 1,woke"));
}

/// With a fence the stream says Idle once what was committed before is returned, though writes go
/// on.
TEST_F(Conformance, AFenceEndsWhileWritesGoOn) {
  Make("t");
  OpenSource();
  OpenStream({"t"});
  std::atomic<bool> stop = false;
  std::atomic<int> written = 0;
  std::jthread writer([&] {
    for (int i = 1; !stop; ++i) {
      Fill("t", i, i);
      written = i;
    }
  });
  auto end = Soon();
  while (written < 5 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  int before = written;
  Seen seen = Drain();
  stop = true;
  EXPECT_GE(static_cast<int>(seen.changes.size()), before);
}

TEST_F(Conformance, NothingToReturnEndsAtTheDeadline) {
  Make("t");
  OpenSource();
  OpenStream({"t"});
  Fill("t", 1, 1);
  // Without a fence too: once nothing more waits, Idle at once.
  while (true) {
    auto event = stream_->Next(Soon());
    ASSERT_TRUE(event.ok()) << event.status().ToString();
    if (std::holds_alternative<record::Idle>(*event)) break;
    ASSERT_FALSE(std::holds_alternative<record::Nothing>(*event));
  }
  auto asked = std::chrono::steady_clock::now();
  auto event = stream_->Next(asked + std::chrono::milliseconds(300));
  ASSERT_TRUE(event.ok()) << event.status().ToString();
  EXPECT_FALSE(std::holds_alternative<record::TableEvent>(*event));
  EXPECT_LT(std::chrono::steady_clock::now() - asked, std::chrono::seconds(60));
}

}  // namespace
}  // namespace freshet::conformance
