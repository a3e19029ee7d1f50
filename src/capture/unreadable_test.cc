// SPDX-License-Identifier: Apache-2.0
// Tables that cannot be read, and snapshots that cannot be taken: the others go on.
#include <condition_variable>
#include <mutex>

#include "capture/gateway_world_test.h"

namespace freshet::capture {
namespace {

TEST_F(GatewayTest, ATableThatCannotBeReadEndsAlone) {
  source_.Create(Shape("2"));
  Wish("2", 1);
  RunWell();
  int64_t wished = 0;
  for (const std::string step : {"chunk 1 1", "chunk end 1 0", "plan 1"}) {
    SCOPED_TRACE(step);
    Wish("1", wished += 100);
    source_.before = [&](const std::string& now) {
      if (now != step) return Status::Ok();
      return Error(ErrorClass::SOURCE_QUERY, "invalid page").WithRemedy("Restore it.");
    };
    const int64_t before = ChangeRows("2");
    source_.Commit({Insert{"2", {int64_t{1}, "x"}}});
    RunWell();
    const auto broken = State().tables.at(TableId("1"));
    ASSERT_TRUE(broken.broken);
    EXPECT_EQ(broken.broken->error_class, "SOURCE_QUERY");
    EXPECT_EQ(broken.broken->remedy, "Restore it.");
    EXPECT_EQ(ChangeRows("2"), before + 1);
    EXPECT_TRUE(State().tables.at(TableId("2")).generations.at(kFlow).ended);
    // It is read again as soon as it can be.
    source_.before = nullptr;
    RunWell();
    EXPECT_FALSE(State().tables.at(TableId("1")).broken);
    EXPECT_TRUE(State().tables.at(TableId("1")).generations.at(kFlow).ended);
  }
}

TEST_F(GatewayTest, ATableThatMayNotBeReadAnyMoreEndsWhenItHasToBe) {
  source_.Create(Shape("2"));
  Wish("1", 1);
  Wish("2", 1);
  RunWell();
  const auto denied = Error(ErrorClass::SOURCE_PRIVILEGE, "may not read");
  source_.set_problem("1", denied);
  source_.before = [&](const std::string& step) {
    return step.starts_with("chunk 1") ? denied : Status::Ok();
  };
  source_.Commit({Lose{"1", {int64_t{2}, "b"}}, Insert{"2", {int64_t{1}, "x"}}});
  RunWell();
  EXPECT_EQ(State().tables.at(TableId("1")).broken->error_class, "SOURCE_PRIVILEGE");
  EXPECT_EQ(ChangeRows("2"), 1);
  RunWell();
  EXPECT_TRUE(State().tables.at(TableId("1")).broken);
  source_.set_problem("1", Status::Ok());
  source_.before = nullptr;
  RunWell();
  EXPECT_FALSE(State().tables.at(TableId("1")).broken);
}

TEST_F(GatewayTest, NoSlotForANewTablesSnapshotEndsNoOthersChanges) {
  Wish("1", 1);
  RunWell();
  source_.Create(Shape("2"));
  Wish("2", 1);
  int tries = 0;
  source_.before = [&](const std::string& step) {
    if (step == "next") clock_.Advance(std::chrono::seconds(1));
    if (step != "snapshot" || ++tries == 3) return Status::Ok();
    source_.Commit({Insert{"1", {int64_t{10 + tries}, "meanwhile"}}});
    return Error(ErrorClass::SOURCE_NO_FREE_SLOT, "all slots are in use");
  };
  GatewayOptions options;
  options.snapshot_readers = 0;
  options.drain_requested = [&] { return tries == 3; };
  auto captured = Gateway(&source_, store_, &clock_, &events_, std::move(options)).Run({});
  ASSERT_TRUE(captured.ok()) << captured.status().ToString();
  EXPECT_EQ(ChangeRows("1"), 2);
  EXPECT_TRUE(State().tables.at(TableId("2")).generations.at(kFlow).ended);
  EXPECT_EQ(events_.Count("warning"), 1) << "told once";
  Wish("2", 2);
  tries = 0;
  EXPECT_TRUE(Run().status().Is(ErrorClass::SOURCE_NO_FREE_SLOT))
      << "a run that is to end says why not";
}

TEST_F(GatewayTest, WhereNothingIsFollowedYetThatIsSaidAtOnce) {
  Wish("1", 1);
  source_.before = [&](const std::string& step) {
    return step == "snapshot" ? Error(ErrorClass::SOURCE_NO_FREE_SLOT, "in use") : Status::Ok();
  };
  GatewayOptions options;
  options.snapshot_readers = 0;
  auto ended = Gateway(&source_, store_, &clock_, &events_, std::move(options)).Run({});
  EXPECT_TRUE(ended.status().Is(ErrorClass::SOURCE_NO_FREE_SLOT));
}

TEST_F(GatewayTest, AStopDoesNotWaitForAReaderThatTheSourceKeepsWaiting) {
  Wish("1", 1);
  std::stop_source stop;
  std::mutex mutex;
  std::condition_variable changed;
  bool cancelled = false;
  source_.cancelled = [&] {
    std::lock_guard lock(mutex);
    cancelled = true;
    changed.notify_all();
  };
  // A lock that nobody lets go of.
  source_.before = [&](const std::string& step) {
    if (step != "chunk 1 0") return Status::Ok();
    stop.request_stop();
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return cancelled; });
    return Error(ErrorClass::CANCELLED, "given up");
  };
  GatewayOptions options;
  options.snapshot_readers = 1;
  auto ended =
      Gateway(&source_, store_, &clock_, &events_, std::move(options)).Run(stop.get_token());
  EXPECT_TRUE(ended.status().Is(ErrorClass::CANCELLED));
  EXPECT_TRUE(cancelled);
}

}  // namespace
}  // namespace freshet::capture
