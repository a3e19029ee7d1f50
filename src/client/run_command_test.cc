// SPDX-License-Identifier: Apache-2.0
#include "client/run_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/fakes_test.h"

namespace freshet::client {
namespace {

using testing::HasSubstr;

constexpr char kId[] = "11111111-2222-3333-4444-555555555555";

class RunTest : public testing::Test {
 protected:
  Outcome Run(const std::string& resource, const std::string& verb,
              const std::map<std::string, std::vector<std::string>>& texts,
              Format format = Format::kTable) {
    Given given;
    for (const auto& [name, values] : texts) given.Set(name, values);
    for (const auto& command : AllCommands()) {
      if (command.resource == resource && command.verb == verb)
        return RunCommand(command, given, format, &api_, &machine_);
    }
    return {Error(ErrorClass::INTERNAL, "there is no such command")};
  }
  FakeApi api_;
  FakeSurroundings machine_;
};

TEST_F(RunTest, AListHasAllPagesEvenAfterAnEmptyOne) {
  api_.Answers(R"({"catalogs": [{"name": "a"}], "next_page_token": "x/y"})");
  api_.Answers(R"({"catalogs": [], "next_page_token": "z"})");
  api_.Answers(R"({"catalogs": [{"name": "b"}]})");
  EXPECT_TRUE(Run("catalogs", "list", {}, Format::kJson).status.ok());
  EXPECT_EQ(ParseJson<Json>(machine_.printed),
            ParseJson<Json>(R"([{"name": "a"}, {"name": "b"}])"));
  EXPECT_EQ(api_.Asked(1), "GET /api/2.1/unity-catalog/catalogs?page_token=x%2Fy");
}

TEST_F(RunTest, ALimitEndsAListWithoutAskingForMore) {
  api_.Answers(
      R"({"catalogs": [{"name": "a"}, {"name": "b"}, {"name": "c"}], "next_page_token": "x"})");
  EXPECT_TRUE(Run("catalogs", "list", {{"--limit", {"2"}}}).status.ok());
  EXPECT_THAT(machine_.printed, HasSubstr("\nb "));
  EXPECT_THAT(machine_.printed, Not(HasSubstr("\nc ")));
  EXPECT_EQ(api_.calls.size(), 1U);
}

TEST_F(RunTest, APipelineIsNamedByItsIdOrByItsName) {
  api_.Answers(R"({"pipeline_id": "p", "name": "x"})");
  EXPECT_TRUE(Run("pipelines", "get", {{"PIPELINE", {kId}}}).status.ok());
  EXPECT_EQ(api_.Asked(0), std::string("GET /api/2.0/pipelines/") + kId);
  // `_` is a wildcard of the filter.
  api_.Answers(
      R"({"statuses": [{"name": "axb", "pipeline_id": "1"}, {"name": "a_b", "pipeline_id": "2"}]})");
  api_.Answers(R"({"pipeline_id": "2"})");
  EXPECT_TRUE(Run("pipelines", "get", {{"PIPELINE", {"a_b"}}}).status.ok());
  EXPECT_EQ(api_.Asked(1), "GET /api/2.0/pipelines?max_results=100&filter=name%20LIKE%20%27a_b%27");
  EXPECT_EQ(api_.Asked(2), "GET /api/2.0/pipelines/2");
  api_.Answers(R"({"statuses": [{"name": "it's", "pipeline_id": "3"}]})");
  EXPECT_EQ(*PipelineNamed(&api_, "it's"), "3");
  EXPECT_EQ(api_.Asked(3), "GET /api/2.0/pipelines?max_results=100");
}

TEST_F(RunTest, ANameOfNoneOrOfSeveralIsRefused) {
  api_.Answers(R"({"statuses": []})");
  EXPECT_TRUE(PipelineNamed(&api_, "x").status().Is(ErrorClass::NOT_FOUND));
  api_.Answers(
      R"({"statuses": [{"name": "x", "pipeline_id": "1"}, {"name": "x", "pipeline_id": "2"}]})");
  auto several = PipelineNamed(&api_, "x").status();
  EXPECT_TRUE(several.Is(ErrorClass::INVALID_ARGUMENT));
  EXPECT_THAT(std::string(several.remedy()), HasSubstr("1, 2"));
}

TEST_F(RunTest, BodiesAndValuesComeFromFiles) {
  machine_.files["p.json"] = R"({"name": "x"})";
  machine_.files["secret"] = "hunter2\n";
  api_.Answers(R"({"pipeline_id": "p"})");
  EXPECT_TRUE(Run("pipelines", "create", {{"--json", {"@p.json"}}}).status.ok());
  EXPECT_EQ(api_.Asked(0), R"(POST /api/2.0/pipelines {"name":"x"})");
  EXPECT_THAT(machine_.printed, HasSubstr("pipeline_id"));
  api_.Answers(R"({"name": "shop"})");
  EXPECT_TRUE(Run("connections", "create",
                  {{"--name", {"shop"}}, {"--option", {"host=db", "password=@secret"}}})
                  .status.ok());
  EXPECT_EQ(*At(*api_.calls[1].body, "options.password"), "hunter2");
  EXPECT_TRUE(
      Run("pipelines", "create", {{"--json", {"@none"}}}).status.Is(ErrorClass::INVALID_ARGUMENT));
  EXPECT_TRUE(
      Run("pipelines", "create", {{"--json", {"{"}}}).status.Is(ErrorClass::INVALID_ARGUMENT));
}

TEST_F(RunTest, ASecretOnTheCommandLineIsRefusedAndNotRepeated) {
  auto refused = Run("connections", "create", {{"--option", {"Password=hunter2"}}}).status;
  EXPECT_TRUE(refused.Is(ErrorClass::INVALID_ARGUMENT));
  EXPECT_THAT(refused.ToString(), Not(HasSubstr("hunter2")));
  EXPECT_THAT(std::string(refused.remedy()), HasSubstr("Password=@FILE"));
  refused = Run("connections", "create", {{"--json", {R"({"options": {"password": "hunter2"}})"}}})
                .status;
  EXPECT_TRUE(refused.Is(ErrorClass::INVALID_ARGUMENT));
  EXPECT_THAT(refused.ToString(), Not(HasSubstr("hunter2")));
  EXPECT_THAT(std::string(refused.remedy()), HasSubstr("--json @FILE"));
  EXPECT_TRUE(api_.calls.empty());
}

TEST_F(RunTest, EventsAreChosenByLevelAndUpdate) {
  api_.Answers(R"({"events": [{"timestamp": "t", "level": "ERROR", "message": "bad\u001b[2J"}]})");
  EXPECT_TRUE(Run("pipelines", "list-pipeline-events",
                  {{"PIPELINE", {kId}},
                   {"--filter", {"id = 'x'"}},
                   {"--level", {"ERROR"}},
                   {"--update", {"u"}}})
                  .status.ok());
  EXPECT_THAT(api_.Asked(0), HasSubstr("?filter=" + Encoded("id = 'x' AND level = 'ERROR' AND "
                                                            "update_id = 'u'")));
  EXPECT_THAT(machine_.printed, HasSubstr("bad\\x1b[2J"));
  EXPECT_EQ(Run("pipelines", "list-pipeline-events", {{"PIPELINE", {kId}}, {"--update", {"'"}}})
                .status.error_class(),
            ErrorClass::INVALID_ARGUMENT);
}

TEST_F(RunTest, WhatIsDoneIsSaidWhereTheAnswerSaysNothing) {
  api_.Answers("{}");
  EXPECT_TRUE(Run("schemas", "delete", {{"CATALOG.SCHEMA", {"main.s"}}}).status.ok());
  EXPECT_EQ(machine_.printed, "deleted main.s\n");
  api_.Answers(
      R"({"left_behind": [{"error_class": "NOT_FOUND", "message": "the slot", "remedy": "drop it"}]})");
  EXPECT_TRUE(Run("pipelines", "delete", {{"PIPELINE", {kId}}, {"--force", {"true"}}}).status.ok());
  EXPECT_THAT(machine_.printed, HasSubstr("the slot"));
}

TEST_F(RunTest, ATestThatIsNotPassedIsAnError) {
  api_.Answers(R"({"passed": true, "findings": []})");
  EXPECT_TRUE(Run("connections", "test", {{"NAME", {"shop"}}}).status.ok());
  api_.Answers(R"({"passed": false, "findings": [
      {"fatal": true, "error_class": "TABLE_NO_IDENTITY", "message": "m", "table": "a.b"},
      {"fatal": true, "error_class": "SOURCE_NOT_LOGICAL", "message": "wal_level", "remedy": "ALTER"}]})");
  EXPECT_TRUE(
      Run("connections", "test", {{"NAME", {"shop"}}}).status.Is(ErrorClass::SOURCE_NOT_LOGICAL));
  EXPECT_THAT(machine_.printed, HasSubstr("ALTER"));
}

TEST_F(RunTest, AnUpdateThatIsBegunIsWatched) {
  api_.Answers(R"({"update_id": "u"})");
  api_.Answers(R"({"update": {"state": "COMPLETED"}})");
  api_.Answers(R"({"events": []})");
  EXPECT_TRUE(
      Run("pipelines", "start-update", {{"PIPELINE", {kId}}, {"--wait", {"true"}}}).status.ok());
  EXPECT_EQ(api_.Asked(1), std::string("GET /api/2.0/pipelines/") + kId + "/updates/u");
  EXPECT_THAT(machine_.printed, HasSubstr("COMPLETED"));
}

}  // namespace
}  // namespace freshet::client
