// SPDX-License-Identifier: Apache-2.0
#include "capture/gateway_world_test.h"

namespace freshet::capture {
namespace {

TEST_F(GatewayTest, TheBeginningIsDurableBeforeAnySnapshot) {
  Wish("1", 1);
  source_.before = [&](const std::string& step) {
    if (step == "snapshot") {
      EXPECT_EQ(State().cursor.text, "20") << "where the stream began";
      EXPECT_EQ(State().through.value(), 1);
    }
    return Status::Ok();
  };
  RunWell();
  EXPECT_EQ(source_.snapshots_taken(), 1);
}

TEST_F(GatewayTest, ASnapshotIsReadInChunksAndEnds) {
  Wish("1", 1);
  RunWell();
  auto begun = Entries<staging::GenerationBegun>();
  ASSERT_EQ(begun.size(), 1U);
  EXPECT_EQ(begun[0].chunks, 2);
  EXPECT_EQ(begun[0].shape_version, 1);
  EXPECT_EQ(begun[0].first_segment, staging::SegmentNumber(2));
  EXPECT_EQ(begun[0].position, record::Sequence::Of(1, 21, 0));
  EXPECT_EQ(SnapshotIds("1", 1), (std::vector<int64_t>{1, 2, 3}));
  auto ended = Entries<staging::GenerationEnded>();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].rows, 3);
  EXPECT_EQ(ended[0].values_nulled, 2);
  EXPECT_TRUE(State().tables.at(TableId("1")).generations.at(kFlow).ended);
  EXPECT_EQ(events_.Count("snapshot_completed"), 1);

  // A chunk's parts and its end are in one manifest.
  for (const auto& manifest : Manifests()) {
    std::map<int64_t, int64_t> rows;
    for (const auto& entry : manifest->entries) {
      if (const auto* part = std::get_if<staging::SnapshotPart>(&entry))
        rows[part->chunk] += part->rows;
      if (const auto* done = std::get_if<staging::ChunkDone>(&entry)) {
        EXPECT_EQ(rows[done->chunk], done->rows);
      }
    }
  }
}

TEST_F(GatewayTest, AnEmptyTableHasAnEndedGeneration) {
  source_.Create(Shape("2"));
  Wish("2", 1);
  RunWell();
  EXPECT_TRUE(State().tables.at(TableId("2")).generations.at(kFlow).ended);
}

TEST_F(GatewayTest, ChangesAreSealedThenAcknowledged) {
  RunWell();
  source_.Commit({Insert{"1", {int64_t{4}, "d"}}, Delete{"1", {int64_t{1}, "a"}}});
  source_.Commit({Insert{"1", {int64_t{5}, "e"}}});
  source_.before = [&](const std::string& step) {
    if (step == "acknowledge") {
      EXPECT_EQ(State().cursor.text, "40");
    }
    return Status::Ok();
  };
  RunWell();
  EXPECT_EQ(source_.confirmed(), 40U);
  EXPECT_EQ(ChangeRows("1"), 3);
  auto runs = Entries<staging::ChangeRun>();
  ASSERT_EQ(runs.size(), 1U) << "transactions that wait together share a run";
  EXPECT_EQ(runs[0].deletes, 1);
  EXPECT_EQ(State().committed_at, 40);
  EXPECT_EQ(events_.Last("changes_staged", "table"), "public.t1");
  EXPECT_EQ(events_.Sum("changes_staged", "upserted"), 2);
  EXPECT_EQ(events_.Sum("changes_staged", "deleted"), 1);
  EXPECT_EQ(events_.Sum("changes_staged", "committed_at"), 40) << "told once";
  EXPECT_EQ(events_.Sum("changes_staged", "bytes"), runs[0].length);
  EXPECT_EQ(events_.Sum("segment_sealed", "rows"), 3);
}

