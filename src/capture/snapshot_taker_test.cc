// SPDX-License-Identifier: Apache-2.0
#include "capture/snapshot_taker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "capture/gateway.h"
#include "fakes/fake_clock.h"
#include "fakes/fake_source.h"
#include "staging/reader.h"
#include "staging/wishes.h"
#include "store/memory_store.h"

namespace freshet::capture {
namespace {

using fakes::Insert;
using staging::FlowId;
using staging::Generation;
using staging::TableId;

const FlowId kFlow("f");

record::TableShape Shape(const std::string& id, std::vector<fakes::Column> more = {}) {
  std::vector<fakes::Column> columns = {{"id", arrow::int64()}, {"note", arrow::utf8()}};
  columns.insert(columns.end(), more.begin(), more.end());
  return fakes::MakeShape(id, "public", "t" + id, std::move(columns));
}

class Events final : public record::Observer {
 public:
  void OnEvent(const record::Event& event) override {
    std::lock_guard lock(mutex_);
    ++counts_[event.name];
  }
  int Count(const std::string& name) {
    std::lock_guard lock(mutex_);
    return counts_[name];
  }

 private:
  std::mutex mutex_;
  std::map<std::string, int> counts_;
};

/// A gateway beside what is asked of it: snapshots that are slow or blocked, tables with problems.
class BesideTest : public ::testing::Test {
 protected:
  void SetUp() override {
    source_.Create(Shape("1"));
    source_.Commit({Insert{"1", {int64_t{1}, "a"}}, Insert{"1", {int64_t{2}, "b"}},
                    Insert{"1", {int64_t{3}, "c"}}});
  }
  void Wish(const std::string& table, int64_t generation) {
    ASSERT_TRUE(
        staging::PutWish(
            *store_, {.flow = kFlow, .table = TableId(table), .generation = Generation(generation)})
            .ok());
  }
  Result<Captured> Run(
      int readers, std::function<bool()> drain = [] { return true; }) {
    GatewayOptions options;
    options.snapshot_readers = readers;
    options.drain_requested = std::move(drain);
    return Gateway(&source_, store_, &clock_, &events_, std::move(options)).Run({});
  }
  void RunWell(int readers = 0) {
    auto captured = Run(readers);
    ASSERT_TRUE(captured.ok()) << captured.status().ToString();
  }
  staging::Checkpoint State() {
    return *std::move(staging::StagingReader::Open(store_)).value()->Latest().value();
  }
  template <typename T>
  std::vector<T> Entries() {
    std::vector<T> entries;
    auto reader = std::move(staging::StagingReader::Open(store_)).value();
    auto manifests = reader->List(staging::SegmentNumber(0), 1'000'000);
    for (const auto& manifest : *manifests) {
      for (const auto& entry : manifest->entries) {
        if (const auto* each = std::get_if<T>(&entry)) entries.push_back(*each);
      }
    }
    return entries;
  }
  int64_t SnapshotRows(int64_t generation) {
    int64_t rows = 0;
    for (const auto& part : Entries<staging::SnapshotPart>())
      rows += part.generation == Generation(generation) ? part.rows : 0;
    return rows;
  }
  int64_t ChangeRows(const std::string& table) {
    int64_t rows = 0;
    for (const auto& run : Entries<staging::ChangeRun>())
      rows += run.table == TableId(table) ? run.rows : 0;
    return rows;
  }
  /// Look again and again, for two minutes at most.
  static bool Comes(const std::function<bool()>& what) {
    auto end = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    while (std::chrono::steady_clock::now() < end) {
      if (what()) return true;
    }
    return false;
  }

