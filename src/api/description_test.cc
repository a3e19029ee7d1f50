// SPDX-License-Identifier: Apache-2.0
#include "api/description.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshet::api {
namespace {

using testing::HasSubstr;

Descriptions Read(std::string_view text) {
  Descriptions read;
  auto status = ReadDescription(text, &read);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return read;
}

TEST(Description, IsJsonSchema) {
  auto types = Read(R"(
# What is left out may be left out.
Part = {a: text, b?: "X" | "Y"}
Whole = {...Part, $ref?: any, list: [Part] | Part, map: {*: count}, later?: Later, more: {x?: flag, *: real},}
Later = number
)")
                   .types;
  EXPECT_EQ(
      types["Part"],
      ParseJsonOrThrow<Json>(
          R"({"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string","enum":["X","Y"]}},)"
          R"("required":["a"]})"));
  const auto& whole = types["Whole"];
  EXPECT_EQ(whole["required"], Json::array({"a", "list", "map", "more"}));
  const auto& fields = whole["properties"];
  EXPECT_EQ(fields["$ref"], Json::object());
  EXPECT_EQ(fields["list"]["anyOf"][0]["items"]["$ref"], "#/components/schemas/Part");
  EXPECT_EQ(fields["map"]["additionalProperties"]["minimum"], 0);
  EXPECT_EQ(fields["later"]["$ref"], "#/components/schemas/Later");
  EXPECT_EQ(fields["more"]["properties"]["x"]["type"], "boolean");
  EXPECT_EQ(fields["more"]["additionalProperties"]["type"], "number");
  EXPECT_EQ(types["Later"]["type"], "integer");
}

TEST(Description, TellsOperations) {
  auto operations = Read(R"(
a.list(of: text, rows?: count): {a: [text]} -- Lists: (all) of them.
a.put(overwrite?: flag, bytes): nothing -- Puts
a.log_in(form {x: text}): bytes -- Logs in.
)")
                        .operations;
  const auto& list = operations["a.list"];
  ASSERT_EQ(list.query.size(), 2U);
  EXPECT_TRUE(list.query[0].required && !list.query[1].required);
  EXPECT_EQ(list.query[1].name, "rows");
  EXPECT_EQ(list.summary, "Lists: (all) of them.");
  EXPECT_FALSE(list.body);
  EXPECT_EQ((*list.answer)["properties"]["a"]["type"], "array");
  const auto& put = operations["a.put"];
  EXPECT_EQ((*put.body)["format"], "binary");
  EXPECT_FALSE(put.answer || put.form);
  EXPECT_TRUE(operations["a.log_in"].form);
}

TEST(Description, WhatIsNotReadableIsSaid) {
  for (const auto* text :
       {"A = {", "A = {b text}", "A = {...B}", "A = lower", "A = [text", "A = \"x", "A text",
        "A = text A = text", "a.b(): text", "a.b(: text -- x\n", "a.b(): text -- no end", "= text",
        "a.b(): text -- x\na.b(): text -- y\n"}) {
    Descriptions read;
    EXPECT_TRUE(ReadDescription(text, &read).Is(ErrorClass::INTERNAL)) << text;
  }
  Descriptions read;
  EXPECT_THAT(ReadDescription("A = text\nB = bad", &read).ToString(), HasSubstr("before: "));
}

}  // namespace
}  // namespace freshet::api
