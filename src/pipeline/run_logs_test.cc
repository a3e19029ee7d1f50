// SPDX-License-Identifier: Apache-2.0
#include "pipeline/run_logs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "base/server_limits.h"

namespace freshet::pipeline {
namespace {

namespace fs = std::filesystem;

using testing::IsEmpty;

class RunLogsTest : public testing::Test {
 protected:
  RunLogsTest() { fs::create_directories(workers_); }
  ~RunLogsTest() override { fs::remove_all(data_); }

  /// Write a file, older than all before by an hour.
  void Put(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(++age_));
  }
  RunLogPiece Read(std::optional<int64_t> from, int64_t bytes = 1000) {
    auto piece = ReadRunLog(data_, "p", "x.log", from, bytes);
    EXPECT_TRUE(piece.ok()) << piece.status().ToString();
    return *piece;
  }

  const std::string data_ = testing::TempDir() + "run_logs_" + RandomHex(6);
  const std::string workers_ = data_ + "/pipelines/p/_freshet/log";
  int age_ = 0;
};

TEST_F(RunLogsTest, AreListedWithTheUpdateThatTheyAreOf) {
  const std::string update = RandomUuid();
  auto run = MakeRunLog(data_, "p", update);
  ASSERT_TRUE(run.ok());
  Put(*run, "one\n");
  Put(workers_ + "/20260131T010203.000004Z-" + update + "-gateway.log", "");
  Put(workers_ + "/20260130T010203.000004Z-update.log", "of an earlier version\n");
  auto logs = *RunLogsOf(data_, "p");
  ASSERT_EQ(logs.size(), 3U);
  EXPECT_EQ(logs[0].worker, "run");
  EXPECT_EQ(logs[0].update, update);
  EXPECT_EQ(logs[0].bytes, 4);
  EXPECT_EQ(logs[1].worker, "gateway");
  EXPECT_EQ(logs[1].update, update);
  EXPECT_EQ(logs[2].worker, "update");
  EXPECT_EQ(logs[2].update, "");
  EXPECT_THAT(*RunLogsOf(data_, "none"), IsEmpty());
}

TEST_F(RunLogsTest, TheOldestGo) {
  for (size_t i = 0; i < limits::kRunLogsKept + 5; ++i)
    Put(*MakeRunLog(data_, "p", "u" + std::to_string(i)), "");
  auto next = *MakeRunLog(data_, "p", "next");
  Put(next, "");
  EXPECT_EQ(RunLogsOf(data_, "p")->size(), limits::kRunLogsKept);
  EXPECT_TRUE(fs::exists(fs::path(next).parent_path() / "u0.log")) << "the newest went";
}

TEST_F(RunLogsTest, AreReadLineByLineAndFollowed) {
  Put(workers_ + "/x.log", "first\nsecond\nthi");
  auto all = Read(std::nullopt);
  EXPECT_EQ(all.text, "first\nsecond\n");
  EXPECT_EQ(all.bytes, 16);
  Put(workers_ + "/x.log", "first\nsecond\nthird\n");
  auto rest = Read(all.to);
  EXPECT_EQ(rest.text, "third\n");
  EXPECT_EQ(rest.from, 13);
  EXPECT_EQ(Read(rest.to).text, "");
  EXPECT_EQ(Read(rest.to).to, rest.to);
  EXPECT_EQ(Read(1 << 20).to, 19) << "past the end";
}

TEST_F(RunLogsTest, OfALongOneTheEndComesOrWhatIsAskedFor) {
  Put(workers_ + "/x.log", "first\nsecond\nthird\n");
  auto end = Read(std::nullopt, 10);
  EXPECT_EQ(end.text, "third\n");
  EXPECT_EQ(end.from, 13);
  EXPECT_EQ(Read(0, 8).text, "first\n");
  EXPECT_EQ(Read(6, 4).text, "seco") << "a line longer than what is asked for comes in parts";
  EXPECT_EQ(Read(10, 4).text, "nd\n");
}

TEST_F(RunLogsTest, NoNameLeadsElsewhere) {
  Put(data_ + "/pipelines/p/secret", "x\n");
  fs::create_symlink(data_ + "/pipelines/p/secret", workers_ + "/link.log");
  for (const auto* name : {"link.log", "none.log"}) {
    auto read = ReadRunLog(data_, "p", name, 0, 10);
    EXPECT_TRUE(read.status().Is(ErrorClass::NOT_FOUND)) << name;
  }
  for (const auto* name : {"..", "../secret", "/etc/passwd", "a/b"}) {
    auto read = ReadRunLog(data_, "p", name, 0, 10);
    EXPECT_TRUE(read.status().Is(ErrorClass::INVALID_ARGUMENT)) << name;
  }
}

}  // namespace
}  // namespace freshet::pipeline
