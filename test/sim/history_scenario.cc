// SPDX-License-Identifier: Apache-2.0
#include "sim/scenario.h"

namespace freshet::sim {
namespace {

using Kind = Step::Kind;

Status Add(model::World& world, uint64_t position, std::vector<model::Operation> operations) {
  for (auto& operation : operations)
    FRESHET_CHECK_OK(world.database.Add(position, {"orders", std::move(operation)}));
  return Status::Ok();
}

Status Begin(model::World& world) {
  world.history = {.scd_type = apply::ScdType::kType2};
  FRESHET_CHECK_OK(world.database.CreateTable(
      "orders", {{"id", arrow::int64()}, {"note", arrow::utf8()}, {"body", arrow::utf8()}}, {"id"},
      2));
  world.source.script.snapshot_at = 10;
  return world.database.SetBase("orders", 10,
                                {Of({"1", "a", "x"}), Of({"2", "b", "y"}), Of({"3", "c", "z"})});
}

Status Changes(model::World& world) {
  FRESHET_CHECK_OK(
      Add(world, 11, {model::UpdateRow{Of({"1", "aa", "?"}), {}}, model::DeleteRow{Of({"3"})}}));
  FRESHET_CHECK_OK(Add(world, 12,
                       {model::UpdateRow{Of({"1", "aaa", "?"}), {}},
                        model::UpdateRow{Of({"7", "moved", "?"}), Of({"2"})}}));
  return Add(world, 13, {model::InsertRow{Of({"3", "cc", "zz"})}});
}

Status BesideTheRefresh(model::World& world) {
  return Add(world, 21, {model::UpdateRow{Of({"7", "seven", "?"}), {}}});
}

Status TruncateAndGoOn(model::World& world) {
  FRESHET_CHECK_OK(Add(world, 31, {model::UpdateRow{Of({"1", "last", "?"}), {}}}));
  FRESHET_CHECK_OK(Add(world, 32, {model::Truncate{}, model::InsertRow{Of({"1", "new", "n"})}}));
  return Add(world, 33, {model::InsertRow{Of({"2", "again", "m"})}});
}

}  // namespace

Scenario HistoryScenario() {
  return {{Kind::kSource, Begin},
          {Kind::kCapture, {}},
          {Kind::kWish, {}},
          {Kind::kCapture, {}},
          {Kind::kApply, {}},
          {Kind::kSource, Changes},
          {Kind::kCapture, {}},
          {Kind::kApply, {}},
          {Kind::kRefresh, {}},
          {Kind::kSource, BesideTheRefresh},
          {Kind::kCapture, {}},
          {Kind::kApply, {}},
          {Kind::kSource, TruncateAndGoOn},
          {Kind::kCapture, {}},
          {Kind::kApply, {}}};
}

}  // namespace freshet::sim
