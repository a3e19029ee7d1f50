// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "api/service_fixture_test.h"
#include "pipeline/run_logs.h"

namespace freshet::api {
namespace {

class RunLogsApiTest : public testing::Test, protected ServiceFixture {
 protected:
  RunLogsApiTest() {
    EXPECT_TRUE(book_->Add({.id = "p", .name = "p", .spec = "{}", .parameters = "{}"}, false).ok());
    for (const auto* update : {"u1", "u2"})
      std::ofstream(*pipeline::MakeRunLog(folder_, "p", update))
          << update << " began\nit \xff ended\n";
  }
  const std::string logs_ = "/api/2.0/pipelines/p/logs";
};

TEST_F(RunLogsApiTest, AreListedAndFollowed) {
  EXPECT_EQ(Get(logs_)["logs"].size(), 2U);
  auto listed = Get(logs_ + "?update_id=u2")["logs"];
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0]["name"], "u2.log");
  EXPECT_EQ(listed[0]["worker"], "run");
  EXPECT_EQ(listed[0]["file_size"], 20);
  auto first = Get(logs_ + "/u2.log?offset=0&max_bytes=12");
  EXPECT_EQ(first["content"], "u2 began\n");
  auto rest = Get(logs_ + "/u2.log?offset=" + std::to_string(first["next_offset"].get<int>()));
  EXPECT_EQ(rest["content"], "it \uFFFD ended\n");
  EXPECT_EQ(rest["next_offset"], 20);
  EXPECT_EQ(Get(logs_ + "/u2.log")["content"], "u2 began\nit \uFFFD ended\n");
}

TEST_F(RunLogsApiTest, WhatIsNotThereIsNotRead) {
  Get(logs_ + "/u3.log", 404);
  Get(logs_ + "/%2e%2e%2flock", 400);
  Get(logs_ + "/u2.log?offset=x", 400);
  Get("/api/2.0/pipelines/none/logs", 404);
}

}  // namespace
}  // namespace freshet::api
