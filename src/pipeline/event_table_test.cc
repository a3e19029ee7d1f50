// SPDX-License-Identifier: Apache-2.0
#include "pipeline/event_table.h"

#include <arrow/array.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>

#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "fakes/fake_clock.h"
#include "model/faulty_store.h"
#include "parquet/reader.h"
#include "pipeline/event_log.h"
#include "pipeline/event_rows.h"
#include "store/memory_store.h"

namespace freshet::pipeline {
namespace {

using model::Fault;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

EventRecord Event(int64_t number) {
  return {.number = number,
          .id = "id-" + std::to_string(number),
          .pipeline = "p-1",
          .update = "u",
          .level = "INFO",
          .type = "update_progress",
          .message = "Update u is RUNNING.",
          .details = R"({"update_progress":{"state":"RUNNING"}})",
          .origin = R"({"cloud":"self-hosted","pipeline_id":"p-1","update_id":"u"})",
          .at = "2026-01-31T01:02:03.004Z"};
}

std::vector<EventRecord> Events(int64_t first, int64_t last) {
  std::vector<EventRecord> events;
  for (int64_t number = first; number <= last; ++number) events.push_back(Event(number));
  return events;
}

class EventTableTest : public testing::Test {
 protected:
  Result<std::unique_ptr<EventTable>> Open(const std::string& pipeline = "p-1") {
    return EventTable::Open(faulty_, pipeline, &clock_);
  }
  EventTableTest() { spdlog::set_level(spdlog::level::off); }
  std::unique_ptr<EventTable> Opened() { return std::move(Open()).value(); }
  Status Append(int64_t first, int64_t last) {
    FRESHET_TRY(auto table, Open());
    return table->Append(Events(first, last));
  }
  /// One process: it opens the table, and finds one event more each time.
  Status RunTo(int64_t last) {
    FRESHET_TRY(auto table, Open());
    for (int64_t i = 1; i <= last; ++i) FRESHET_CHECK_OK(table->Append(Events(1, i)));
    return Status::Ok();
  }
  std::shared_ptr<const delta::Snapshot> Now() { return *delta::Table(memory_).Latest(nullptr); }
  /// Of all rows, in the order of their numbers.
  std::vector<std::string> Ids() {
    std::vector<std::string> ids;
    const auto now = Now();
    for (const auto& [path, file] : now->files) {
      auto reader = std::move(parquet::Reader::Open(memory_, path)).value();
      for (int group = 0; group < reader->row_groups(); ++group) {
        auto rows = *reader->Read(group, {arrow::field("id", arrow::utf8())});
        const auto& column = static_cast<const arrow::StringArray&>(*rows->column(0));
        for (int64_t i = 0; i < column.length(); ++i) ids.push_back(column.GetString(i));
      }
    }
    std::ranges::sort(ids, [](const auto& a, const auto& b) {
      return std::stoll(a.substr(3)) < std::stoll(b.substr(3));
    });
    return ids;
  }
  static std::vector<std::string> IdsOf(int64_t last) {
    std::vector<std::string> ids;
    for (const auto& event : Events(1, last)) ids.push_back(event.id);
    return ids;
  }