TEST_F(GatewayTest, WhatWasStagedIsToldThoughTheRunEndsInAnError) {
  RunWell();
  source_.Commit({Insert{"1", {int64_t{4}, "d"}}});
  source_.before = [&](const std::string& step) {
    return step == "acknowledge" ? Error(ErrorClass::SOURCE_UNREACHABLE, "gone") : Status::Ok();
  };
  EXPECT_TRUE(Run().status().Is(ErrorClass::SOURCE_UNREACHABLE));
  EXPECT_EQ(events_.Sum("changes_staged", "upserted"), 1);
}

TEST_F(GatewayTest, NothingNewSealsNothing) {
  RunWell();
  auto before = State().through;
  RunWell();
  EXPECT_EQ(State().through, before);
}

TEST_F(GatewayTest, TablesThatAreWishedTogetherShareASnapshot) {
  source_.Create(Shape("2"));
  Wish("1", 1);
  Wish("2", 1);
  Wish("1", 1, FlowId("g"));
  RunWell();
  EXPECT_EQ(source_.snapshots_taken(), 1);
  EXPECT_EQ(Entries<staging::GenerationEnded>().size(), 3U);
}

TEST_F(GatewayTest, ANewerWishIsANewGenerationOfThatFlowOnly) {
  Wish("1", 1);
  Wish("1", 1, FlowId("g"));
  RunWell();
  source_.Commit({Insert{"1", {int64_t{4}, "d"}}});
  Wish("1", 2);
  RunWell();
  EXPECT_EQ(SnapshotIds("1", 2), (std::vector<int64_t>{1, 2, 3, 4}));
  const auto generations = State().tables.at(TableId("1")).generations;
  EXPECT_EQ(generations.at(kFlow).begun.generation, Generation(2));
  EXPECT_EQ(generations.at(FlowId("g")).begun.generation, Generation(1));
}

TEST_F(GatewayTest, AfterACrashTheUnfinishedStartsAgainAndTheFinishedStays) {
  source_.Create(Shape("2"));
  source_.Commit({Insert{"2", {int64_t{9}, "x"}}});
  Wish("1", 1);
  Wish("2", 1);
  source_.before = [](const std::string& step) {
    return step == "chunk end 1 1" ? Error(ErrorClass::SOURCE_UNREACHABLE, "gone") : Status::Ok();
  };
  EXPECT_TRUE(Run().status().Is(ErrorClass::SOURCE_UNREACHABLE));
  source_.before = nullptr;
  RunWell();
  const auto state = State();
  const auto& first = state.tables.at(TableId("1")).generations.at(kFlow);
  EXPECT_TRUE(first.ended);
  EXPECT_EQ(SnapshotIds("1", first.begun.generation.value()), (std::vector<int64_t>{1, 2, 3}));
  auto abandoned = Entries<staging::GenerationAbandoned>();
  for (const auto& each : abandoned) EXPECT_EQ(each.successor, Generation(2));
  EXPECT_TRUE(state.tables.at(TableId("2")).generations.at(kFlow).ended);
  int snapshots = source_.snapshots_taken();
  RunWell();
  EXPECT_EQ(source_.snapshots_taken(), snapshots) << "what ended is not read again";
}