  fakes::FakeClock clock_;
  fakes::FakeSource source_{&clock_};
  std::shared_ptr<store::FileStore> store_ = store::MakeMemoryStore(&clock_);
  Events events_;
};

TEST_F(BesideTest, ChangesGoOnWhileASnapshotIsTaken) {
  RunWell();
  Wish("1", 1);
  bool sealed = false;
  source_.before = [&](const std::string& step) {
    if (step != "snapshot") return Status::Ok();
    // The source makes it wait until a change that comes meanwhile is in staging.
    source_.Commit({Insert{"1", {int64_t{4}, "d"}}});
    sealed = Comes([&] { return ChangeRows("1") > 0; });
    return Status::Ok();
  };
  RunWell(1);
  EXPECT_TRUE(sealed);
  EXPECT_EQ(SnapshotRows(1), 4);
  auto begun = Entries<staging::GenerationBegun>();
  ASSERT_EQ(begun.size(), 1U);
  EXPECT_EQ(begun[0].first_segment, staging::SegmentNumber(2)) << "as it was when it was asked for";
}

TEST_F(BesideTest, ATableThatChangedWhileASnapshotWasTakenWaitsForTheNext) {
  RunWell();
  Wish("1", 1);
  source_.after_snapshot = [&] {
    if (source_.snapshots_taken() > 1) return;
    source_.Commit({fakes::Alter{Shape("1", {{"more", arrow::int64()}})},
                    Insert{"1", {int64_t{4}, "d", int64_t{1}}}});
    EXPECT_TRUE(Comes([&] { return ChangeRows("1") > 0; }));
  };
  RunWell(1);
  EXPECT_FALSE(State().tables.at(TableId("1")).broken);
  EXPECT_EQ(source_.snapshots_taken(), 2);
  EXPECT_EQ(SnapshotRows(1), 4);
}

TEST_F(BesideTest, ABlockedSnapshotIsAskedForAgain) {
  RunWell();
  Wish("1", 1);
  int tries = 0;
  source_.before = [&](const std::string& step) {
    if (step != "snapshot" || ++tries == 3) return Status::Ok();
    return Error(ErrorClass::SOURCE_BLOCKED, "a transaction is open");
  };
  auto captured = Run(0, [&] { return tries == 3; });
  ASSERT_TRUE(captured.ok()) << captured.status().ToString();
  EXPECT_TRUE(State().tables.at(TableId("1")).generations.at(kFlow).ended);
  EXPECT_EQ(events_.Count("warning"), 1) << "told once";
  Wish("1", 2);
  tries = 0;
  EXPECT_TRUE(Run(0).status().Is(ErrorClass::SOURCE_BLOCKED))
      << "a run that is to end says why not";
}

TEST_F(BesideTest, ALockedTableHoldsUpNoOther) {
  RunWell();
  int lists = 0, watches = 0;
  int64_t rows_while_locked = 0;
  auto locked = [] { return Error(ErrorClass::SOURCE_BLOCKED, "a lock was not granted"); };
  source_.before = [&](const std::string& step) {
    if (step == "next") clock_.Advance(std::chrono::seconds(1));
    if (step == "watch") return ++watches <= 2 ? locked() : Status::Ok();
    if (step != "list") return Status::Ok();
    ++lists;
    if (lists == 4) source_.Create(Shape("2"));
    if (lists != 2 && lists != 3) return Status::Ok();
    rows_while_locked = ChangeRows("1");
    source_.Commit({Insert{"1", {int64_t{10 + lists}, "x"}}});
    return locked();
  };
  auto captured = Run(0, [&] { return watches == 3; });
  ASSERT_TRUE(captured.ok()) << captured.status().ToString();
  EXPECT_EQ(rows_while_locked, 1) << "changes went on";
  EXPECT_EQ(source_.watched(), (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(events_.Count("warning"), 1) << "told once";
}

TEST_F(BesideTest, AnsweredWishesGo) {
  Wish("1", 1);
  RunWell();
  Wish("1", 1);
  Wish("1", 2);
  RunWell();
  EXPECT_EQ(Entries<staging::GenerationBegun>().size(), 2U);
  // The last one goes when its generation is seen to be sealed, which a run may leave to the next.
  RunWell();
  EXPECT_TRUE(staging::ListWishes(*store_).value().empty());
  EXPECT_EQ(Entries<staging::GenerationBegun>().size(), 2U);
}

TEST_F(BesideTest, OneTablesProblemIsNotTheOthers) {
  source_.Create(Shape("2"));
  source_.Create(Shape("3"));
  RunWell();
  source_.set_problem("2", Error(ErrorClass::PUBLICATION_MISSING, "taken out"));
  source_.set_problem("3", Error(ErrorClass::SOURCE_PRIVILEGE, "may not read"));
  source_.Commit({Insert{"1", {int64_t{4}, "d"}}, Insert{"3", {int64_t{1}, "x"}}});
  RunWell();
  EXPECT_EQ(ChangeRows("1"), 1);
  EXPECT_EQ(ChangeRows("3"), 1) << "the log needs no right to the table";
  EXPECT_EQ(State().tables.at(TableId("2")).broken->error_class, "PUBLICATION_MISSING");
  EXPECT_FALSE(State().tables.at(TableId("3")).broken);
  EXPECT_EQ(events_.Count("warning"), 1);
}

TEST_F(BesideTest, ARunThatEndsSoonExpiresToo) {
  RunWell();
  {
    auto writer = std::move(staging::StagingWriter::Open(store_, &clock_)).value();
    for (int64_t i = 0; i < limits::kManifestsPerFolder; ++i)
      ASSERT_TRUE(writer->Seal(writer->checkpoint().cursor, 0).ok());
  }
  clock_.Advance(limits::kStagingRetention + std::chrono::hours(1));
  RunWell();
  EXPECT_EQ(events_.Count("segments_expired"), 1);
}

}  // namespace
}  // namespace freshet::capture
