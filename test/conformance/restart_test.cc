// SPDX-License-Identifier: Apache-2.0
// Where a stream goes on: exactly at its cursor, or not at all.
#include "fixture.h"

namespace freshet::conformance {
namespace {

using testing::ElementsAre;

/// From every cursor that was ever given, precisely the rest comes again.
TEST_F(Conformance, ARestartLosesAndDoublesNothing) {
  Make("a");
  Make("b");
  OpenSource();
  OpenStream({"a", "b"});
  std::vector<record::Cursor> cursors{stream_->Start()};
  std::vector<size_t> counts{0};
  std::vector<std::string> all;
  for (int i = 1; i <= 5; ++i) {
    std::string key = std::to_string(i);
    backend_->Commit({Insert{"a", {key, "x"}}, Insert{"b", {key, "y"}}});
    backend_->Commit({Update{"a", key, {{"v", "z"}}}});
    Seen seen = Drain();
    for (size_t k = 0; k < seen.commits.size(); ++k) {
      cursors.push_back(seen.commits[k]);
      counts.push_back(all.size() + seen.changes_before[k]);
    }
    for (auto& line : seen.Lines()) all.push_back(std::move(line));
  }
  ASSERT_EQ(all.size(), size_t{15});
  for (size_t i = 0; i < cursors.size(); ++i) {
    OpenStream({"a", "b"}, cursors[i]);
    auto rest = Drain().Lines();
    std::vector<std::string> expected(all.begin() + static_cast<int64_t>(counts[i]), all.end());
    // Between tables only the transactions' order counts.
    std::ranges::sort(rest);
    std::ranges::sort(expected);
    EXPECT_EQ(rest, expected) << "from cursor " << i;
  }
}

TEST_F(Conformance, SequencesAreTheSameWhenReadAgain) {
  Make("t");
  OpenSource();
  OpenStream({"t"});
  record::Cursor start = stream_->Start();
  Fill("t", 1, 5);
  backend_->Commit({Update{"t", "1", {{"v", "b"}}}, Delete{"t", "2"}});
  Seen first = Drain();
  OpenStream({"t"}, start);
  Seen second = Drain();
  ASSERT_EQ(first.changes.size(), second.changes.size());
  for (size_t i = 0; i < first.changes.size(); ++i)
    EXPECT_EQ(first.changes[i].sequence, second.changes[i].sequence) << i;
}

TEST_F(Conformance, WhatIsAcknowledgedNeedNotComeAgainTheRestDoes) {
  Make("t");
  OpenSource();
  OpenStream({"t"});
  Fill("t", 1, 3);
  Seen first = Drain();
  ASSERT_FALSE(first.commits.empty());
  ASSERT_TRUE(stream_->Acknowledge(first.commits.back()).ok());
  Fill("t", 4, 4);
  Seen second = Drain();
  EXPECT_THAT(second.Lines(), ElementsAre("t + 4,row 4"));
  OpenStream({"t"}, first.commits.back());
  EXPECT_THAT(Drain().Lines(), ElementsAre("t + 4,row 4"));
}

TEST_F(Conformance, TheSourceMayCrashInBetween) {
  Make("t");
  OpenSource();
  OpenStream({"t"});
  Fill("t", 1, 3);
  Seen seen = Drain();
  ASSERT_FALSE(seen.commits.empty());
  Fill("t", 4, 6);
  stream_.reset();
  source_.reset();
  backend_->Restart();
  OpenSource();
  OpenStream({"t"}, seen.commits.back());
  EXPECT_THAT(Drain().Lines(), ElementsAre("t + 4,row 4", "t + 5,row 5", "t + 6,row 6"));
  EXPECT_EQ(ReadImage(Snap().get(), "t").size(), size_t{6});
}

class Misfortunes : public Conformance {
 protected:
  /// A cursor, three later rows, the misfortune; then what opening at the cursor says.
  Status After(Misfortune misfortune) {
    Make("t");
    OpenSource();
    OpenStream({"t"});
    Fill("t", 1, 1);
    Seen seen = Drain();
    EXPECT_FALSE(seen.commits.empty());
    if (seen.commits.empty()) return Status::Ok();
    stream_.reset();
    Fill("t", 2, 4);
    source_.reset();
    backend_->Suffer(misfortune);
    OpenSource();
    auto stream = source_->OpenChanges({}, seen.commits.back());
    return stream.status();
  }
};

TEST_F(Misfortunes, APositionThatIsGoneIsAnErrorNeverASkip) {
  Status status = After(Misfortune::kForgotten);
  EXPECT_TRUE(status.Is(ErrorClass::SLOT_LOST)) << status.ToString();
  EXPECT_EQ(status.retry(), Retry::kAfterReset);
  EXPECT_FALSE(status.remedy().empty());
}

TEST_F(Misfortunes, APositionThatMovedIsAnErrorNeverASkip) {
  Status status = After(Misfortune::kMoved);
  EXPECT_TRUE(status.Is(ErrorClass::SLOT_MOVED)) << status.ToString();
  EXPECT_EQ(status.retry(), Retry::kAfterReset);
  EXPECT_FALSE(status.remedy().empty());
}

TEST_F(Misfortunes, AnotherSystemAtTheAddressIsAnError) {
  OpenSource();
  auto identity = source_->traits().identity;
  Status status = After(Misfortune::kReplaced);
  EXPECT_TRUE(status.Is(ErrorClass::SOURCE_CHANGED)) << status.ToString();
  EXPECT_NE(source_->traits().identity, identity);
}

TEST_F(Conformance, ACursorOfAnotherKindIsAnError) {
  Make("t");
  OpenSource();
  OpenStream({"t"});
  EXPECT_FALSE(TryStream({"t"}, {"not a position"}).ok());
}

}  // namespace
}  // namespace freshet::conformance
