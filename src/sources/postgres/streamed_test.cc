// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/streamed.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "base/limits.h"

namespace freshet::sources::postgres {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string Number(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xFF);
  return bytes;
}

bool Refused(const Status& status) { return status.Is(ErrorClass::SOURCE_PROTOCOL); }

class StreamedTest : public testing::Test {
 protected:
  void Start(uint32_t transaction, bool first) {
    Status status = streamed_.Start({.transaction = transaction, .first = first});
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
  /// A message of the (sub)transaction.
  Status Send(uint32_t transaction, std::string_view body, char tag = 'I') {
    return streamed_.Take(tag + Number(transaction) + std::string(body));
  }
  void Stop() { ASSERT_TRUE(streamed_.Take("E").ok()); }
  /// Stream one piece of a transaction: messages of it and of its subtransactions.
  void Piece(uint32_t transaction, bool first,
             const std::vector<std::pair<uint32_t, std::string>>& messages) {
    Start(transaction, first);
    for (const auto& [from, body] : messages) ASSERT_TRUE(Send(from, body).ok());
    Stop();
  }
  /// What is replayed of the transaction: bodies, each after its tag.
  std::vector<std::string> Commit(uint32_t transaction) {
    std::vector<std::string> bodies;
    auto committed = streamed_.Commit(transaction);
    EXPECT_TRUE(committed.ok()) << committed.status().ToString();
    if (!committed.ok()) return {"error"};
    StreamedReplay replay(streamed_.scratch(), std::move(committed->bytes),
                          std::move(committed->aborted));
    while (true) {
      auto block = replay.Next();
      EXPECT_TRUE(block.ok()) << block.status().ToString();
      if (!block.ok() || !*block) return bodies;
      while (auto message = (*block)->Next())
        bodies.push_back(std::string(1, message->front()) + " " + std::string(message->substr(5)));
    }
  }

  StreamedTransactions streamed_{std::filesystem::temp_directory_path().string()};
};

TEST_F(StreamedTest, PiecesOfSeveralTransactionsInTurns) {
  Piece(7, true, {{7, "a1"}, {7, "a2"}});
  Piece(9, true, {{9, "b1"}});
  Piece(7, false, {{7, "a3"}});
  Piece(9, false, {{9, "b2"}});
  EXPECT_THAT(Commit(9), ElementsAre("I b1", "I b2"));
  Piece(7, false, {{7, "a4"}});
  EXPECT_THAT(Commit(7), ElementsAre("I a1", "I a2", "I a3", "I a4"));
}

TEST_F(StreamedTest, WhatWasRolledBackToASavepointIsNotReplayed) {
  // 10 is within 7, 11 and 12 within 10, which was rolled back after 11 was released.
  Piece(7, true, {{7, "a"}, {10, "b"}, {11, "c"}, {10, "d"}});
  Piece(7, false, {{12, "e"}});
  streamed_.Abort({.transaction = 7, .aborted = 12});
  Piece(7, false, {{10, "f"}});
  streamed_.Abort({.transaction = 7, .aborted = 11});
  streamed_.Abort({.transaction = 7, .aborted = 10});
  Piece(7, false, {{7, "g"}, {13, "h"}});
  EXPECT_THAT(Commit(7), ElementsAre("I a", "I g", "I h"));
}

TEST_F(StreamedTest, ADescriptionThatWasRolledBackIsReplayedAsSuch) {
  Start(7, true);
  ASSERT_TRUE(Send(10, "seen", 'R').ok());
  ASSERT_TRUE(Send(10, "a").ok());
  ASSERT_TRUE(Send(7, "counts", 'R').ok());
  Stop();
  auto committed = streamed_.Commit(7);
  ASSERT_TRUE(committed.ok());
  StreamedReplay replay(streamed_.scratch(), std::move(committed->bytes),
                        TransactionSet::bitmapOf(1, 10U));
  auto block = replay.Next();
  ASSERT_TRUE(block.ok() && *block);
  std::vector<std::string> seen;
  while (auto message = (*block)->Next()) {
    seen.push_back((StreamedReplay::Counts(*message) ? "" : "not ") +
                   std::string(message->substr(5)));
  }
  EXPECT_THAT(seen, ElementsAre("not seen", "counts"));
}

TEST_F(StreamedTest, SubtransactionsThatMessagesAreOfAreKnown) {
  Piece(7, true, {{7, "a"}, {12, "b"}, {12, "c"}, {10, "d"}});
  Piece(7, false, {{12, "e"}, {7, "f"}, {11, "g"}});
  auto committed = streamed_.Commit(7);
  ASSERT_TRUE(committed.ok());
  EXPECT_EQ(committed->subtransactions, TransactionSet::bitmapOf(3, 10U, 11U, 12U));
  streamed_.scratch()->Free(&committed->bytes);
}

TEST_F(StreamedTest, AllOfItCanHaveBeenRolledBack) {
  Piece(7, true, {{8, "a"}, {8, "b"}});
  streamed_.Abort({.transaction = 7, .aborted = 8});
  EXPECT_THAT(Commit(7), IsEmpty());
  Piece(9, true, {});
  EXPECT_THAT(Commit(9), IsEmpty());
}

TEST_F(StreamedTest, AnAbortedTransactionIsForgotten) {
  Piece(7, true, {{7, "a"}});
  Piece(9, true, {{9, "b"}});
  streamed_.Abort({.transaction = 7, .aborted = 7});
  EXPECT_FALSE(streamed_.Commit(7).ok());
  // Its number comes again, as another.
  Piece(7, true, {{7, "c"}});
  EXPECT_THAT(Commit(7), ElementsAre("I c"));
  EXPECT_THAT(Commit(9), ElementsAre("I b"));
  streamed_.Abort({.transaction = 50, .aborted = 50});
}

TEST_F(StreamedTest, OnlyWhatSaysSomethingIsKept) {
  Start(7, true);
  ASSERT_TRUE(Send(7, "relation", 'R').ok());
  ASSERT_TRUE(Send(7, "type", 'Y').ok());
  ASSERT_TRUE(Send(7, "message", 'M').ok());
  ASSERT_TRUE(streamed_.Take("Oorigin").ok());
  ASSERT_TRUE(Send(7, "truncate", 'T').ok());
  ASSERT_TRUE(Send(7, "update", 'U').ok());
  ASSERT_TRUE(Send(7, "delete", 'D').ok());
  Stop();
  EXPECT_THAT(Commit(7), ElementsAre("R relation", "T truncate", "U update", "D delete"));
}

TEST_F(StreamedTest, MessagesOfAnySize) {
  std::vector<std::string> expected;
  Start(7, true);
  for (size_t i = 0; i < 60; ++i) {
    // Those around a block's and a window's size, and far beyond.
    size_t size = i % 7 == 0    ? limits::kWireBlockBytes - 12 + i / 7
                  : i % 11 == 0 ? 3 * limits::kWireBlockBytes
                                : i * 997;
    std::string body(size, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(Send(i % 5 == 0 ? 8 : 7, body).ok());
    if (i % 5 != 0) expected.push_back("I " + body);
    if (i % 9 == 0) {
      Stop();
      Piece(9, i == 0, {{9, "between"}});
      Start(7, false);
    }
  }
  Stop();
  streamed_.Abort({.transaction = 7, .aborted = 8});
  EXPECT_EQ(Commit(7), expected);
  EXPECT_EQ(Commit(9).size(), 7U);
}

TEST_F(StreamedTest, ManySubtransactions) {
  std::vector<std::string> expected;
  Start(7, true);
  for (uint32_t sub = 100; sub < 3'000; ++sub) {
    ASSERT_TRUE(Send(sub, std::to_string(sub)).ok());
    if (sub % 3 != 0) expected.push_back("I " + std::to_string(sub));
  }
  Stop();
  for (uint32_t sub = 2'999; sub >= 100; --sub) {
    if (sub % 3 != 0) continue;
    streamed_.Abort({.transaction = 7, .aborted = sub});
    streamed_.Abort({.transaction = 7, .aborted = sub});
  }
  EXPECT_EQ(Commit(7), expected);
}

TEST_F(StreamedTest, AMillionOfThemTakeABitEach) {
  constexpr uint32_t kFirst = 5'000, kLast = 1'005'000;
  Start(7, true);
  for (uint32_t sub = kFirst; sub < kLast; ++sub) ASSERT_TRUE(Send(sub, "").ok());
  Stop();
  for (uint32_t sub = kFirst; sub < kLast; sub += 2)
    streamed_.Abort({.transaction = 7, .aborted = sub});
  auto committed = streamed_.Commit(7);
  ASSERT_TRUE(committed.ok());
  EXPECT_EQ(committed->subtransactions.cardinality(), 1'000'000U);
  EXPECT_EQ(committed->aborted.cardinality(), 500'000U);
  EXPECT_LT(committed->subtransactions.getSizeInBytes(false), 150'000U);
  EXPECT_LT(committed->aborted.getSizeInBytes(false), 150'000U);
  streamed_.scratch()->Free(&committed->bytes);
}

TEST_F(StreamedTest, ATransactionBeginsOnce) {
  EXPECT_TRUE(Refused(streamed_.Start({.transaction = 7, .first = false})));
}

TEST_F(StreamedTest, WhatTheProtocolDoesNotAllow) {
  Piece(7, true, {{7, "a"}});
  EXPECT_TRUE(Refused(streamed_.Start({.transaction = 7, .first = true})));
  Start(9, true);
  EXPECT_TRUE(Refused(streamed_.Start({.transaction = 10, .first = true})));
  EXPECT_TRUE(Refused(streamed_.Take("B12345678")));
  EXPECT_TRUE(Refused(streamed_.Take("c12345678")));
  EXPECT_TRUE(Refused(streamed_.Take("I123")));
}

TEST(StreamMessages, Parse) {
  auto start = ParseStreamStart(Number(7) + '\1');
  ASSERT_TRUE(start);
  EXPECT_EQ(start->transaction, 7U);
  EXPECT_TRUE(start->first);
  EXPECT_FALSE(ParseStreamStart(Number(7) + std::string(1, '\0'))->first);
  EXPECT_FALSE(ParseStreamStart(Number(7)));

  std::string commit = Number(7) + std::string(1, '\0') + Number(0) + Number(100) + Number(0) +
                       Number(120) + Number(0) + Number(5);
  auto committed = ParseStreamCommit(commit);
  ASSERT_TRUE(committed);
  EXPECT_EQ(committed->transaction, 7U);
  EXPECT_EQ(committed->begin.commit_lsn, 100U);
  EXPECT_EQ(committed->commit.end_lsn, 120U);
  EXPECT_EQ(committed->commit.committed_at, 946'684'800'000'005);
  EXPECT_EQ(committed->begin.committed_at, committed->commit.committed_at);
  EXPECT_FALSE(ParseStreamCommit(commit + "x"));
  EXPECT_FALSE(ParseStreamCommit(commit.substr(1)));

  auto abort = ParseStreamAbort(Number(7) + Number(9));
  ASSERT_TRUE(abort);
  EXPECT_EQ(abort->transaction, 7U);
  EXPECT_EQ(abort->aborted, 9U);
  // As a server tells it to those who apply in parallel.
  EXPECT_TRUE(ParseStreamAbort(Number(7) + Number(9) + std::string(16, '\1')));
  EXPECT_FALSE(ParseStreamAbort(Number(7) + Number(9) + std::string(8, '\1')));
  EXPECT_FALSE(ParseStreamAbort(Number(7)));
}

}  // namespace
}  // namespace freshet::sources::postgres
