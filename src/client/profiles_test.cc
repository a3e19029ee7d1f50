// SPDX-License-Identifier: Apache-2.0
#include "client/profiles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/fakes_test.h"

namespace freshet::client {
namespace {

using testing::HasSubstr;

constexpr char kFile[] = R"(# ours
[DEFAULT]
host = http://one:8080
token = t-one

[lake]
host  = https://Lake.example.com/
token = t-lake
ca_file = /ca.pem
)";

TEST(Host, IsAUrlOfAMachine) {
  EXPECT_EQ(*OriginOf("http://127.0.0.1:8080/"), "http://127.0.0.1:8080");
  EXPECT_EQ(*OriginOf("https://Lake.example.com"), "https://lake.example.com:443");
  EXPECT_EQ(*OriginOf("http://[::1]:80"), "http://[::1]:80");
  for (const auto* wrong :
       {"", "127.0.0.1:8080", "ftp://h", "https://", "http://h:0", "http://h:x", "http://h/path",
        "http://h?x", "http://[::1", "http://h:99999", "http://a b"}) {
    EXPECT_TRUE(OriginOf(wrong).status().Is(ErrorClass::INVALID_ARGUMENT)) << wrong;
  }
  EXPECT_THAT(OriginOf("http://me:hunter2@h").status().ToString(), Not(HasSubstr("hunter2")));
}

TEST(Profiles, AreReadAsTheyAreWritten) {
  auto profiles = *ParseProfiles(kFile, "f");
  ASSERT_EQ(profiles.size(), 2U);
  EXPECT_EQ(profiles[1].name, "lake");
  EXPECT_EQ(profiles[1].host, "https://Lake.example.com/");
  EXPECT_EQ(profiles[1].token.Reveal(), "t-lake");
  EXPECT_EQ(profiles[1].ca_file, "/ca.pem");
}

TEST(Profiles, WhatIsWrongIsNamedByItsLine) {
  for (const auto& [text, line] :
       std::vector<std::pair<std::string, std::string>>{{"host = x\n", "f line 1"},
                                                        {"[a]\nhots = x\n", "f line 2"},
                                                        {"[a]\nhost\n", "f line 2"},
                                                        {"[a]\n[b]\n[a]\n", "f line 3"},
                                                        {"[a]\ntoken = two words\n", "f line 2"}}) {
    auto wrong = ParseProfiles(text, "f").status();
    EXPECT_TRUE(wrong.Is(ErrorClass::INVALID_ARGUMENT)) << text;
    EXPECT_THAT(wrong.ToString(), HasSubstr(line));
    EXPECT_THAT(wrong.ToString(), Not(HasSubstr("two words")));
  }
}

TEST(Profiles, OneTakesThePlaceOfItsFormerSelfAndNoOthers) {
  auto text = WithProfile(kFile, {.name = "DEFAULT", .host = "http://two:1", .token = Secret("n")});
  EXPECT_THAT(text, HasSubstr("# ours\n[DEFAULT]\nhost = http://two:1\ntoken = n\n\n[lake]\n"));
  EXPECT_THAT(text, HasSubstr("token = t-lake\nca_file = /ca.pem\n"));
  EXPECT_THAT(text, Not(HasSubstr("one")));
  text = WithProfile("", {.name = "a", .host = "http://a:1"});
  EXPECT_EQ(WithProfile(text, {.name = "b", .host = "http://b:1"}),
            "[a]\nhost = http://a:1\n\n[b]\nhost = http://b:1\n");
}

class ChooseTest : public testing::Test {
 protected:
  ChooseTest() {
    machine_.variables["HOME"] = "/h";
    machine_.files["/h/.freshetcfg"] = kFile;
    machine_.files["t"] = "t-file\n";
  }
  /// `host token`, or the error.
  std::string Chosen(const WantedServer& wanted) {
    auto server = ChooseServer(wanted, &machine_);
    return server.ok() ? server->host + " " + server->token.Reveal() : server.status().ToString();
  }
  FakeSurroundings machine_;
};

TEST_F(ChooseTest, TheNearestCounts) {
  EXPECT_EQ(Chosen({}), "http://one:8080 t-one");
  EXPECT_EQ(Chosen({.profile = "lake"}), "https://lake.example.com:443 t-lake");
  machine_.variables["FRESHET_CONFIG_PROFILE"] = "lake";
  EXPECT_EQ(Chosen({}), "https://lake.example.com:443 t-lake");
  machine_.variables["FRESHET_HOST"] = "http://three:3";
  machine_.variables["FRESHET_TOKEN"] = "t-three";
  EXPECT_EQ(Chosen({}), "http://three:3 t-three");
  EXPECT_EQ(Chosen({.profile = "DEFAULT"}), "http://one:8080 t-one");
  EXPECT_EQ(Chosen({.host = "http://four:4", .token_file = "t"}), "http://four:4 t-file");
  EXPECT_EQ(Chosen({.token_file = "t"}), "http://three:3 t-file");
}

TEST_F(ChooseTest, ATokenGoesToNoOtherHostThanItsOwn) {
  EXPECT_THAT(Chosen({.host = "http://evil:1"}), HasSubstr("no token for http://evil:1"));
  EXPECT_EQ(Chosen({.host = "http://ONE:8080/"}), "http://one:8080 t-one");
  machine_.variables["FRESHET_HOST"] = "http://three:3";
  EXPECT_THAT(Chosen({}), HasSubstr("no token for http://three:3"));
  machine_.variables["FRESHET_HOST"] = "";
  machine_.variables["FRESHET_TOKEN"] = "t-any";  // said without a host
  EXPECT_EQ(Chosen({.host = "http://five:5"}), "http://five:5 t-any");
}

TEST_F(ChooseTest, WithoutAnythingThePublishedVariablesCount) {
  machine_.files.erase("/h/.freshetcfg");
  EXPECT_THAT(Chosen({}), HasSubstr("no server is named"));
  machine_.variables["DATABRICKS_TOKEN"] = "t-lake";
  EXPECT_THAT(Chosen({.host = "http://five:5"}), Not(HasSubstr("t-lake"))) << "it is for another";
  machine_.variables["DATABRICKS_HOST"] = "lake.example.com";
  EXPECT_EQ(Chosen({}), "https://lake.example.com:443 t-lake");
  EXPECT_THAT(Chosen({.profile = "none"}), HasSubstr("no profile 'none'"));
  machine_.variables["FRESHET_TOKEN"] = "two words";
  EXPECT_THAT(Chosen({}), HasSubstr("FRESHET_TOKEN holds no token"));
}

TEST_F(ChooseTest, WhoSignsTheCertificateComesFromWhereTheHostDoes) {
  EXPECT_EQ(ChooseServer({.profile = "lake"}, &machine_)->ca_file, "/ca.pem");
  EXPECT_EQ(ChooseServer({.profile = "lake", .ca_file = "/x"}, &machine_)->ca_file, "/x");
  machine_.variables["FRESHET_CA_FILE"] = "/y";
  EXPECT_EQ(ChooseServer({}, &machine_)->ca_file, "/y");
}

}  // namespace
}  // namespace freshet::client
