// SPDX-License-Identifier: Apache-2.0
#include "client/table_text.h"

#include <gtest/gtest.h>

namespace freshet::client {
namespace {

TEST(TableText, ColumnsAreAsWideAsWhatIsInThem) {
  auto first = ParseJsonOrThrow<Json>(
      R"({"name": "é", "state": "IDLE", "last": [{"at": "x"}], "created_at": 1767225600123})");
  auto second = ParseJsonOrThrow<Json>(R"({"name": "orders\nand more", "state": null})");
  EXPECT_EQ(
      TableText(
          {{"NAME", "name"}, {"STATE", "state"}, {"LAST", "last.0.at"}, {"CREATED", "created_at"}},
          {&first, &second}),
      "NAME              STATE  LAST  CREATED\n"
      "é                 IDLE   x     2026-01-01T00:00:00Z\n"
      "orders\\nand more  -      -     -\n");
  EXPECT_EQ(TableText({{"NAME", "name"}}, {}), "NAME\n");
}

TEST(TableText, ValuesAreShownAsPeopleReadThem) {
  auto shown = [](std::string_view field, std::string_view json) {
    auto value = ParseJsonOrThrow<Json>(json);
    return Shown(field, &value);
  };
  EXPECT_EQ(shown("x", "true"), "true");
  EXPECT_EQ(shown("x", "1767225600123"), "1767225600123");
  EXPECT_EQ(shown("token_info.expiry_time", "-1"), "never");
  EXPECT_EQ(shown("x", "\"\""), "-");
  EXPECT_EQ(shown("x", "[]"), "-");
  EXPECT_EQ(shown("x", R"(["a", {"name": "b", "secret": true}, {"c": 1}])"), R"(a, b, {"c":1})");
  EXPECT_EQ(shown("x", R"([{"privilege": "SELECT", "inherited_from_name": "main"}])"),
            "SELECT (main)");
}

TEST(TableText, AnObjectIsAFieldALine) {
  auto object = ParseJsonOrThrow<Json>(R"({"name": "x", "spec": {"a": [1]}})");
  EXPECT_EQ(FieldsText({}, object), "name  x\nspec  {\"a\":[1]}\n");
  EXPECT_EQ(FieldsText({{"its name", "name"}, {"none", "none"}}, object),
            "its name  x\nnone      -\n");
}

}  // namespace
}  // namespace freshet::client
