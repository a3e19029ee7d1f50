// SPDX-License-Identifier: Apache-2.0
#include <random>

#include "sim/scenario.h"

namespace freshet::sim {
namespace {

using model::Cell;
using model::Row;
using Kind = Step::Kind;

/// Draws what happens at a source: valid changes of what its tables hold at that moment.
class Draw {
 public:
  explicit Draw(uint64_t seed) : random_(seed) {}

  int64_t Below(int64_t bound) {
    return std::uniform_int_distribution<int64_t>(0, bound - 1)(random_);
  }
  bool Chance(int percent) { return Below(100) < percent; }

  Status Begin(model::World& world) {
    auto number = arrow::int64();
    auto text = arrow::utf8();
    FRESHET_CHECK_OK(world.database.CreateTable("keyed", {{"id", number}, {"a", text}, {"b", text}},
                                                {"id"}, 1 + Below(4)));
    FRESHET_CHECK_OK(world.database.CreateTable("pairs", {{"a", text}, {"n", number}, {"b", text}},
                                                {"a", "n"}, 1 + Below(4)));
    FRESHET_CHECK_OK(
        world.database.CreateTable("bag", {{"a", number}, {"b", text}}, {}, 1 + Below(4)));
    world.drop_inactive_columns = Chance(30);
    const int64_t profile = Below(3);
    if (profile == 1) world.properties = FullProperties();
    if (profile == 2) world.properties.merge(ClassicProperties());
    world.source.script.transactions_per_commit = static_cast<int>(1 + Below(4));
    if (Chance(30)) world.source.script.fail_chunk = {Below(3), ErrorClass::SOURCE_UNREACHABLE};
    return Changes(world, 1 + Below(6));
  }

  /// A column that both tables with a key have is selected no more, or again.
  Status Select(model::World& world) {
    if (world.drop_inactive_columns) return Status::Ok();
    auto& deselected = world.source.script.deselected;
    if (deselected.erase("b") == 0) deselected.insert("b");
    return Status::Ok();
  }

  Status Changes(model::World& world, int64_t transactions) {
    for (int64_t i = 0; i < transactions; ++i) {
      ++position_;
      int64_t steps = 1 + Below(6);
      for (int64_t j = 0; j < steps; ++j) FRESHET_CHECK_OK(Change(world));
    }
    return Status::Ok();
  }

 private:
  Status Change(model::World& world) {
    static constexpr const char* kTables[] = {"keyed", "pairs", "bag"};
    std::string table = kTables[Below(3)];
    FRESHET_TRY(auto content, world.database.At(table, position_));
    return world.database.Add(position_, {table, Pick(content)});
  }

  model::Operation Pick(const model::Content& content) {
    if (Chance(2)) return model::Truncate{};
    if (Chance(1) && !content.rows.empty()) {
      const Row& lost = content.rows[static_cast<size_t>(Below(std::ssize(content.rows)))];
      return model::LoseRow{model::KeyOf(content.shape, lost)};
    }
    if (Chance(1)) return model::JoinRow{FreshRow(content.shape)};
    if (Chance(2) && content.shape.width() < 5) {
      model::AddColumn added{fmt::format("c{}", content.shape.width()), arrow::utf8()};
      if (Chance(50)) added.filled = Cell::Of("filled");
      return added;
    }
    Row fresh = FreshRow(content.shape);
    if (content.rows.empty()) return model::InsertRow{fresh};
    const Row& known = content.rows[static_cast<size_t>(Below(std::ssize(content.rows)))];
    bool taken = !content.shape.keyless() && Holds(content, model::KeyOf(content.shape, fresh));
    int64_t which = Below(10);
    if (which < 2) return model::DeleteRow{model::KeyOf(content.shape, known)};
    if (which < 4 && !taken)
      return model::UpdateRow{Partly(content.shape, fresh), model::KeyOf(content.shape, known)};
    if (which < 7 && !content.shape.keyless()) {
      Row row = fresh;
      for (int ordinal : content.shape.key)
        row[static_cast<size_t>(ordinal)] = known[static_cast<size_t>(ordinal)];
      return model::UpdateRow{Partly(content.shape, row), std::nullopt};
    }
    if (taken) return model::DeleteRow{model::KeyOf(content.shape, fresh)};
    return model::InsertRow{fresh};
  }

  static bool Holds(const model::Content& content, const Row& key) {
    for (const Row& row : content.rows) {
      if (model::KeyOf(content.shape, row) == key) return true;
    }
    return false;
  }

  /// Few values, so that keys and whole rows come again.
  Row FreshRow(const record::TableShape& shape) {
    Row row;
    for (int i = 0; i < shape.width(); ++i) {
      bool key = std::find(shape.key.begin(), shape.key.end(), i) != shape.key.end();
      bool number = shape.schema->field(i)->type()->id() == arrow::Type::INT64;
      if (!key && Chance(15)) {
        row.push_back(Cell::Null());
      } else if (number) {
        row.push_back(Cell::Of(fmt::format("{}", Below(key ? 12 : 3))));
      } else {
        row.push_back(Cell::Of(fmt::format("v{}", Below(key || shape.keyless() ? 2 : 1000))));
      }
    }
    return row;
  }

  /// Leave some values unsent, as unchanged TOAST columns are. A keyless table's rows are always
  /// whole.
  Row Partly(const record::TableShape& shape, Row row) {
    if (shape.keyless()) return row;
    for (int i = 0; i < shape.width(); ++i) {
      bool key = std::find(shape.key.begin(), shape.key.end(), i) != shape.key.end();
      if (!key && Chance(30)) row[static_cast<size_t>(i)] = Cell::Unsent();
    }
    return row;
  }

  std::mt19937_64 random_;
  uint64_t position_ = 0;
};

}  // namespace

Scenario RandomScenario(uint64_t seed) {
  // One draw for the steps and another, shared by them, for what happens in them.
  Draw steps(seed);
  auto draw = std::make_shared<Draw>(seed ^ 0x9E3779B97F4A7C15);
  Scenario scenario{{Kind::kSource, [draw](model::World& world) { return draw->Begin(world); }},
                    {Kind::kCapture, {}},
                    {Kind::kWish, {}}};
  int64_t rounds = 3 + steps.Below(4);
  for (int64_t round = 0; round < rounds; ++round) {
    scenario.push_back({Kind::kSource, [draw](model::World& world) {
                          return draw->Changes(world, 1 + draw->Below(6));
                        }});
    if (steps.Chance(20))
      scenario.push_back(
          {Kind::kSource, [draw](model::World& world) { return draw->Select(world); }});
    if (steps.Chance(25)) scenario.push_back({Kind::kRefresh, {}});
    if (!steps.Chance(20)) scenario.push_back({Kind::kCapture, {}});
    if (steps.Chance(60)) scenario.push_back({Kind::kApply, {}});
  }
  scenario.push_back({Kind::kSource, [](model::World& world) {
                        world.source.script.deselected.clear();
                        return Status::Ok();
                      }});
  scenario.push_back({Kind::kCapture, {}});
  scenario.push_back({Kind::kApply, {}});
  return scenario;
}

}  // namespace freshet::sim
