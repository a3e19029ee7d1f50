// SPDX-License-Identifier: Apache-2.0
#include "api/scim_filter.h"

#include <gtest/gtest.h>

namespace freshet::api {
namespace {

using Operation = catalog::PrincipalCondition::Operation;
const ScimFields kFields{{"username", "name"}, {"id", "id"}};

TEST(ScimFilter, ReadsWhatThePublishedOneTakes) {
  auto read = ParseScimFilter(R"(userName eq "a \"b\"" and id ne 3 or USERNAME SW x)", kFields);
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  ASSERT_EQ(read->size(), 2U);
  ASSERT_EQ(read->front().size(), 2U);
  EXPECT_EQ(read->front()[0].field, "name");
  EXPECT_EQ(read->front()[0].value, "a \"b\"");
  EXPECT_EQ(read->front()[1].operation, Operation::kDiffers);
  EXPECT_EQ(read->back()[0].operation, Operation::kBegins);
  EXPECT_TRUE(ParseScimFilter("", kFields)->empty());
}

TEST(ScimFilter, RefusesEverythingElse) {
  for (const auto* text :
       {"userName", "userName eq", "password eq \"x\"", "userName gt \"x\"", "userName eq \"x",
        "userName eq \"x\"y", "userName eq x and", "userName eq x xor id eq 3", "(userName eq x)",
        "1=1; DROP TABLE principals"})
    EXPECT_FALSE(ParseScimFilter(text, kFields).ok()) << text;
  std::string many = "id eq 1";
  for (int i = 0; i < 40; ++i) many += " or id eq 1";
  EXPECT_FALSE(ParseScimFilter(many, kFields).ok());
}

TEST(ScimFilter, ReadsWhichMemberIsMeant) {
  EXPECT_EQ(*ParseMemberPath(R"(members[value eq "12"])"), 12);
  for (const auto* path : {"members", "members[]", "members[value eq \"x\"]", "members[id eq 1]",
                           "members[value ne \"1\"]", "members[value eq 1 or value eq 2]"})
    EXPECT_FALSE(ParseMemberPath(path).ok()) << path;
}

}  // namespace
}  // namespace freshet::api
