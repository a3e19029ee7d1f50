// SPDX-License-Identifier: Apache-2.0
#include "sim/scenario.h"

namespace freshet::sim {
namespace {

using model::Cell;
using model::Row;
using Kind = Step::Kind;

Status Begin(model::World& world) {
  auto number = arrow::int64();
  auto text = arrow::utf8();
  FRESHET_CHECK_OK(world.database.CreateTable(
      "orders", {{"id", number}, {"note", text}, {"body", text}}, {"id"}, 2));
  FRESHET_CHECK_OK(world.database.CreateTable("log", {{"a", number}, {"b", text}}, {}, 2));
  FRESHET_CHECK_OK(world.database.SetBase(
      "orders", 10,
      {Of({"1", "a", "x"}), Of({"2", "b", "y"}), Of({"3", "c", "z"}), Of({"4", "d", "w"})}));
  FRESHET_CHECK_OK(
      world.database.SetBase("log", 10, {Of({"1", "x"}), Of({"1", "x"}), Of({"2", "y"})}));
  world.source.script.snapshot_at = 10;
  world.source.script.fail_chunk = {1, ErrorClass::SOURCE_UNREACHABLE};
  return Status::Ok();
}

Status Add(model::World& world, uint64_t position, std::initializer_list<model::Step> steps) {
  for (const model::Step& step : steps) FRESHET_CHECK_OK(world.database.Add(position, step));
  return Status::Ok();
}

Status EarlyChanges(model::World& world) {
  FRESHET_CHECK_OK(
      Add(world, 11,
          {{"orders", model::DeleteRow{Of({"3"})}}, {"log", model::InsertRow{Of({"1", "x"})}}}));
  return Add(world, 12, {{"orders", model::UpdateRow{Of({"1", "aa", "?"}), {}}}});
}

Status ChangesOfEveryKind(model::World& world) {
  FRESHET_CHECK_OK(Add(world, 21,
                       {{"orders", model::UpdateRow{Of({"7", "moved", "?"}), Of({"1"})}},
                        {"orders", model::InsertRow{Of({"1", "new", "n"})}},
                        {"log", model::DeleteRow{Of({"1", "x"})}}}));
  FRESHET_CHECK_OK(Add(world, 22,
                       {{"log", model::UpdateRow{Of({"2", "yy"}), Of({"2", "y"})}},
                        {"orders", model::UpdateRow{Of({"2", "bb", "?"}), {}}}}));
  return Add(world, 23, {{"orders", model::DeleteRow{Of({"4"})}}});
}

Status TruncateAndGoOn(model::World& world) {
  FRESHET_CHECK_OK(
      Add(world, 31, {{"log", model::Truncate{}}, {"log", model::InsertRow{Of({"5", "z"})}}}));
  return Add(world, 32,
             {{"orders", model::UpdateRow{Of({"8", "again", "?"}), Of({"7"})}},
              {"log", model::InsertRow{Of({"5", "z"})}}});
}

Status ColumnAdded(model::World& world) {
  FRESHET_CHECK_OK(Add(world, 41, {{"orders", model::AddColumn{"n", arrow::int64()}}}));
  return Add(world, 42,
             {{"orders", model::InsertRow{Of({"9", "nine", "n", "9"})}},
              {"orders", model::UpdateRow{Of({"8", "last", "?", "8"}), {}}},
              {"log", model::DeleteRow{Of({"5", "z"})}}});
}

/// As Begin, but that no chunk fails.
Status BeginWhole(model::World& world) {
  FRESHET_CHECK_OK(Begin(world));
  world.source.script.fail_chunk.reset();
  return Status::Ok();
}

Status BesideTheRefresh(model::World& world) {
  return Add(world, 21,
             {{"orders", model::UpdateRow{Of({"1", "aa", "?"}), {}}},
              {"log", model::InsertRow{Of({"1", "x"})}}});
}

Status AfterTheRefresh(model::World& world) {
  return Add(world, 31,
             {{"orders", model::DeleteRow{Of({"2"})}},
              {"orders", model::UpdateRow{Of({"9", "moved", "?"}), Of({"1"})}},
              {"log", model::DeleteRow{Of({"1", "x"})}}});
}

/// The keyed table goes on in other columns; the keyless one has to be read again.
Status ColumnsChange(model::World& world) {
  FRESHET_CHECK_OK(Add(world, 21,
                       {{"orders", model::UpdateRow{Of({"1", "aa", "?"}), {}}},
                        {"orders", model::DropColumn{"note"}},
                        {"orders", model::RenameColumn{"body", "text"}},
                        {"orders", model::InsertRow{Of({"5", "v"})}},
                        {"log", model::InsertRow{Of({"3", "z"})}}}));
  return Add(world, 22,
             {{"log", model::DropColumn{"b"}},
              {"log", model::DeleteRow{Of({"1"})}},
              {"orders", model::DeleteRow{Of({"2"})}}});
}

Status TypesChange(model::World& world) {
  return Add(world, 31,
             {{"orders", model::RetypeColumn{"id", arrow::utf8()}},
              {"orders", model::UpdateRow{Of({"1", "b"}), {}}},
              {"log", model::InsertRow{Of({"9"})}}});
}

Status TableMadeAgain(model::World& world) {
  FRESHET_CHECK_OK(Add(world, 41, {{"log", model::Drop{}}}));
  FRESHET_CHECK_OK(world.database.CreateTable("log", {{"k", arrow::int64()}}, {"k"}, 2));
  FRESHET_CHECK_OK(world.database.SetBase("log", 42, {Of({"1"}), Of({"2"}), Of({"3"})}));
  return Add(world, 43, {{"log", model::DeleteRow{Of({"2"})}}});
}

/// A table that the log does not tell of.
Status BeginUnlogged(model::World& world) {
  FRESHET_CHECK_OK(
      world.database.CreateTable("bag", {{"a", arrow::int64()}, {"b", arrow::utf8()}}, {}, 2));
  world.database.tables().at("bag").first_shape.logged = false;
  return world.database.SetBase("bag", 10, {Of({"1", "x"}), Of({"1", "x"}), Of({"2", "y"})});
}

Status UnloggedChanges(model::World& world) {
  return Add(world, 21,
             {{"bag", model::DeleteRow{Of({"1", "x"})}},
              {"bag", model::UpdateRow{Of({"2", "z"}), Of({"2", "y"})}},
              {"bag", model::InsertRow{Of({"3", "w"})}}});
}

Status UnloggedTruncated(model::World& world) {
  return Add(world, 31, {{"bag", model::Truncate{}}, {"bag", model::InsertRow{Of({"1", "x"})}}});
}

Status ColumnWithADefault(model::World& world) {
  FRESHET_CHECK_OK(Add(world, 21,
                       {{"orders", model::UpdateRow{Of({"1", "aa", "?"}), {}}},
                        {"orders", model::AddColumn{"n", arrow::int64(), Cell::Of("7")}},
                        {"orders", model::InsertRow{Of({"5", "e", "v", "8"})}},
                        {"orders", model::UpdateRow{Of({"2", "bb", "?", "9"}), {}}}}));
  world.source.script.after_snapshot = [&world] {
    Status added = Add(world, 23,
                       {{"orders", model::UpdateRow{Of({"1", "aaa", "?", "70"}), {}}},
                        {"orders", model::UpdateRow{Of({"8", "moved", "?", "?"}), Of({"3"})}},
                        {"orders", model::DeleteRow{Of({"4"})}}});
    FRESHET_ASSERT(added.ok());
  };
  return Add(world, 22, {{"log", model::InsertRow{Of({"3", "z"})}}});
}

Status ColumnDeselected(model::World& world) {
  world.source.script.deselected = {"body"};
  return Add(world, 31, {{"orders", model::UpdateRow{Of({"1", "b", "unseen", "71"}), {}}}});
}

Status ColumnSelected(model::World& world) {
  world.source.script.deselected.clear();
  return Add(world, 41, {{"orders", model::UpdateRow{Of({"2", "c", "?", "?"}), {}}}});
}

/// What every scenario of tables that are read without a fault begins with, and what follows.
Scenario OnceRead(Status (*begin)(model::World&), const Scenario& then) {
  Scenario all = {{Kind::kSource, begin},
                  {Kind::kCapture, {}},
                  {Kind::kWish, {}},
                  {Kind::kCapture, {}},
                  {Kind::kApply, {}}};
  all.insert(all.end(), then.begin(), then.end());
  return all;
}

}  // namespace

Row Of(std::initializer_list<std::string> texts) {
  Row row;
  for (const std::string& text : texts)
    row.push_back(text == "?" ? Cell::Unsent() : Cell::Of(text));
  return row;
}

Scenario FixedScenario() {
  return {{Kind::kSource, Begin},
          {Kind::kCapture, {}},
          {Kind::kWish, {}},
          {Kind::kCapture, {}},  // the second chunk fails: what is read so far stays staged
          {Kind::kApply, {}},
          {Kind::kSource, EarlyChanges},
          {Kind::kCapture, {}},
          {Kind::kApply, {}},
          {Kind::kSource, ChangesOfEveryKind},
          {Kind::kCapture, {}},
          {Kind::kSource, TruncateAndGoOn},
          {Kind::kCapture, {}},
          {Kind::kApply, {}},
          {Kind::kSource, ColumnAdded},
          {Kind::kCapture, {}},
          {Kind::kApply, {}}};
}

Scenario UnloggedScenario() {
  return OnceRead(BeginUnlogged, {{Kind::kSource, UnloggedChanges},
                                  {Kind::kCapture, {}},
                                  {Kind::kApply, {}},
                                  {Kind::kCapture, {}},
                                  {Kind::kSource, UnloggedTruncated},
                                  {Kind::kCapture, {}},
                                  {Kind::kApply, {}}});
}

Scenario RefreshScenario() {
  return OnceRead(BeginWhole, {{Kind::kRefresh, {}},
                               {Kind::kSource, BesideTheRefresh},
                               {Kind::kCapture, {}},
                               {Kind::kSource, AfterTheRefresh},
                               {Kind::kCapture, {}},
                               {Kind::kApply, {}}});
}

Scenario ChangingTablesScenario() {
  return OnceRead(BeginWhole, {{Kind::kSource, ColumnsChange},
                               {Kind::kCapture, {}},
                               {Kind::kApply, {}},
                               {Kind::kSource, TypesChange},
                               {Kind::kCapture, {}},
                               {Kind::kSource, TableMadeAgain},
                               {Kind::kCapture, {}},
                               {Kind::kWish, {}},
                               {Kind::kCapture, {}},
                               {Kind::kApply, {}}});
}

Scenario FilledScenario() {
  return OnceRead(BeginWhole, {{Kind::kSource, ColumnWithADefault},
                               {Kind::kCapture, {}},
                               {Kind::kApply, {}},
                               {Kind::kSource, ColumnDeselected},
                               {Kind::kCapture, {}},
                               {Kind::kSource, ColumnSelected},
                               {Kind::kCapture, {}},
                               {Kind::kApply, {}}});
}

Scenario FilledAndRefreshedScenario() {
  return OnceRead(BeginWhole, {{Kind::kRefresh, {}},
                               {Kind::kSource, ColumnWithADefault},
                               {Kind::kCapture, {}},
                               {Kind::kApply, {}},
                               {Kind::kSource, ColumnDeselected},
                               {Kind::kRefresh, {}},
                               {Kind::kCapture, {}},
                               {Kind::kSource, ColumnSelected},
                               {Kind::kCapture, {}},
                               {Kind::kApply, {}}});
}

}  // namespace freshet::sim
