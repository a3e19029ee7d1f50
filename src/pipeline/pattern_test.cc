// SPDX-License-Identifier: Apache-2.0
#include "pipeline/pattern.h"

#include <gtest/gtest.h>

namespace freshet::pipeline {
namespace {

bool Matches(std::string_view pattern, const std::string& schema, const std::string& table) {
  auto parsed = TablePattern::Parse(pattern);
  EXPECT_TRUE(parsed.ok()) << pattern;
  return parsed.ok() && parsed->Matches({schema, table});
}

TEST(PatternTest, NamesAreLiteral) {
  EXPECT_TRUE(Matches("public.orders", "public", "orders"));
  EXPECT_FALSE(Matches("public.orders", "public", "Orders"));
  EXPECT_FALSE(Matches("public.orders", "public", "orders2"));
  EXPECT_TRUE(Matches("Odd Names.a[b]?", "Odd Names", "a[b]?"));
  EXPECT_FALSE(Matches("public.a?", "public", "ab"));
}

TEST(PatternTest, StarsMatchAnyRun) {
  EXPECT_TRUE(Matches("Odd Names.*", "Odd Names", "anything"));
  EXPECT_TRUE(Matches("*.order*", "sales", "orders"));
  EXPECT_TRUE(Matches("*.*", "a", "b"));
  EXPECT_TRUE(Matches("*", "a", "b"));
  EXPECT_TRUE(Matches("public.*a*b", "public", "xaabab"));
  EXPECT_FALSE(Matches("public.*a*b", "public", "xaaba"));
  EXPECT_TRUE(Matches("public.o*", "public", "o"));
}

TEST(PatternTest, TheLastDotSplits) {
  EXPECT_TRUE(Matches("a.b.c", "a.b", "c"));
  EXPECT_FALSE(Matches("a.b.c", "a", "b.c"));
}

TEST(PatternTest, OneOfATableMatchesItAlone) {
  auto star = TablePattern::Of({"s", "a*b"}), dotted = TablePattern::Of({"s", "a.b"});
  EXPECT_TRUE(star.Matches({"s", "a*b"}));
  EXPECT_FALSE(star.Matches({"s", "axb"}));
  EXPECT_TRUE(AnyNames({star}, {"s", "a*b"}));
  EXPECT_TRUE(dotted.Matches({"s", "a.b"}));
  EXPECT_FALSE(dotted.Matches({"s.a", "b"}));
}

TEST(PatternTest, RefusesHalves) {
  for (auto* text : {"orders", "", ".orders", "public."}) {
    auto parsed = TablePattern::Parse(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.status().error_class(), ErrorClass::INVALID_ARGUMENT);
  }
}

}  // namespace
}  // namespace freshet::pipeline
