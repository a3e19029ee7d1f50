// SPDX-License-Identifier: Apache-2.0
#include "pipeline/event_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshet::pipeline {
namespace {

using record::Event;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(EventLineTest, AnEventSurvivesItsLine) {
  Event event{"table_committed",
              {{"table", "Odd \"Name\".\n"}, {"rows", int64_t{42}}, {"last", true}}};
  auto line = ToLine(event);
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  auto back = EventFromLine(line);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->name, event.name);
  EXPECT_EQ(back->fields, event.fields);
  EXPECT_EQ(NumberOf(*back, "rows"), 42);
  EXPECT_EQ(TextOf(*back, "rows"), "");
  EXPECT_FALSE(Has(*back, "none"));
}

TEST(EventLineTest, BytesThatAreNotTextDoNotBreakTheLine) {
  auto back = EventFromLine(ToLine({"x", {{"table", std::string("a\xff")}}}));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(TextOf(*back, "table"), "a\xef\xbf\xbd");
}

TEST(EventLineTest, AStatusKeepsClassReasonAndRemedy) {
  auto status =
      Error(ErrorClass::SLOT_LOST, "the slot is gone").With("slot", "s").WithRemedy("do it");
  auto back = StatusOf(WithStatus({"ended", {}}, status));
  EXPECT_EQ(back.error_class(), ErrorClass::SLOT_LOST);
  EXPECT_EQ(back.ToString(), status.ToString());
  EXPECT_EQ(back.remedy(), "do it");
  EXPECT_TRUE(StatusOf(WithStatus({"ended", {}}, Status::Ok())).ok());
}

TEST(EventLineTest, ARealMayBeWrittenAsAWholeNumber) {
  auto event = EventFromLine(ToLine({"x", {{"whole", int64_t{3}}, {"real", 2.5}, {"round", 4.0}}}));
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(RealOf(*event, "whole", -1), 3);
  EXPECT_EQ(RealOf(*event, "real", -1), 2.5);
  EXPECT_EQ(RealOf(*event, "round", -1), 4);
  EXPECT_EQ(RealOf(*event, "absent", -1), -1);
}

TEST(EventLineTest, RefusesWhatIsNoEvent) {
  for (auto* line :
       {"", "{}", "[1]", "{\"event\":1}", "{\"event\":\"x\",\"y\":[1]}", "{\"event\":"}) {
    EXPECT_FALSE(EventFromLine(line).ok()) << line;
  }
}

TEST(LineBufferTest, GivesWholeLinesOnly) {
  LineBuffer buffer;
  buffer.Add("a");
  EXPECT_THAT(buffer.Take(), IsEmpty());
  buffer.Add("b\nc\nd");
  EXPECT_THAT(buffer.Take(), ElementsAre("ab", "c"));
  buffer.Add("\n");
  EXPECT_THAT(buffer.Take(), ElementsAre("d"));
}

}  // namespace
}  // namespace freshet::pipeline
