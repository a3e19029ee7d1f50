// SPDX-License-Identifier: Apache-2.0
#include "client/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "client/fakes_test.h"

namespace freshet::client {
namespace {

using testing::HasSubstr;

/// The server that all commands of a test open.
class Forward final : public Api {
 public:
  explicit Forward(FakeApi* to) : to_(to) {}
  Result<Json> Send(const Call& call) override { return to_->Send(call); }

 private:
  FakeApi* const to_;
};

class CommandLineTest : public testing::Test {
 protected:
  CommandLineTest() {
    machine_.variables = {{"HOME", "/h"}, {"FRESHET_HOST", "http://h:1"}, {"FRESHET_TOKEN", "t"}};
    auto open = [this](const Server& server, Clock*) {
      server_ = server;
      return std::make_unique<Forward>(&api_);
    };
    app_.require_subcommand(1);
    AddCommands(&app_, {.surroundings = &machine_,
                        .open = open,
                        .ended = [this](const Outcome& outcome) { outcome_ = outcome; }});
  }
  /// What is wrong with the arguments, else empty.
  std::string Parse(std::vector<std::string> arguments) {
    std::ranges::reverse(arguments);
    try {
      app_.parse(arguments);
    } catch (const CLI::ParseError& error) {
      return error.get_exit_code() == 0 ? "help" : error.what();
    }
    return "";
  }
  CLI::App app_{"Freshet", "freshet"};
  FakeSurroundings machine_;
  FakeApi api_;
  Server server_;
  Outcome outcome_;
};

TEST_F(CommandLineTest, WordsBecomeARequest) {
  api_.Answers(R"({"privilege_assignments": [{"principal": "ann", "privileges": ["SELECT"]}]})");
  EXPECT_EQ(Parse({"grants", "update", "SCHEMA", "main.s", "--principal", "ann", "--add",
                   "SELECT,USE_SCHEMA", "--host", "http://h:2", "--token-file", "-"}),
            "");
  EXPECT_TRUE(outcome_.status.Is(ErrorClass::INVALID_ARGUMENT)) << "nothing is on standard input";
  machine_.files["-"] = "t2\n";
  EXPECT_EQ(Parse({"grants", "update", "SCHEMA", "main.s", "--principal", "ann", "--add",
                   "SELECT,USE_SCHEMA", "--host", "http://h:2", "--token-file", "-"}),
            "");
  ASSERT_TRUE(outcome_.status.ok()) << outcome_.status.ToString();
  EXPECT_EQ(server_.host, "http://h:2");
  EXPECT_EQ(server_.token.Reveal(), "t2");
  ASSERT_EQ(api_.calls.size(), 1U);
  EXPECT_EQ(
      api_.Asked(0),
      R"(PATCH /api/2.1/unity-catalog/permissions/schema/main.s {"changes":[{"principal":"ann","add":["SELECT","USE_SCHEMA"]}]})");
  EXPECT_EQ(machine_.printed, "PRINCIPAL  PRIVILEGES\nann        SELECT\n");
}

TEST_F(CommandLineTest, AnythingElseIsAskedAsItIs) {
  api_.Answers(R"({"a": 1})");
  EXPECT_EQ(Parse({"api", "get", "/api/2.0/x?y=%20"}), "");
  ASSERT_TRUE(outcome_.status.ok()) << outcome_.status.ToString();
  EXPECT_EQ(api_.Asked(0), "GET /api/2.0/x?y=%20");
  EXPECT_EQ(machine_.printed, "{\n  \"a\": 1\n}\n");
}

TEST_F(CommandLineTest, WhatIsMissingOrUnknownIsNamed) {
  EXPECT_THAT(Parse({"pipelines", "get"}), HasSubstr("PIPELINE"));
  EXPECT_THAT(Parse({"pipelines"}), HasSubstr("subcommand"));
  EXPECT_THAT(Parse({"pipelines", "list", "--limt", "3"}), HasSubstr("--limt"));
  EXPECT_THAT(Parse({"pipelines", "list", "--output", "xml"}), HasSubstr("xml"));
  EXPECT_THAT(Parse({"grants", "get", "planet", "x"}), HasSubstr("planet"));
  EXPECT_THAT(Parse({"api", "GET", "x"}), HasSubstr("begins with /"));
  EXPECT_EQ(Parse({"pipelines", "events", "--help"}), "help");
}

TEST_F(CommandLineTest, ALoginIsKeptOnceTheServerKnowsIt) {
  machine_.variables.erase("FRESHET_TOKEN");
  machine_.said = Secret("t3");
  api_.answers.emplace_back(Error(ErrorClass::SOURCE_AUTH, "no"));
  EXPECT_EQ(Parse({"auth", "login", "--host", "http://H:3", "--profile", "lake"}), "");
  EXPECT_TRUE(outcome_.status.Is(ErrorClass::SOURCE_AUTH));
  EXPECT_TRUE(machine_.files.empty());
  api_.Answers(R"({"userName": "ann"})");
  EXPECT_EQ(Parse({"auth", "login", "--host", "http://H:3", "--profile", "lake"}), "");
  ASSERT_TRUE(outcome_.status.ok()) << outcome_.status.ToString();
  EXPECT_EQ(machine_.files["/h/.freshetcfg"], "[lake]\nhost = http://h:3\ntoken = t3\n");
  EXPECT_THAT(machine_.printed, HasSubstr("ann at http://h:3"));
  machine_.printed.clear();
  EXPECT_EQ(Parse({"auth", "profiles"}), "");
  EXPECT_THAT(machine_.printed, HasSubstr("lake  http://h:3  true"));
  EXPECT_THAT(machine_.printed, Not(HasSubstr("t3")));
  EXPECT_EQ(Parse({"auth", "login", "--host", "http://h:3", "--profile", "a]b"}), "");
  EXPECT_TRUE(outcome_.status.Is(ErrorClass::INVALID_ARGUMENT));
}

TEST_F(CommandLineTest, CompletionsHaveEveryCommandAndOption) {
  auto tree = CompletedOf(app_);
  for (auto shell : {Shell::kBash, Shell::kZsh, Shell::kFish}) {
    auto script = CompletionOf(tree, shell);
    for (const auto& command : AllCommands()) {
      EXPECT_THAT(script, HasSubstr("' " + command.resource + " " + command.verb + "'"));
      for (const auto& argument : command.arguments) {
        if (!argument.name.starts_with("--")) continue;
        auto name = shell == Shell::kFish ? "-l " + argument.name.substr(2) : argument.name;
        EXPECT_THAT(script, HasSubstr(name));
      }
    }
    EXPECT_THAT(script, HasSubstr("' pipelines events'"));
    EXPECT_EQ(script.find("<steps>"), std::string::npos);
  }
  EXPECT_THAT(
      CompletionOf(tree, Shell::kBash),
      HasSubstr(
          "' pipelines list --output'|' pipelines list -o') COMPREPLY=($(compgen -W 'table json'"));
  EXPECT_THAT(CompletionOf(tree, Shell::kZsh), HasSubstr("compadd -- 'table' 'json'"));
  EXPECT_THAT(CompletionOf(tree, Shell::kFish), HasSubstr("-l output -s o -x -a 'table json'"));
}

TEST(Completion, WordsThatAShellWouldReadAreQuoted) {
  CompletedCommand tree{.name = "freshet"};
  tree.commands.push_back({.name = "it", .summary = "it's $HOME: `x`\nand more"});
  EXPECT_THAT(CompletionOf(tree, Shell::kZsh), HasSubstr("'it:it'\\''s $HOME: `x`'"));
  EXPECT_THAT(CompletionOf(tree, Shell::kFish), HasSubstr("-d 'it\\'s $HOME: `x`'"));
}

}  // namespace
}  // namespace freshet::client
