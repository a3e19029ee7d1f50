// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "model/table_rows.h"
#include "sim/simulation.h"

namespace freshet::sim {
namespace {

uint64_t seeds_first = 1, seeds_count = 60;

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

/// How often a scenario without faults writes, in steps of each kind; it must hold too.
std::map<Kind, int64_t> WritesOf(const Scenario& scenario) {
  Simulation simulation(scenario, {});
  Status status = simulation.Run();
  EXPECT_TRUE(status.ok()) << status.ToString();
  return simulation.writes();
}

void RunEvery(std::optional<Kind> only, const std::function<Fault(model::World&)>& what,
              const std::string& name) {
  int64_t writes = 0;
  for (const auto& [kind, count] : WritesOf(FixedScenario())) {
    if (!only || *only == kind) writes += count;
  }
  ASSERT_GT(writes, 0);
  int failed = 0;
  for (int64_t number = 1; number <= writes && failed < 3; ++number) {
    std::string path;
    Plan plan = PlanOf({number, only, what});
    plan.fault = [&path, inner = std::move(plan.fault), number, seen = int64_t{0}, only](
                     model::World& world, Kind kind, const model::WriteCall& call) mutable {
      if ((!only || *only == kind) && ++seen == number) path = call.path;
      return inner(world, kind, call);
    };
    Status status = Simulation(FixedScenario(), std::move(plan)).Run();
    failed += status.ok() ? 0 : 1;
    EXPECT_TRUE(status.ok()) << name << " at write " << number << " (" << path
                             << "): " << status.ToString();
  }
}

void RunEvery(Fault fault, const std::string& name) {
  RunEvery(
      std::nullopt, [fault](model::World&) { return fault; }, name);
}

TEST(Crash, BeforeEveryWrite) { RunEvery(Fault::kCrashBefore, "crash before"); }
TEST(Crash, AfterEveryWrite) { RunEvery(Fault::kCrashAfter, "crash after"); }

TEST(Crash, BetweenEveryCommitAndItsIndex) {
  int64_t runs = 0;
  for (int64_t number = 1; number < 100; ++number) {
    Plan plan;
    plan.crash_at_ingest = number;
    Simulation simulation(FixedScenario(), std::move(plan));
    Status status = simulation.Run();
    ASSERT_TRUE(status.ok()) << "crash at ingest " << number << ": " << status.ToString();
    if (!simulation.crashed_at_ingest()) break;
    ++runs;
  }
  EXPECT_GT(runs, 0);
}

TEST(Crash, IndexLostStaleOrNewerAtEveryApply) {
  Simulation whole(FixedScenario(), {});
  ASSERT_TRUE(whole.Run().ok());
  ASSERT_GT(whole.applies(), 2);
  for (auto damage : {IndexDamage::kLost, IndexDamage::kStale, IndexDamage::kNewer}) {
    for (int apply = 1; apply <= whole.applies(); ++apply) {
      Plan plan;
      plan.damage = damage;
      plan.damaged_apply = apply;
      Status status = Simulation(FixedScenario(), std::move(plan)).Run();
      EXPECT_TRUE(status.ok()) << "damage " << static_cast<int>(damage) << " at apply " << apply
                               << ": " << status.ToString();
    }
  }
}

TEST(Replies, LostAtEveryWrite) { RunEvery(Fault::kLostReply, "lost reply"); }
TEST(Replies, NoEffectAtEveryWrite) { RunEvery(Fault::kNoEffect, "no effect, no reply"); }
TEST(Replies, LateAtEveryWrite) { RunEvery(Fault::kLate, "late"); }
TEST(Replies, DoubledAtEveryWrite) { RunEvery(Fault::kDoubled, "doubled"); }

/// A second gateway does all the work while the first stands still at a write, then the first goes
/// on.
TEST(Rivals, ZombieGatewayAtEveryWrite) {
  RunEvery(
      Kind::kCapture,
      [](model::World& world) {
        (void)world.Capture();
        return Fault::kNone;
      },
      "a second gateway");
}

Fault OtherApplier(model::World& world) {
  world.index_name = "other";
  model::Outcome outcome = world.Apply("main");
  world.index_name = "index";
  EXPECT_TRUE(outcome.First().ok()) << outcome.First().ToString();
  return Fault::kNone;
}

TEST(Rivals, ZombieApplierAtEveryWrite) {
  RunEvery(Kind::kApply, OtherApplier, "a second applier");
}

/// Another engine rewrites every table while an apply stands still.
TEST(Rivals, ForeignOptimizeAtEveryWrite) {
  RunEvery(
      Kind::kApply,
      [](model::World& world) {
        for (const auto& [name, table] : world.database.tables()) {
          (void)model::ForeignOptimize(
              store::Below(world.store, model::World::TablePath("main", name)));
        }
        return Fault::kNone;
      },
      "a foreign optimize");
}

/// Several faults of all kinds in one run, drawn from a seed.
Plan RandomPlan(uint64_t seed) {
  Plan plan;
  plan.fault = [random = std::mt19937_64(seed), left = 6](model::World& world, Kind kind,
                                                          const model::WriteCall&) mutable {
    if (left == 0 || random() % 100 >= 6) return Fault::kNone;
    --left;
    switch (random() % 9) {
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

/// sim_test [gtest's flags] [--seed=N] [--seeds=COUNT]
int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    if (argument.starts_with("--seed=")) {
      freshet::sim::seeds_first = std::strtoull(argv[i] + 7, nullptr, 10);
      freshet::sim::seeds_count = 1;
    } else if (argument.starts_with("--seeds=")) {
      freshet::sim::seeds_count = std::strtoull(argv[i] + 8, nullptr, 10);
    }
  }
  return RUN_ALL_TESTS();
}
