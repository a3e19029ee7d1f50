// SPDX-License-Identifier: Apache-2.0
#include "sim/scenario.h"

namespace freshet::sim {
namespace {

using Kind = Step::Kind;

constexpr int kRounds = 11;
/// In which the table changes names with another.
constexpr int kSwap = 5;

Status Add(model::World& world, int round, std::vector<model::Operation> operations) {
  const auto position = static_cast<uint64_t>(20 + round);
  for (auto& operation : operations) {
    FRESHET_CHECK_OK(
        world.database.Add(position, {round < kSwap ? "orders" : "other", std::move(operation)}));
  }
  return Status::Ok();
}

Status Begin(model::World& world) {
  FRESHET_CHECK_OK(world.database.CreateTable(
      "orders", {{"id", arrow::int64()}, {"note", arrow::utf8()}}, {"id"}, 4));
  world.commits_per_checkpoint = 4;
  world.compaction = {.files_min = 2, .bytes_min = 0, .commits_min = 1};
  world.source.script.snapshot_at = 10;
  FRESHET_CHECK_OK(world.database.CreateTable("other", {{"id", arrow::int64()}}, {"id"}, 4));
  FRESHET_CHECK_OK(world.database.SetBase("other", 10, {Of({"1"})}));
  return world.database.SetBase("orders", 10,
                                {Of({"1", "a"}), Of({"2", "b"}), Of({"3", "c"}), Of({"4", "d"})});
}

/// Rows come, change and go, and so do columns; what was removed the last time is old by now.
Status Round(model::World& world, int round) {
  const auto fresh = std::to_string(10 + round);
  world.clock.Advance(std::chrono::days(8));
  if (round == kSwap)
    FRESHET_CHECK_OK(world.database.Rename({{"orders", "other"}, {"other", "orders"}}));
  switch (round) {
    case 3:
      return Add(world, round,
                 {model::AddColumn{"n", arrow::int64(), model::Cell::Of("7")},
                  model::InsertRow{Of({fresh, "e", "8"})}});
    case 6:
      return Add(world, round,
                 {model::RenameColumn{"note", "text"}, model::UpdateRow{Of({"2", "bb", "?"}), {}}});
    case 8:
      return Add(world, round, {model::DropColumn{"n"}, model::DeleteRow{Of({"3"})}});
    default:
      break;
  }
  const bool has_n = round > 3 && round < 8;
  const auto row = [&](const std::string& id, const std::string& text) {
    return has_n ? Of({id, text, "5"}) : Of({id, text});
  };
  return Add(world, round,
             {model::UpdateRow{row("1", "u" + fresh), {}}, model::InsertRow{row(fresh, "f")}});
}

}  // namespace

Scenario ProfileScenario(const std::map<std::string, std::string>& properties) {
  Scenario scenario{{Kind::kSource,
                     [properties](model::World& world) {
                       for (const auto& [name, value] : properties) world.properties[name] = value;
                       return Begin(world);
                     }},
                    {Kind::kCapture, {}},
                    {Kind::kWish, {}},
                    {Kind::kCapture, {}},
                    {Kind::kApply, {}}};
  for (int round = 1; round <= kRounds; ++round) {
    scenario.push_back(
        {Kind::kSource, [round](model::World& world) { return Round(world, round); }});
    if (round == 10) scenario.push_back({Kind::kRefresh, {}});
    scenario.push_back({Kind::kCapture, {}});
    scenario.push_back({Kind::kApply, {}});
  }
  return scenario;
}

std::map<std::string, std::string> FullProperties() {
  return {{"delta.enableChangeDataFeed", "true"},
          {"delta.enableRowTracking", "true"},
          {"delta.enableInCommitTimestamps", "true"},
          {"delta.enableTypeWidening", "true"},
          {"delta.columnMapping.mode", "name"}};
}

std::map<std::string, std::string> ClassicProperties() {
  return {{"delta.enableDeletionVectors", "false"}};
}

}  // namespace freshet::sim
