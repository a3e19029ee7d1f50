// SPDX-License-Identifier: Apache-2.0
#include "pipeline/run_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshet::pipeline {
namespace {

using testing::ElementsAre;

TEST(RunOptions, OfOneHalfComeBackFromTheirLine) {
  IngestOptions options;
  options.halves = Halves::kApply;
  options.directory = "/data/pipelines/p";
  options.pipeline = "p";
  options.left_out = {
      {{"public", "dotted.name"},
       Error(ErrorClass::COLUMN_RESERVED, "a reserved column").WithRemedy("rename")}};
  options.pipelines = {"one", "two"};
  options.revision = 7;
  options.refresh = ParsePatterns({"public.order*"}).value();
  options.refresh.push_back(TablePattern::Of({"public", "a.b*"}));
  options.continuous = true;
  auto back = OptionsFromLine(ToLine(options));
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(back->halves, Halves::kApply);
  EXPECT_EQ(back->directory, options.directory);
  EXPECT_EQ(back->pipeline, "p");
  ASSERT_EQ(back->left_out.size(), 1U);
  EXPECT_EQ(back->left_out[0].first, options.left_out[0].first);
  EXPECT_TRUE(back->left_out[0].second.Is(ErrorClass::COLUMN_RESERVED));
  EXPECT_EQ(back->left_out[0].second.remedy(), "rename");
  EXPECT_THAT(back->pipelines, ElementsAre("one", "two"));
  EXPECT_EQ(back->revision, 7);
  ASSERT_EQ(back->refresh.size(), 2U);
  EXPECT_TRUE(back->refresh[0].Matches({"public", "orders"}));
  EXPECT_TRUE(back->refresh[1].Matches({"public", "a.b*"}));
  EXPECT_FALSE(back->refresh[1].Matches({"public", "a.bc"}));
  EXPECT_TRUE(back->continuous);
}

TEST(RunOptions, OfBothHalvesHaveAStagingOfTheirOwn) {
  auto back = OptionsFromLine(ToLine(IngestOptions()));
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(back->halves, Halves::kBoth);
  EXPECT_EQ(back->pipeline, kOnlyPipeline);
  EXPECT_TRUE(back->pipelines.empty());
  EXPECT_FALSE(OptionsFromLine("{}").ok());
}

}  // namespace
}  // namespace freshet::pipeline