  fakes::FakeClock clock_;
  std::shared_ptr<store::FileStore> memory_ = store::MakeMemoryStore(&clock_);
  std::shared_ptr<model::FaultyStore> faulty_ = std::make_shared<model::FaultyStore>(memory_);
};

TEST_F(EventTableTest, GoesOnWhereItIs) {
  {
    auto table = Opened();
    EXPECT_EQ(table->position(), 0);
    ASSERT_TRUE(table->Append(Events(1, 3)).ok());
    EXPECT_EQ(table->position(), 3);
    ASSERT_TRUE(table->Append(Events(2, 3)).ok());
    EXPECT_EQ(Now()->version, 1) << "a commit without events";
  }
  auto again = Opened();
  EXPECT_EQ(again->position(), 3);
  ASSERT_TRUE(again->Append(Events(2, 5)).ok());
  EXPECT_EQ(Ids(), IdsOf(5));
  EXPECT_EQ(Now()->protocol.min_reader, 1) << "not every reader reads it";
}

TEST_F(EventTableTest, OfTwoWhoAppendTheSameOneDoes) {
  auto former = Opened(), next = Opened();
  ASSERT_TRUE(former->Append(Events(1, 2)).ok());
  ASSERT_TRUE(next->Append(Events(1, 4)).ok());
  ASSERT_TRUE(former->Append(Events(3, 5)).ok());
  ASSERT_TRUE(next->Append(Events(5, 5)).ok());
  EXPECT_EQ(Ids(), IdsOf(5));
}

TEST_F(EventTableTest, OfTwoWhoMakeItBothHaveIt) {
  std::unique_ptr<EventTable> rival;
  faulty_->Restart([&](int64_t, const model::WriteCall&) {
    if (rival == nullptr) rival = std::move(EventTable::Open(memory_, "p-1", &clock_)).value();
    return Fault::kNone;
  });
  auto table = Open();
  ASSERT_TRUE(table.ok()) << table.status().ToString();
  ASSERT_NE(rival, nullptr);
  ASSERT_TRUE(rival->Append(Events(1, 2)).ok());
  ASSERT_TRUE((*table)->Append(Events(1, 3)).ok());
  EXPECT_EQ(Ids(), IdsOf(3));
}

TEST_F(EventTableTest, SmallFilesBecomeFew) {
  auto table = Opened();
  for (int64_t i = 1; i <= 56; ++i) ASSERT_TRUE(table->Append(Events(i, i)).ok());
  EXPECT_LT(Now()->files.size(), 20U);
  EXPECT_EQ(Ids(), IdsOf(56));
  EXPECT_GE(Now()->checkpoint_version, 50);
  EXPECT_EQ(Opened()->position(), 56);
}

TEST_F(EventTableTest, WhatBecomesOfAnyWriteEachEventIsThereOnce) {
  const std::array kFaults{Fault::kCrashAfter, Fault::kLate};
  constexpr int64_t kEvents = 9;  // enough commits for a compaction among them
  for (auto fault : kFaults) {
    // The making of the table, an append, and from the last append before the compaction on.
    for (int64_t at : {1, 2, 3, 16, 17, 18, 19, 20, 21}) {
      memory_ = store::MakeMemoryStore(&clock_);
      faulty_ = std::make_shared<model::FaultyStore>(memory_);
      faulty_->Restart([&](int64_t number, const model::WriteCall&) {
        return number == at ? fault : Fault::kNone;
      });
      (void)RunTo(kEvents);
      faulty_->Restart(nullptr);
      ASSERT_TRUE(RunTo(kEvents).ok());
      faulty_->Settle();
      ASSERT_TRUE(Append(1, kEvents + 1).ok());
      EXPECT_EQ(Ids(), IdsOf(kEvents + 1)) << static_cast<int>(fault) << " at " << at;
    }
  }
}

TEST_F(EventTableTest, AnothersTableStaysAsItIs) {
  ASSERT_TRUE(Append(1, 1).ok());
  auto other = Open("p-2");
  EXPECT_TRUE(other.status().Is(ErrorClass::TABLE_FOREIGN));
  EXPECT_THAT(other.status().ToString(), HasSubstr("p-1"));
  EXPECT_EQ(Ids(), IdsOf(1));
}

TEST_F(EventTableTest, AnothersFilesStayAsTheyAre) {
  ASSERT_TRUE(memory_->Put("x/part-0.parquet", "bytes", store::If::kAlways).ok());
  EXPECT_TRUE(Open().status().Is(ErrorClass::TABLE_FOREIGN));
  EXPECT_EQ(memory_->List("", "", 9, true)->size(), 1U);
}

TEST_F(EventTableTest, ATableWithoutItsPositionIsNotBegunAnew) {
  ASSERT_TRUE(Append(1, 1).ok());
  auto now = Now();
  auto bare = store::MakeMemoryStore(&clock_);
  delta::CommitInfo info;
  info.operation = "CLONE";
  ASSERT_TRUE(
      delta::Table(bare).Commit(nullptr, std::move(info), {now->protocol, now->metadata}).ok());
  EXPECT_TRUE(EventTable::Open(bare, "p-1", &clock_).status().Is(ErrorClass::POSITION_LOST));
}

TEST_F(EventTableTest, SaysWhoseItIsAsEveryTableDoes) {
  const auto folder = testing::TempDir() + "event_table_" + RandomHex(6);
  ASSERT_TRUE(EventTable::Open(*store::OpenLocalStore(folder), "p-1", &clock_).ok());
  EXPECT_FALSE(*IsTableOf(folder, EventTable::OwnerOf("p-2")));
  EXPECT_TRUE(*IsTableOf(folder, EventTable::OwnerOf("p-1")));
  EXPECT_TRUE(*RemoveTableOf(folder, EventTable::OwnerOf("p-1"), false));
  EXPECT_FALSE(std::filesystem::exists(folder));
}

/// The one row of this event, column by column.
std::string RowOf(const EventRecord& event) {
  auto rows = EventRows({&event, 1});
  EXPECT_TRUE(rows.ok()) << rows.status().ToString();
  std::string text;
  for (int i = 0; i < (*rows)->num_columns(); ++i) {
    text += (*rows)->column_name(i) + "=" +
            (*rows)->column(i)->GetScalar(0).ValueOrDie()->ToString() + "\n";
  }
  return text;
}

TEST(EventRows, HaveThePublishedFields) {
  auto event = Event(7);
  event.error =
      R"({"fatal":true,"exceptions":[{"class_name":"A","message":"m","error_class":"A"}]})";
  auto row = RowOf(event);
  EXPECT_THAT(row, HasSubstr("id=id-7\n"));
  EXPECT_THAT(row, HasSubstr("timestamp=2026-01-31 01:02:03.004000Z\n"));
  EXPECT_THAT(row, HasSubstr("maturity_level=STABLE\n"));
  EXPECT_THAT(row, HasSubstr(R"(details={"update_progress":{"state":"RUNNING"}})"));
  EXPECT_THAT(row, HasSubstr("control_plane_seq_no:int64 = 7"));
  EXPECT_THAT(row, HasSubstr("fatal:bool = true"));
  EXPECT_THAT(row, HasSubstr("class_name:string = A"));
  event.error.clear();
  event.details.clear();
  EXPECT_THAT(RowOf(event), HasSubstr("error=null\ndetails=null\n"));
  event.at = "yesterday";
  EXPECT_TRUE(EventRows({&event, 1}).status().Is(ErrorClass::DATA_CORRUPT));
}

TEST(EventRows, HaveAPlaceForAllThatAnOriginSays) {
  PipelineRecord pipeline{.id = "p", .name = "p"};
  EventLog log(nullptr, pipeline, "u");
  auto said = ParseJson<nlohmann::json>(log.Progress(UpdateState::kRunning, Status::Ok()).origin);
  // What a flow's event says besides.
  for (const auto* name : {"flow_name", "dataset_name"}) said[name] = "t";
  const auto columns = EventColumns();
  const auto& type = static_cast<const arrow::StructType&>(*columns[2].type);
  ASSERT_GE(said.size(), 8U);
  for (const auto& [name, value] : said.items())
    EXPECT_NE(type.GetFieldByName(name), nullptr) << name;
}

}  // namespace
}  // namespace freshet::pipeline