TEST_F(GatewayTest, AStaleChunkAbandonsTheGeneration) {
  Wish("1", 1);
  bool stale = true;
  source_.before = [&](const std::string& step) {
    if (step != "chunk end 1 1" || !stale) return Status::Ok();
    stale = false;
    return Error(ErrorClass::SNAPSHOT_STALE, "the table was rewritten");
  };
  RunWell();
  auto abandoned = Entries<staging::GenerationAbandoned>();
  ASSERT_EQ(abandoned.size(), 1U);
  EXPECT_EQ(abandoned[0].successor, Generation(2));
  EXPECT_EQ(SnapshotIds("1", 2), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(PartFiles(), 3U)
      << "one part of the first generation, two of the second, none nameless";
}

TEST_F(GatewayTest, ATruncateAbandonsOnlyARunningSnapshot) {
  Wish("1", 1);
  source_.before = [&](const std::string& step) {
    if (step == "chunk 1 0" && source_.snapshots_taken() == 1) {
      source_.Commit({Truncate{"1"}, Insert{"1", {int64_t{7}, "z"}}});
    }
    return Status::Ok();
  };
  source_.chunk_rows = 1;
  RunWell();
  ASSERT_EQ(Entries<staging::GenerationAbandoned>().size(), 1U);
  EXPECT_EQ(SnapshotIds("1", 2), (std::vector<int64_t>{7}));
  source_.before = nullptr;
  source_.Commit({Truncate{"1"}});
  RunWell();
  EXPECT_EQ(Entries<staging::GenerationAbandoned>().size(), 1U);
  EXPECT_EQ(Entries<staging::TableEnded>().size(), 2U);
}

TEST_F(GatewayTest, AnAddedColumnIsFollowed) {
  Wish("1", 1);
  RunWell();
  auto wider = Shape("1", {{"n", arrow::int64()}});
  source_.Commit(
      {Insert{"1", {int64_t{4}, "d"}}, Alter{wider}, Insert{"1", {int64_t{5}, "e", int64_t{50}}}});
  RunWell();
  auto runs = Entries<staging::ChangeRun>();
  ASSERT_EQ(runs.size(), 2U);
  EXPECT_EQ(runs[0].shape_version, 1);
  EXPECT_EQ(runs[1].shape_version, 2);
  EXPECT_EQ(State().tables.at(TableId("1")).shape->width(), 3);
  source_.Commit({Insert{"1", {int64_t{6}, "f", int64_t{60}}}});
  RunWell();
  EXPECT_EQ(Entries<staging::ChangeRun>().back().shape_version, 2) << "also after a restart";
  EXPECT_EQ(events_.Count("table_broken"), 0);
}

TEST_F(GatewayTest, AColumnThatOnlyTheSnapshotShowsIsTakenOnceTheStreamIsPast) {
  RunWell();
  source_.AlterQuietly(Shape("1", {{"n", arrow::int64()}}));
  Wish("1", 1);
  RunWell();
  auto begun = Entries<staging::GenerationBegun>();
  ASSERT_EQ(begun.size(), 1U);
  EXPECT_EQ(begun[0].shape_version, 2);
  EXPECT_EQ(source_.snapshots_taken(), 2);
  source_.Commit({Insert{"1", {int64_t{6}, "f", int64_t{60}}}});
  RunWell();
  EXPECT_EQ(Entries<staging::ChangeRun>().back().shape_version, 2);
}

TEST_F(GatewayTest, AChangeThatCannotBeFollowedReadsOnlyItsTableAgain) {
  source_.Create(Shape("2"));
  Wish("1", 1);
  Wish("2", 1);
  RunWell();
  auto retyped =
      fakes::MakeShape("1", "public", "t1", {{"id", arrow::int64()}, {"note", arrow::binary()}});
  source_.Commit({Insert{"1", {int64_t{4}, "d"}}, Alter{retyped}, Insert{"1", {int64_t{5}, "e"}},
                  Insert{"2", {int64_t{1}, "x"}}});
  RunWell();
  const auto state = State();
  const auto& again = state.tables.at(TableId("1"));
  EXPECT_FALSE(again.broken.has_value());
  EXPECT_EQ(again.shape->version, 2);
  EXPECT_EQ(again.generations.at(kFlow).begun.generation, staging::Generation(2));
  EXPECT_EQ(again.generations.at(kFlow).begun.shape_version, 2);
  EXPECT_TRUE(again.generations.at(kFlow).ended);
  EXPECT_EQ(events_.Last("refresh_needed", "class"), "SHAPE_CHANGE_UNSUPPORTED");
  EXPECT_EQ(state.tables.at(TableId("2")).generations.at(kFlow).begun.generation,
            staging::Generation(1));
  EXPECT_EQ(source_.watched(), (std::vector<std::string>{"2", "1"}));
  EXPECT_EQ(ChangeRows("1"), 0) << "all of it is in the snapshot";
  EXPECT_EQ(ChangeRows("2"), 1);
}

TEST_F(GatewayTest, AFailedTableLeavesTheOthersGoing) {
  source_.Create(Shape("2"));
  Wish("1", 1);
  Wish("2", 1);
  source_.chunk_rows = 1;
  source_.before = [&](const std::string& step) {
    if (step == "chunk 1 0") {
      source_.Commit(
          {fakes::Fail{"1", Error(ErrorClass::TABLE_NO_IDENTITY, "none").WithRemedy("ALTER TABLE")},
           Insert{"1", {int64_t{8}, "lost"}}, Insert{"2", {int64_t{1}, "x"}}});
    }
    return Status::Ok();
  };
  RunWell();
  const auto state = State();
  const auto& broken = state.tables.at(TableId("1"));
  EXPECT_EQ(broken.broken->error_class, "TABLE_NO_IDENTITY");
  EXPECT_EQ(broken.broken->remedy, "ALTER TABLE");
  EXPECT_FALSE(broken.generations.at(kFlow).ended);
  EXPECT_TRUE(Entries<staging::GenerationAbandoned>().empty());
  EXPECT_EQ(ChangeRows("1"), 0);
  EXPECT_EQ(ChangeRows("2"), 1);
  source_.before = nullptr;
  source_.set_problem("1", Error(ErrorClass::TABLE_NO_IDENTITY, "none"));
  RunWell();
  EXPECT_TRUE(Entries<staging::GenerationAbandoned>().empty())
      << "a broken table is not read again";
  source_.set_problem("1", Status::Ok());
  RunWell();
  const auto mended = State().tables.at(TableId("1"));
  EXPECT_FALSE(mended.broken.has_value());
  EXPECT_TRUE(mended.generations.at(kFlow).ended);
  EXPECT_EQ(mended.generations.at(kFlow).begun.generation, staging::Generation(2));
  EXPECT_EQ(events_.Last("refresh_needed", "class"), "TABLE_NO_IDENTITY");
}

TEST_F(GatewayTest, ALostTableIsReadAgainWhenItIsWished) {
  Wish("1", 1);
  RunWell();
  source_.Commit({fakes::Fail{"1", Error(ErrorClass::PUBLICATION_MISSING, "gone")}});
  RunWell();
  RunWell();
  EXPECT_EQ(State().tables.at(TableId("1")).broken->error_class, "PUBLICATION_MISSING");
  Wish("1", 2);
  RunWell();
  const auto mended = State().tables.at(TableId("1"));
  EXPECT_FALSE(mended.broken.has_value());
  EXPECT_TRUE(mended.generations.at(kFlow).ended);
  EXPECT_EQ(mended.generations.at(kFlow).begun.generation, staging::Generation(2));
}

TEST_F(GatewayTest, AChangedKeyIsNoticedWhenTheGatewayStarts) {
  Wish("1", 1);
  RunWell();
  source_.AlterQuietly(
      fakes::MakeShape("1", "public", "t1", {{"id", arrow::int64()}, {"note", arrow::utf8()}}, 2));
  RunWell();
  EXPECT_EQ(events_.Last("refresh_needed", "class"), "KEY_CHANGED");
  const auto state = State().tables.at(TableId("1"));
  EXPECT_EQ(state.shape->key.size(), 2U);
  EXPECT_EQ(state.generations.at(kFlow).begun.generation, staging::Generation(2));
  EXPECT_TRUE(state.generations.at(kFlow).ended);
}

TEST_F(GatewayTest, ARenamedTableIsFollowedUnderItsNewName) {
  Wish("1", 1);
  RunWell();
  source_.Rename("1", {.schema = "public", .table = "other"});
  source_.Commit({Insert{"1", {int64_t{4}, "late"}}});
  RunWell();
  EXPECT_EQ(events_.Last("table_renamed", "before"), "public.t1");
  EXPECT_EQ(events_.Last("changes_staged", "table"), "public.other");
  const auto state = State().tables.at(TableId("1"));
  EXPECT_FALSE(state.broken);
  EXPECT_EQ(state.name.ToString(), "public.other");
  EXPECT_EQ(state.shape->name, state.name);
  EXPECT_EQ(state.generations.at(kFlow).begun.generation, staging::Generation(1));
  EXPECT_EQ(events_.Count("table_renamed"), 1);
  RunWell();
  EXPECT_EQ(events_.Count("table_renamed"), 1);
}

TEST_F(GatewayTest, ARenamedTableWhoseNameIsTakenBreaks) {
  RunWell();
  source_.Rename("1", {.schema = "public", .table = "other"});
  source_.Create(fakes::MakeShape("2", "public", "t1", {{"id", arrow::int64()}}));
  RunWell();
  EXPECT_EQ(State().tables.at(TableId("1")).broken->error_class, "TABLE_RENAMED");
  EXPECT_EQ(State().tables.at(TableId("2")).former, TableId("1"));
}

TEST_F(GatewayTest, TablesThatSwapTheirNamesAreFollowed) {
  source_.Create(Shape("2"));
  RunWell();
  const auto first = State().tables.at(TableId("1")).name;
  const auto second = State().tables.at(TableId("2")).name;
  source_.Rename("1", second);
  source_.Rename("2", first);
  RunWell();
  const auto state = State();
  EXPECT_EQ(state.tables.at(TableId("1")).name, second);
  EXPECT_EQ(state.tables.at(TableId("2")).name, first);
  for (const auto& [id, table] : state.tables) EXPECT_FALSE(table.broken || table.former);
  EXPECT_EQ(events_.Count("table_renamed"), 2);
}

TEST_F(GatewayTest, ARecreatedTableTakesThePlaceOfTheOldOne) {
  Wish("1", 1);
  RunWell();
  source_.Commit({Insert{"1", {int64_t{4}, "late"}}});
  source_.Drop("1");
  source_.Create(fakes::MakeShape("2", "public", "t1", {{"id", arrow::int64()}}));
  RunWell();
  const auto state = State();
  EXPECT_TRUE(state.tables.at(TableId("1")).dropped);
  EXPECT_EQ(state.tables.at(TableId("2")).former, TableId("1"));
  EXPECT_EQ(ChangeRows("1"), 1) << "what was committed before the drop is captured";
  RunWell();
  EXPECT_EQ(events_.Count("table_broken"), 0);
}

TEST_F(GatewayTest, ATableWithAProblemIsLeftOutUntilItIsMended) {
  source_.Create(Shape("2"));
  source_.set_problem("2", Error(ErrorClass::TABLE_NO_IDENTITY, "no key"));
  RunWell();
  EXPECT_EQ(source_.watched(), (std::vector<std::string>{"1"}));
  EXPECT_EQ(events_.Last("table_left_out", "class"), "TABLE_NO_IDENTITY");
  source_.set_problem("2", Status::Ok());
  RunWell();
  EXPECT_EQ(source_.watched(), (std::vector<std::string>{"1", "2"}));
}

TEST_F(GatewayTest, OnlySelectedTablesAreFollowed) {
  source_.Create(Shape("2"));
  selects_ = [](const record::TableName& name) { return name.table == "t2"; };
  RunWell();
  EXPECT_EQ(source_.watched(), (std::vector<std::string>{"2"}));
}

TEST_F(GatewayTest, NewTablesAreWatchedBeforeTheyAreListed) {
  GatewayOptions options;
  options.snapshot_readers = 0;
  bool drain = false;
  options.drain_requested = [&] { return drain; };
  bool watched_first = false;
  source_.before = [&](const std::string& step) {
    if (step == "watch") watched_first = !State().tables.contains(TableId("2"));
    if (step == "list" && source_.watched().size() == 1) source_.Create(Shape("2"));
    if (step == "next" && State().tables.contains(TableId("2"))) drain = true;
    return Status::Ok();
  };
  MonotonicTime start = clock_.Now();
  auto captured = Gateway(&source_, store_, &clock_, &events_, std::move(options)).Run({});
  ASSERT_TRUE(captured.ok()) << captured.status().ToString();
  EXPECT_TRUE(watched_first);
  EXPECT_EQ(source_.watched(), (std::vector<std::string>{"1", "2"}));
  EXPECT_GE(clock_.Now() - start, limits::kDiscoverInterval);
}

TEST_F(GatewayTest, AnIdleSourcesPositionIsSealedNowAndThen) {
  RunWell();
  GatewayOptions options;
  options.snapshot_readers = 0;
  std::stop_source stop;
  MonotonicTime end = clock_.Now() + 6 * limits::kIdlePositionInterval;
  source_.before = [&](const std::string& step) {
    if (step == "next") {
      source_.Commit({});
      clock_.Advance(std::chrono::milliseconds(50));
      if (clock_.Now() > end) stop.request_stop();
    }
    return Status::Ok();
  };
  auto before = State().through.value();
  auto stopped =
      Gateway(&source_, store_, &clock_, &events_, std::move(options)).Run(stop.get_token());
  EXPECT_TRUE(stopped.status().Is(ErrorClass::CANCELLED));
  auto sealed = State().through.value() - before;
  EXPECT_GE(sealed, 5);
  EXPECT_LE(sealed, 6);
  EXPECT_TRUE(Entries<staging::ChangeRun>().empty());
}

TEST_F(GatewayTest, ADrainEndsUnderSteadyWrites) {
  int64_t id = 100;
  source_.before = [&](const std::string& step) {
    if (step == "next") source_.Commit({Insert{"1", {++id, "more"}}});
    return Status::Ok();
  };
  Wish("1", 1);
  RunWell();
  const auto state = State();
  EXPECT_TRUE(state.tables.at(TableId("1")).generations.at(kFlow).ended);
  EXPECT_GE(SnapshotIds("1", 1).size(), 3U);
  EXPECT_EQ(ChangeRows("1"), (std::stoll(state.cursor.text) - 20) / 10) << "one row a transaction";
}

TEST_F(GatewayTest, AStopInATransactionKeepsWhatWasCommitted) {
  RunWell();
  source_.Commit({Insert{"1", {int64_t{4}, "d"}}});
  std::stop_source stop;
  source_.before = [&](const std::string& step) {
    if (step == "next") stop.request_stop();
    return Status::Ok();
  };
  GatewayOptions options;
  options.snapshot_readers = 0;
  auto stopped =
      Gateway(&source_, store_, &clock_, &events_, std::move(options)).Run(stop.get_token());
  EXPECT_TRUE(stopped.status().Is(ErrorClass::CANCELLED));
  EXPECT_EQ(ChangeRows("1"), 1);
  EXPECT_EQ(State().cursor.text, "30");
}

TEST_F(GatewayTest, ASecondGatewayFencesTheFirst) {
  RunWell();
  source_.Commit({Insert{"1", {int64_t{4}, "d"}}});
  bool stolen = false;
  source_.before = [&](const std::string& step) {
    if (step == "next" && !stolen) {
      stolen = true;
      auto other = std::move(staging::StagingWriter::Open(store_, &clock_)).value();
      EXPECT_TRUE(other->Seal(other->checkpoint().cursor, 0).ok());
    }
    return Status::Ok();
  };
  EXPECT_TRUE(Run().status().Is(ErrorClass::STAGING_FENCED));
  EXPECT_EQ(source_.confirmed(), 20U) << "nothing was acknowledged that is not in staging";
}

TEST_F(GatewayTest, ReaderThreadsReadTheSame) {
  source_.Create(Shape("2"));
  std::vector<fakes::Action> rows;
  for (int64_t id = 1; id <= 200; ++id) rows.push_back(Insert{"2", {id, "x"}});
  source_.Commit(std::move(rows));
  Wish("1", 1);
  Wish("2", 1);
  RunWell(3);
  EXPECT_EQ(SnapshotIds("1", 1), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(SnapshotIds("2", 1).size(), 200U);
  EXPECT_EQ(Entries<staging::ChunkDone>().size(), 102U);
}

TEST_F(GatewayTest, AReadersErrorEndsTheRun) {
  Wish("1", 1);
  source_.before = [](const std::string& step) {
    return step == "chunk 1 1" ? Error(ErrorClass::SOURCE_UNREACHABLE, "gone") : Status::Ok();
  };
  EXPECT_TRUE(Run(2).status().Is(ErrorClass::SOURCE_UNREACHABLE));
}

}  // namespace
}  // namespace freshet::capture
