// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "model/table_rows.h"
#include "sim/simulation.h"

namespace freshet::sim {
namespace {

uint64_t seeds_first = 1, seeds_count = 60;
/// Of a sweep's writes, one in so many has its turn.
int64_t every = 1;

using model::Fault;
using Kind = Step::Kind;

/// Do `what` at the n-th writing call, of steps of one kind or of all.
struct At {
  int64_t number;
  std::optional<Kind> only;
  std::function<Fault(model::World&)> what;
};

Plan PlanOf(At at) {
  Plan plan;
  plan.fault = [at, count = int64_t{0}](model::World& world, Kind kind,
                                        const model::WriteCall&) mutable {
    if (at.only && *at.only != kind) return Fault::kNone;
    return ++count == at.number ? at.what(world) : Fault::kNone;
  };
  return plan;
}

/// What is done at each write in turn, and what must hold of every run beside the content.
struct Sweep {
  std::string name;
  std::function<Fault(model::World&)> what;
  std::optional<Kind> only = {};
  bool lose_views = false;
  bool reads_on = false;  // only chunks that were not sealed at the fault are read again
};

/// How often a scenario without faults writes, in steps of each kind; it must hold too.
int64_t WritesOf(const Scenario& scenario, const Sweep& sweep, int64_t* chunks_read) {
  Plan plan;
  plan.lose_views = sweep.lose_views;
  Simulation simulation(scenario, std::move(plan));
  Status status = simulation.Run();
  EXPECT_TRUE(status.ok()) << status.ToString();
  *chunks_read = simulation.chunks_read();
  int64_t writes = 0;
  for (const auto& [kind, count] : simulation.writes()) {
    if (!sweep.only || *sweep.only == kind) writes += count;
  }
  return writes;
}

void RunEveryOf(const Scenario& scenario, const Sweep& sweep) {
  int64_t chunks_read = 0;
  int64_t writes = WritesOf(scenario, sweep, &chunks_read);
  ASSERT_GT(writes, 0);
  int failed = 0;
  // Sweeps that leave some out leave out others than the next.
  int64_t first = 1 + std::ssize(sweep.name) % every;
  for (int64_t number = first; number <= writes && failed < 3; number += every) {
    std::string path;
    Plan plan = PlanOf({number, sweep.only, sweep.what});
    plan.lose_views = sweep.lose_views;
    int64_t unsealed = 0;
    plan.fault = [&path, &unsealed, inner = std::move(plan.fault), number, seen = int64_t{0},
                  sealed = int64_t{0}, only = sweep.only](model::World& world, Kind kind,
                                                          const model::WriteCall& call) mutable {
      if ((!only || *only == kind) && ++seen == number) {
        path = call.path;
        unsealed = world.source.chunks_read - sealed;
      }
      if (call.path.find("/segments/") != std::string::npos) sealed = world.source.chunks_read;
      return inner(world, kind, call);
    };
    Simulation simulation(scenario, std::move(plan));
    Status status = simulation.Run();
    failed += status.ok() ? 0 : 1;
    EXPECT_TRUE(status.ok()) << sweep.name << " at write " << number << " (" << path
                             << "): " << status.ToString();
    if (!sweep.reads_on) continue;
    EXPECT_LE(simulation.chunks_read(), chunks_read + unsealed)
        << sweep.name << " at write " << number << " (" << path << ")";
  }
}

void RunEvery(const Sweep& sweep) {
  RunEveryOf(FixedScenario(), sweep);
  RunEveryOf(RefreshScenario(), sweep);
  Sweep anew = sweep;
  anew.reads_on = false;  // a gateway that is started again reads again what it has read
  RunEveryOf(UnloggedScenario(), anew);
}

Sweep Of(Fault fault, const std::string& name) {
  return {.name = name, .what = [fault](model::World&) { return fault; }};
}

/// The snapshots outlive the gateway: it reads on, and only what was not sealed comes again.
TEST(Crash, BeforeEveryWrite) {
  Sweep sweep = Of(Fault::kCrashBefore, "crash before");
  sweep.reads_on = true;
  RunEvery(sweep);
}
TEST(Crash, AfterEveryWrite) {
  Sweep sweep = Of(Fault::kCrashAfter, "crash after");
  sweep.reads_on = true;
  RunEvery(sweep);
}

/// Every version once, whatever a crash cut short.
TEST(Crash, BeforeAndAfterEveryWriteOfVersions) {
  for (auto fault : {Fault::kCrashBefore, Fault::kCrashAfter}) {
    Sweep sweep = Of(fault, "crash, with versions");
    sweep.only = Kind::kApply;
    RunEveryOf(HistoryScenario(), sweep);
  }
}

/// The snapshots end with the gateway: half-read tables start again.
/// While they change at the source, and one takes another's place.
TEST(Crash, WhileTablesChange) {
  RunEveryOf(ChangingTablesScenario(), Of(Fault::kCrashBefore, "crash before"));
  RunEveryOf(ChangingTablesScenario(), Of(Fault::kCrashAfter, "crash after"));
}

/// While columns are read that no change fills, with and without what was read of them, and with a
/// refresh beside it.
TEST(Crash, WhileColumnsAreFilled) {
  RunEveryOf(FilledScenario(), Of(Fault::kCrashBefore, "crash before"));
  RunEveryOf(FilledAndRefreshedScenario(), Of(Fault::kCrashBefore, "crash before, refreshed"));
  Sweep sweep = Of(Fault::kCrashAfter, "crash after, views lost");
  sweep.lose_views = true;
  RunEveryOf(FilledScenario(), sweep);
}

/// Whatever of Delta the tables use. These are long. A crash after a write leaves what one before
/// the next leaves, but for the index, which is written in between: BetweenEveryCommitAndItsIndex.
TEST(Crash, WithEveryProfile) {
  for (const auto& properties : {FullProperties(), ClassicProperties()}) {
    Sweep sweep = Of(Fault::kCrashBefore, "crash before, with a profile");
    sweep.only = Kind::kApply;
    RunEveryOf(ProfileScenario(properties), sweep);
  }
}

TEST(Crash, BeforeEveryWriteWithTheViewsLost) {
  Sweep sweep = Of(Fault::kCrashBefore, "crash before, views lost");
  sweep.lose_views = true;
  RunEvery(sweep);
}
TEST(Crash, AfterEveryWriteWithTheViewsLost) {
  Sweep sweep = Of(Fault::kCrashAfter, "crash after, views lost");
  sweep.lose_views = true;
  RunEvery(sweep);
}

/// The process that holds the snapshots goes away under a gateway that lives on.
TEST(Crash, HolderGoneAtEveryWrite) {
  RunEvery({.name = "the holder is gone", .what = [](model::World& world) {
              world.LoseViews();
              return Fault::kNone;
            }});
}

TEST(Crash, BetweenEveryCommitAndItsIndex) {
  int64_t runs = 0;
  for (const auto& scenario :
       {FixedScenario(), RefreshScenario(), HistoryScenario(), ProfileScenario(FullProperties()),
        ProfileScenario(ClassicProperties())}) {
    for (int64_t number = 1; number < 100; ++number) {
      Plan plan;
      plan.crash_at_ingest = number;
      Simulation simulation(scenario, std::move(plan));
      Status status = simulation.Run();
      ASSERT_TRUE(status.ok()) << "crash at ingest " << number << ": " << status.ToString();
      if (!simulation.crashed_at_ingest()) break;
      ++runs;
    }
  }
  EXPECT_GT(runs, 1);
}

TEST(Crash, IndexLostStaleOrNewerAtEveryApply) {
  for (const auto& scenario : {FixedScenario(), RefreshScenario(), HistoryScenario()}) {
    Simulation whole(scenario, {});
    ASSERT_TRUE(whole.Run().ok());
    ASSERT_GE(whole.applies(), 2);
    for (auto damage : {IndexDamage::kLost, IndexDamage::kStale, IndexDamage::kNewer}) {
      for (int apply = 1; apply <= whole.applies(); ++apply) {
        Plan plan;
        plan.damage = damage;
        plan.damaged_apply = apply;
        Status status = Simulation(scenario, std::move(plan)).Run();
        EXPECT_TRUE(status.ok()) << "damage " << static_cast<int>(damage) << " at apply " << apply
                                 << ": " << status.ToString();
      }
    }
  }
}

TEST(Replies, LostAtEveryWrite) { RunEvery(Of(Fault::kLostReply, "lost reply")); }
TEST(Replies, NoEffectAtEveryWrite) { RunEvery(Of(Fault::kNoEffect, "no effect, no reply")); }
TEST(Replies, LateAtEveryWrite) { RunEvery(Of(Fault::kLate, "late")); }
TEST(Replies, DoubledAtEveryWrite) { RunEvery(Of(Fault::kDoubled, "doubled")); }

/// A second gateway does all the work while the first stands still at a write, then the first goes
/// on.
TEST(Rivals, ZombieGatewayAtEveryWrite) {
  RunEvery({.name = "a second gateway",
            .what =
                [](model::World& world) {
                  (void)world.Capture();
                  return Fault::kNone;
                },
            .only = Kind::kCapture});
}

Fault OtherApplier(model::World& world) {
  world.index_name = "other";
  model::Outcome outcome = world.Apply("main");
  world.index_name = "index";
  EXPECT_TRUE(outcome.First().ok()) << outcome.First().ToString();
  return Fault::kNone;
}

TEST(Rivals, ZombieApplierAtEveryWrite) {
  RunEvery({.name = "a second applier", .what = OtherApplier, .only = Kind::kApply});
}

/// Another engine rewrites every table while an apply stands still.
TEST(Rivals, ForeignOptimizeAtEveryWrite) {
  RunEvery({.name = "a foreign optimize",
            .what =
                [](model::World& world) {
                  for (const auto& [name, table] : world.database.tables()) {
                    (void)model::ForeignOptimize(
                        store::Below(world.store, model::World::TablePath("main", name)));
                  }
                  return Fault::kNone;
                },
            .only = Kind::kApply});
}

/// It deletes a row of every table, and brings the state before that back.
TEST(Rivals, ForeignDeleteAndRestoreAtEveryWrite) {
  RunEvery({.name = "a foreign delete and restore",
            .what =
                [](model::World& world) {
                  for (const auto& [name, table] : world.database.tables()) {
                    auto place = store::Below(world.store, model::World::TablePath("main", name));
                    auto rows = model::LiveRows(place);
                    if (!rows.ok() || rows->empty()) continue;
                    EXPECT_TRUE(model::ForeignDelete(place, rows->front()).ok());
                    EXPECT_TRUE(model::ForeignRestore(place, 1).ok());
                  }
                  return Fault::kNone;
                },
            .only = Kind::kApply});
}

/// Whether a run ended in what is said where bytes are not what was written.
bool IsCorrupt(const Status& status) {
  return status.Is(ErrorClass::STAGING_CORRUPT) || status.Is(ErrorClass::DELTA_CORRUPT) ||
         status.Is(ErrorClass::DATA_CORRUPT);
}

/// A store that breaks its promise: an object that is cut short is never believed. Where somebody
/// has to read it, that is an error; where nobody named it yet, nothing comes of it.
void RunTorn(Fault fault) {
  int64_t corrupt = 0, whole = 0;
  for (const auto& scenario : {FixedScenario(), RefreshScenario(), ChangingTablesScenario()}) {
    int64_t chunks_read = 0;
    const Sweep sweep = Of(fault, "torn");
    const int64_t writes = WritesOf(scenario, sweep, &chunks_read);
    for (int64_t number = 1; number <= writes; number += every) {
      std::string path;
      Plan plan;
      plan.fault = [&, count = int64_t{0}](model::World&, Kind,
                                           const model::WriteCall& call) mutable {
        if (++count != number) return Fault::kNone;
        path = call.path;
        return fault;
      };
      Status status = Simulation(scenario, std::move(plan)).Run();
      (status.ok() ? whole : corrupt) += 1;
      EXPECT_TRUE(status.ok() || IsCorrupt(status))
          << "write " << number << " (" << path << "): " << status.ToString();
    }
  }
  EXPECT_GT(corrupt, 0);
  EXPECT_GT(whole, 0);
}

TEST(Torn, HalfOfTheObjectAtEveryWrite) { RunTorn(Fault::kTorn); }
TEST(Torn, AllButTheLastLineAtEveryWrite) { RunTorn(Fault::kLineLost); }

TEST(Reads, FailAtEveryRead) {
  for (const auto& scenario : {FixedScenario(), RefreshScenario(), UnloggedScenario()}) {
    Plan count;
    count.read_fault = [](int64_t) { return false; };
    Simulation counted(scenario, std::move(count));
    ASSERT_TRUE(counted.Run().ok());
    ASSERT_GT(counted.reads(), 100);
    // Each a run of the whole scenario: some are left out, others than in the next scenario.
    const int64_t step = 7 * every;
    for (int64_t number = 1 + counted.reads() % step; number <= counted.reads(); number += step) {
      Plan plan;
      plan.read_fault = [number](int64_t read) { return read == number; };
      Status status = Simulation(scenario, std::move(plan)).Run();
      EXPECT_TRUE(status.ok()) << "read " << number << ": " << status.ToString();
    }
  }
}

/// Several faults of all kinds in one run, drawn from a seed.
Plan RandomPlan(uint64_t seed) {
  Plan plan;
  plan.fault = [random = std::mt19937_64(seed), left = 6](model::World& world, Kind kind,
                                                          const model::WriteCall&) mutable {
    if (left == 0 || random() % 100 >= 6) return Fault::kNone;
    --left;
    switch (random() % 10) {
      case 0:
        return Fault::kCrashBefore;
      case 1:
        return Fault::kCrashAfter;
      case 2:
        return Fault::kLostReply;
      case 3:
        return Fault::kNoEffect;
      case 4:
        return Fault::kLate;
      case 5:
        return Fault::kDoubled;
      case 6:
        (void)world.Capture();
        return Fault::kNone;
      case 7:
        return kind == Kind::kApply ? OtherApplier(world) : Fault::kCrashAfter;
      case 8:
        world.LoseViews();
        return Fault::kNone;
      default:
        break;
    }
    for (const auto& [name, table] : world.database.tables()) {
      (void)model::ForeignOptimize(
          store::Below(world.store, model::World::TablePath("main", name)));
    }
    return Fault::kNone;
  };
  return plan;
}

TEST(Random, Seeds) {
  for (uint64_t seed = seeds_first; seed < seeds_first + seeds_count; ++seed) {
    Status status = Simulation(RandomScenario(seed), RandomPlan(seed)).Run();
    ASSERT_TRUE(status.ok()) << "SEED=" << seed << ": " << status.ToString();
  }
}

}  // namespace
}  // namespace freshet::sim

/// sim_test [gtest's flags] [--seed=N] [--seeds=COUNT] [--every=N]
int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    if (argument.starts_with("--seed=")) {
      freshet::sim::seeds_first = std::strtoull(argv[i] + 7, nullptr, 10);
      freshet::sim::seeds_count = 1;
    } else if (argument.starts_with("--seeds=")) {
      freshet::sim::seeds_count = std::strtoull(argv[i] + 8, nullptr, 10);
    } else if (argument.starts_with("--every=")) {
      freshet::sim::every = std::max<int64_t>(1, std::strtoll(argv[i] + 8, nullptr, 10));
    }
  }
  return RUN_ALL_TESTS();
}
