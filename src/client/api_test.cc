// SPDX-License-Identifier: Apache-2.0
#include "client/api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshet::client {
namespace {

using testing::HasSubstr;

TEST(Answer, WhatIsNoErrorIsReturned) {
  EXPECT_EQ((*ReadAnswer(200, R"({"a": 1})", "h"))["a"], 1);
  EXPECT_TRUE(ReadAnswer(204, "", "h")->empty());
}

TEST(Answer, AnErrorKeepsItsClassItsWordsAndItsRemedy) {
  auto refused = ReadAnswer(404, R"({"error_code": "RESOURCE_DOES_NOT_EXIST",
      "message": "Catalog 'x\u001b[31m' does not exist.",
      "details": [{"@type": "t", "reason": "NOT_FOUND", "metadata": {"remedy": "Check\nit."}}]})",
                            "h")
                     .status();
  EXPECT_TRUE(refused.Is(ErrorClass::NOT_FOUND));
  EXPECT_EQ(refused.message(), "Catalog 'x\\x1b[31m' does not exist.");
  EXPECT_EQ(refused.remedy(), "Check\nit.");
}

TEST(Answer, AnErrorWithoutAClassIsARefusal) {
  auto refused =
      ReadAnswer(403, R"({"error_code": "PERMISSION_DENIED", "message": "no"})", "h").status();
  EXPECT_TRUE(refused.Is(ErrorClass::SOURCE_QUERY));
  EXPECT_EQ(refused.message(), "PERMISSION_DENIED: no");
  refused =
      ReadAnswer(500, R"({"error_code": "X", "message": "no", "details": "odd"})", "h").status();
  EXPECT_TRUE(refused.Is(ErrorClass::SOURCE_QUERY));
  refused =
      ReadAnswer(404, R"({"error_code": "ENDPOINT_NOT_FOUND", "message": "no"})", "h").status();
  EXPECT_THAT(std::string(refused.remedy()), HasSubstr("version"));
}

TEST(Answer, ATokenThatIsNotTakenIsSaidToBeSo) {
  auto refused =
      ReadAnswer(401, R"({"error_code": "UNAUTHENTICATED", "message": "m"})", "http://h:1")
          .status();
  EXPECT_TRUE(refused.Is(ErrorClass::SOURCE_AUTH));
  EXPECT_THAT(refused.ToString(), HasSubstr("http://h:1"));
}

TEST(Answer, WhatIsNoServerOfOursIsSaidToBeNone) {
  for (const auto& [status, text] : std::vector<std::pair<int, std::string>>{
           {200, "<html>"}, {404, "<html>"}, {301, ""}, {502, "{}"}, {400, "[1]"}}) {
    EXPECT_TRUE(ReadAnswer(status, text, "h").status().Is(ErrorClass::SOURCE_UNREACHABLE))
        << status;
  }
}

TEST(Answer, PathsLeadIntoIt) {
  auto json = ParseJsonOrThrow<Json>(R"({"a": [{"b": "x"}], "c": 1})");
  EXPECT_EQ(*At(json, "a.0.b"), "x");
  EXPECT_EQ(At(json, "a.1.b"), nullptr);
  EXPECT_EQ(At(json, "a.b"), nullptr);
  EXPECT_EQ(At(json, "c.d"), nullptr);
  EXPECT_EQ(At(json, ""), &json);
  EXPECT_EQ(TextIn(json, "c"), "");
}

TEST(Target, EverythingButPlainLettersIsEncoded) {
  EXPECT_EQ(Encoded("a-b_c.d~e/ä '%"), "a-b_c.d~e%2F%C3%A4%20%27%25");
}

}  // namespace
}  // namespace freshet::client
