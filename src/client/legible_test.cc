// SPDX-License-Identifier: Apache-2.0
#include "client/legible.h"

#include <gtest/gtest.h>

namespace freshet::client {
namespace {

TEST(Legible, NothingThatATerminalObeysStays) {
  EXPECT_EQ(Legible("plain é 日本 text"), "plain é 日本 text");
  EXPECT_EQ(Legible("a\x1b]0;title\x07 b\x7f"), "a\\x1b]0;title\\x07 b\\x7f");
  EXPECT_EQ(Legible("two\nlines\tand\r"), "two\\nlines\\tand\\r");
  EXPECT_EQ(LegibleLines("two\nlines\tand\r"), "two\nlines\tand\\r");
  EXPECT_EQ(Legible("c1 \xc2\x9b"
                    "31m"),
            "c1 \\x9b31m");
  EXPECT_EQ(Legible("turned \xe2\x80\xae around"), "turned \\u202e around");
}

TEST(Legible, BytesThatAreNotTextAreWrittenByTheirNumbers) {
  EXPECT_EQ(Legible("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(Legible("\xc0\x9b"), "\\xc0\\x9b");           // longer than it has to be
  EXPECT_EQ(Legible("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // half of a pair
  EXPECT_EQ(Legible("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
}

TEST(Legible, JsonStaysTheSameJson) {
  EXPECT_EQ(LegibleJson("{\n  \"a\": \"\xc2\x9b\x7f\"\n}"), "{\n  \"a\": \"\\u009b\\u007f\"\n}");
}

TEST(Legible, WidthsAreCountedInCharacters) {
  EXPECT_EQ(WidthOf("é日a"), 3U);
  EXPECT_EQ(Cut("é日a", 2), "é日");
  EXPECT_EQ(Cut("é日a", 5), "é日a");
}

}  // namespace
}  // namespace freshet::client
