// SPDX-License-Identifier: Apache-2.0
#include "sources/sample/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "sources/sample/changes.h"
#include "sources/sample/source.h"

namespace freshet::sources::sample {
namespace {

using testing::HasSubstr;

constexpr std::string_view kCreate =
    R"({"changes": [{"op": "create", "table": "s.t", "id": "t-1", "columns": [["id", "long"], ["v", "string"]], "key": ["id"]}]})";

/// A journal in a directory of its own, with one table.
class SampleTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "freshet-sample-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    config_ = {.directory = pattern, .reader = "mine"};
    Append("{\"journal\": \"j\", \"base\": 0}\n" + std::string(kCreate) + "\n");
  }
  void TearDown() override { std::filesystem::remove_all(config_.directory); }

  void Append(const std::string& text) {
    std::ofstream file(config_.journal(), std::ios::binary | std::ios::app);
    ASSERT_TRUE(file << text << std::flush);
  }
  void Insert(const std::string& row) {
    Append(R"({"changes": [{"op": "insert", "table": "s.t", "row": )" + row + "}]}\n");
  }
  std::unique_ptr<ChangeStream> Stream(const record::Cursor& from = {}) {
    auto source = Open(config_);
    EXPECT_TRUE(source.ok()) << source.status().ToString();
    auto shape = (*source)->Describe(record::TableId("t-1"));
    EXPECT_TRUE(shape.ok()) << shape.status().ToString();
    auto stream = OpenChanges(config_, {std::make_shared<const record::TableShape>(*shape)}, from);
    EXPECT_TRUE(stream.ok()) << stream.status().ToString();
    return std::move(*stream);
  }
  static Result<record::StreamEvent> Next(ChangeStream& stream) {
    return stream.Next(std::chrono::steady_clock::now());
  }

  Config config_;
};

TEST_F(SampleTest, ALineWithoutItsEndIsNotCommittedYet) {
  auto stream = Stream();
  Append(R"({"changes": [{"op": "insert", "table": "s.t", )");
  auto event = Next(*stream);
  ASSERT_TRUE(event.ok()) << event.status().ToString();
  EXPECT_TRUE(std::holds_alternative<record::Idle>(*event));
  Append("\"row\": {\"id\": 1}}]}\n");
  event = Next(*stream);
  ASSERT_TRUE(event.ok()) << event.status().ToString();
  EXPECT_TRUE(std::holds_alternative<record::TableEvent>(*event));
}

TEST_F(SampleTest, ARowThatItsTableDoesNotAllowFailsTheTableAndNamesTheTransaction) {
  for (const char* row : {R"({"id": 1, "w": 2})", R"({"v": "no key"})", "7"}) {
    auto stream = Stream();
    Insert(row);
    auto event = Next(*stream);
    ASSERT_TRUE(event.ok()) << event.status().ToString();
    const auto* failed = std::get_if<record::TableFailed>(&std::get<record::TableEvent>(*event));
    ASSERT_NE(failed, nullptr) << row;
    EXPECT_TRUE(failed->why.Is(ErrorClass::DATA_CORRUPT));
    EXPECT_THAT(failed->why.ToString(), HasSubstr("transaction: "));
  }
}

TEST_F(SampleTest, AReplacedJournalEndsTheStreamAndIsReadOnFromTheCursor) {
  Insert(R"({"id": 1})");
  auto stream = Stream();
  ASSERT_TRUE(std::holds_alternative<record::Idle>(*Next(*stream)));
  std::filesystem::copy_file(config_.journal(), config_.journal() + ".new");
  std::filesystem::rename(config_.journal() + ".new", config_.journal());
  Insert(R"({"id": 2})");
  auto event = stream->Next(std::chrono::steady_clock::now() + std::chrono::minutes(1));
  ASSERT_FALSE(event.ok());
  EXPECT_TRUE(event.status().Is(ErrorClass::SOURCE_UNREACHABLE));
  EXPECT_EQ(event.status().retry(), Retry::kBackoff);
  auto again = Stream(stream->Start());
  EXPECT_TRUE(std::holds_alternative<record::TableEvent>(*Next(*again)));
}

TEST_F(SampleTest, ThePositionIsWrittenBesideTheJournalAndForgotten) {
  auto stream = Stream();
  ASSERT_TRUE(stream->Acknowledge(stream->Start()).ok());
  std::string text;
  std::getline(std::ifstream(config_.position_file()), text);
  EXPECT_EQ(text, "1");
  auto source = Open(config_);
  ASSERT_TRUE(source.ok());
  ASSERT_TRUE((*source)->Forget().ok());
  EXPECT_FALSE(std::filesystem::exists(config_.position_file()));
}

TEST_F(SampleTest, WhatIsNoJournalIsSaid) {
  std::filesystem::remove(config_.journal());
  EXPECT_TRUE(Open(config_).status().Is(ErrorClass::SOURCE_UNREACHABLE));
  Append("");
  EXPECT_TRUE(Open(config_).status().Is(ErrorClass::DATA_CORRUPT));
  Append("{\"journal\": \"j\"}\n[]\n");
  auto source = Open(config_);
  ASSERT_TRUE(source.ok());
  auto findings = (*source)->Check();
  ASSERT_EQ(findings.size(), size_t{1});
  EXPECT_THAT(findings[0].problem.ToString(), HasSubstr("line 2"));
}

TEST_F(SampleTest, TheUriIsReadOrRefused) {
  auto settings = ParseUri("sample:///data/shop?chunk_bytes=5");
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(ConfigOf(*settings)->directory, "/data/shop");
  EXPECT_EQ(ConfigOf(*settings)->chunk_bytes, 5);
  for (const char* bad : {"sample://", "sample:///x?chunk_bytes=0", "sample:///x?y=1"})
    EXPECT_TRUE(ParseUri(bad).status().Is(ErrorClass::INVALID_ARGUMENT)) << bad;
}

}  // namespace
}  // namespace freshet::sources::sample
