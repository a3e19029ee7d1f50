// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "apply/staged_world_test.h"

namespace freshet::apply {

using fakes::ChangeRow;
using fakes::Unsent;
using record::Op;
using Lines = std::vector<std::string>;

inline fakes::Value Null() { return std::monostate{}; }

/// For tests: a table of (id, note, big), keyed by id or keyless, in a staged world.
class AppliedTableTest : public ::testing::Test {
 protected:
  static record::TableShape Shape(int key_columns = 1, const std::string& note = "note") {
    return fakes::MakeShape("100", "public", "t",
                            {{"id", arrow::int64()}, {note, arrow::utf8()}, {"big", arrow::utf8()}},
                            key_columns);
  }
  static ChangeRow Change(Op op, fakes::Row row, uint64_t position, uint64_t ordinal = 1) {
    return {op, std::move(row), StagedWorld::At(position, ordinal),
            static_cast<UtcMicros>(position)};
  }
  /// A table with the rows 1 and 2 at position 10.
  void Snapshot(int key_columns = 1) {
    world_.List(Shape(key_columns));
    world_.Begin(1, 10);
    world_.Chunk(1, 0, {{1, "a", "A"}});
    world_.Seal();
    world_.Chunk(1, 1, {{2, "b", "B"}});
    world_.End(1);
    world_.Seal();
  }
  Applied::State Settle(TableApplier* applier) {
    auto applied = world_.ApplyAll(applier);
    EXPECT_TRUE(applied.ok()) << applied.status().ToString();
    return applied.ok() ? applied->state : Applied::State::kCommitted;
  }
  Applied::State Settle() { return Settle(world_.Open().get()); }

  StagedWorld world_;
};

}  // namespace freshet::apply
