// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "model/world.h"
#include "sim/scenario.h"

namespace freshet::sim {

/// What is done to the index before an apply.
enum class IndexDamage : uint8_t {
  kNone,
  kLost,   // gone
  kStale,  // a copy from the first apply, put back
  kNewer   // the table is as before the last apply, the index is not
};

/// What goes wrong in one run of a scenario.
struct Plan {
  /// Asked for every writing call of a step; also lets others work meanwhile (zombies, foreign
  /// commits).
  std::function<model::Fault(model::World& world, Step::Kind step, const model::WriteCall& call)>
      fault;
  /// Whether the n-th reading call of all steps fails; the process ends with it.
  model::FaultyStore::ReadRule read_fault;
  int64_t crash_at_ingest = 0;
  bool lose_views = false;  // the snapshots end with every gateway
  IndexDamage damage = IndexDamage::kNone;
  int damaged_apply = 0;  // which apply, from 1
};

/// Runs a scenario with its faults to the end, then checks what must hold whatever went wrong: the
/// destination is the source by content, nothing is there twice, segments have no gap, positions
/// only grow, nothing was acknowledged before it was sealed, and one more update commits nothing.
class Simulation {
 public:
  Simulation(Scenario scenario, Plan plan);
  /// Errors: what does not hold.
  Status Run();
  /// What the steps wrote, in order.
  const std::map<Step::Kind, int64_t>& writes() const { return writes_; }
  int64_t applies() const { return applies_; }
  /// How often the steps read.
  int64_t reads() const { return reads_; }
  int64_t chunks_read() const { return world_.source.chunks_read; }
  bool crashed_at_ingest() const {
    return plan_.crash_at_ingest > 0 && world_.crash_at_ingest == 0;
  }

 private:
  Status RunStep(const Step& step);
  Status Attempt(const Step& step);
  void Arm(Step::Kind kind);
  Status Damage();
  Status Check();
  Status CheckTables();
  Status OrderAsTable(const std::string& name, model::Content* content);
  Status CheckSegments();
  Status CheckPositions(const std::string& table);
  void OnAcknowledged(uint64_t position);

  const Scenario scenario_;
  const Plan plan_;
  model::World world_;
  bool inside_ = false;  // a fault lets others work: their calls are not faulted
  std::map<Step::Kind, int64_t> writes_;
  int64_t applies_ = 0, reads_ = 0;
  Status broken_;  // found while running
};

}  // namespace freshet::sim
