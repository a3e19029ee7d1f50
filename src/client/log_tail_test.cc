// SPDX-License-Identifier: Apache-2.0
#include "client/log_tail.h"

#include <gtest/gtest.h>

#include "client/fakes_test.h"

namespace freshet::client {
namespace {

class LogTailTest : public testing::Test {
 protected:
  LogTailTest() {
    api_.Answers(R"({"logs": [{"name": "new.log", "update_id": "u"}, {"name": "old.log"}]})");
  }
  void Piece(const std::string& content, int next) {
    api_.Answers(fmt::format(R"({{"content": "{}", "next_offset": {}}})", content, next));
  }
  void State(const std::string& state) {
    api_.Answers(fmt::format(R"({{"update": {{"state": "{}"}}}})", state));
  }
  FakeApi api_;
  FakeSurroundings machine_;
};

TEST_F(LogTailTest, TheNewestIsPrinted) {
  Piece("a\\u001b[2J\\n", 9);
  EXPECT_TRUE(TailLog({.pipeline = "p"}, &api_, &machine_).status.ok());
  EXPECT_EQ(machine_.printed, "a\\x1b[2J\n");
  EXPECT_EQ(api_.Asked(1), "GET /api/2.0/pipelines/p/logs/new.log");
}

TEST_F(LogTailTest, OneIsFollowedUntilItsUpdateEnds) {
  State("RUNNING");
  Piece("a\\n", 2);
  State("RUNNING");
  Piece("", 2);
  State("COMPLETED");
  Piece("b\\n", 4);
  State("COMPLETED");
  Piece("", 4);
  EXPECT_TRUE(TailLog({.pipeline = "p", .follow = true}, &api_, &machine_).status.ok());
  EXPECT_EQ(machine_.printed, "a\nb\n");
  EXPECT_EQ(api_.Asked(4), "GET /api/2.0/pipelines/p/logs/new.log?offset=2");
}

TEST_F(LogTailTest, OneThatIsNotThereIsSaidToBeNone) {
  EXPECT_TRUE(TailLog({.pipeline = "p", .name = "none"}, &api_, &machine_)
                  .status.Is(ErrorClass::NOT_FOUND));
}

TEST_F(LogTailTest, ItEndsWhereNobodyReadsItAnyMore) {
  machine_.deaf = true;
  State("RUNNING");
  Piece("a\\n", 2);
  EXPECT_TRUE(TailLog({.pipeline = "p", .follow = true}, &api_, &machine_).status.ok());
}

}  // namespace
}  // namespace freshet::client
