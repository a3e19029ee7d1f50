// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <set>

#include "apply/staged_world_test.h"

// What a table keeps of its rows' past against a model of a few lines: random transactions at times
// that go backwards too, split at random into batches, segments, commits and slices.

namespace freshet::apply {

struct HistoryStep {
  enum class Kind {
    kPut,  // insert or update a key; some values unsent, sometimes all as they were
    kDelete,
    kMove,  // change a key
    kTruncate,
    kAddColumn,
    kCommit,  // the source's transaction ends
    kSeal,
    kApply,
    kReopen,
    kLoseIndex,
    kEnd
  };
  Kind kind;
  int key, other, unsent, time;
};

void showValue(const HistoryStep& step, std::ostream& out) {  // NOLINT: RapidCheck's name
  static const char* const kNames[] = {"put",    "delete", "move",  "truncate", "add column",
                                       "commit", "seal",   "apply", "reopen",   "lose index"};
  out << kNames[static_cast<int>(step.kind)] << " " << step.key << " " << step.other << " "
      << step.unsent << " " << step.time;
}

}  // namespace freshet::apply

template <>
struct rc::Arbitrary<freshet::apply::HistoryStep> {
  static Gen<freshet::apply::HistoryStep> arbitrary() {
    using Step = freshet::apply::HistoryStep;
    using Kind = Step::Kind;
    return gen::build<Step>(
        gen::set(&Step::kind, gen::weightedElement<Kind>({{30, Kind::kPut},
                                                          {10, Kind::kDelete},
                                                          {6, Kind::kMove},
                                                          {1, Kind::kTruncate},
                                                          {1, Kind::kAddColumn},
                                                          {14, Kind::kCommit},
                                                          {6, Kind::kSeal},
                                                          {5, Kind::kApply},
                                                          {1, Kind::kReopen},
                                                          {1, Kind::kLoseIndex}})),
        gen::set(&Step::key, gen::inRange(0, 6)), gen::set(&Step::other, gen::inRange(0, 6)),
        gen::set(&Step::unsent, gen::inRange(0, 6)), gen::set(&Step::time, gen::inRange(-40, 40)));
  }
};

namespace freshet::apply {
namespace {

using fakes::ChangeRow;
using fakes::Row;
using fakes::Unsent;
using fakes::Value;
using record::Op;

fakes::Value Null() { return std::monostate{}; }

enum class Mode { kVersions, kSoft, kVersionsBySequence, kType1BySequence };

/// What the table has to hold.
class Model {
 public:
  explicit Model(Mode mode) : mode_(mode) {}
  struct Version {
    int64_t key;
    Row row;
    int64_t start;
    std::optional<int64_t> end;
  };

  void Begin(const std::map<int64_t, Row>& rows, UtcMicros taken_at) {
    versions_.clear();
    last_.clear();
    for (const auto& [key, row] : rows) {
      last_[key] = taken_at;
      versions_.push_back({key, row, sequences() ? SequenceOf(row) : taken_at, {}});
    }
  }
  /// One change; `row` absent: deleted.
  void Change(int64_t key, const std::optional<Row>& row, UtcMicros at) {
    if (mode_ == Mode::kVersions) return;
    auto* open = Open(key);
    if (!row) {
      if (open != nullptr) open->end = mode_ == Mode::kSoft ? at : open->start;
    } else if (mode_ == Mode::kSoft) {
      std::erase_if(versions_, [&](const auto& version) { return version.key == key; });
      versions_.push_back({key, *row, 0, {}});
    } else if (const int64_t sequence = SequenceOf(*row); open == nullptr) {
      versions_.push_back({key, *row, sequence, {}});
    } else if (sequence == open->start) {
      open->row = *row;
    } else if (sequence > open->start) {
      open->end = sequence;
      versions_.push_back({key, *row, sequence, {}});
    }
  }
  /// What a transaction did to a key, in all.
  void Commit(int64_t key, const std::optional<Row>& before, const std::optional<Row>& after,
              UtcMicros at) {
    if (mode_ != Mode::kVersions || before == after) return;
    auto last = last_.find(key);
    if (last != last_.end()) at = std::max(at, last->second + 1);
    last_[key] = at;
    if (auto* open = Open(key)) open->end = at;
    if (after) versions_.push_back({key, *after, at, {}});
  }

  std::vector<std::string> Rows(size_t width) const {
    std::vector<std::string> rows;
    for (const auto& version : versions_) {
      if (mode_ == Mode::kType1BySequence && version.end) continue;
      std::string text;
      for (size_t i = 0; i < width; ++i) text += TextOf(version.row, i) + " ";
      if (mode_ == Mode::kVersions || mode_ == Mode::kVersionsBySequence)
        text += std::to_string(version.start) + " ";
      if (mode_ != Mode::kType1BySequence)
        text += (version.end ? std::to_string(*version.end) : "null") + " ";
      rows.push_back(std::move(text));
    }
    std::sort(rows.begin(), rows.end());
    return rows;
  }
  bool sequences() const {
    return mode_ == Mode::kVersionsBySequence || mode_ == Mode::kType1BySequence;
  }

 private:
  static int64_t SequenceOf(const Row& row) { return std::get<int64_t>(row[1]); }
  static std::string TextOf(const Row& row, size_t i) {
    if (i >= row.size()) return "null";
    if (const auto* number = std::get_if<int64_t>(&row[i])) return std::to_string(*number);
    const auto* text = std::get_if<std::string>(&row[i]);
    return text != nullptr ? *text : "null";
  }
  Version* Open(int64_t key) {
    for (auto& version : versions_) {
      if (version.key == key && !version.end) return &version;
    }
    return nullptr;
  }

  const Mode mode_;
  std::vector<Version> versions_;
  std::map<int64_t, UtcMicros> last_;
};

/// A table of (id key, s, big), and what is done to it.
class HistoryPlay {
 public:
  HistoryPlay(Mode mode, size_t fold_bytes_max, int snapshot_after)
      : mode_(mode), snapshot_after_(snapshot_after), model_(mode) {
    world_.fold_bytes_max_ = fold_bytes_max;
    world_.compaction_ = {
        .files_min = 3, .bytes_min = 0, .commits_min = 2, .unit_rows = 5, .ordered_rows_max = 40};
    world_.properties_["delta.enableChangeDataFeed"] = "true";
    if (mode == Mode::kVersions || mode == Mode::kVersionsBySequence)
      world_.history_.scd_type = ScdType::kType2;
    if (model_.sequences()) world_.history_.sequence_by = {"s"};
    world_.history_.soft_delete = mode == Mode::kSoft;
    world_.List(Shape());
    for (int64_t key = 0; key < 3; ++key) rows_[key] = {key, key, Text()};
    applier_ = world_.Open();
  }

  void Take(const HistoryStep& step) {
    if (taken_++ == snapshot_after_) BeginSnapshot();
    using Kind = HistoryStep::Kind;
    switch (step.kind) {
      case Kind::kPut:
        return Put(step);
      case Kind::kDelete:
        if (rows_.contains(step.key)) Do({{Op::kDelete, {int64_t{step.key}}, {}, 0}}, step);
        return;
      case Kind::kMove:
        return Move(step);
      case Kind::kTruncate:
        return Truncate(step);
      case Kind::kAddColumn:
        return AddColumn();
      case Kind::kCommit:
        return Commit();
      case Kind::kSeal:
        return Seal();
      case Kind::kApply:
        return Apply();
      case Kind::kReopen:
        applier_ = OpenAgain();
        return;
      case Kind::kLoseIndex:
        applier_.reset();
        world_.ForgetIndex();
        applier_ = OpenAgain();
        return;
      case Kind::kEnd:
        return;
    }
  }

  void Finish() {
    if (taken_ <= snapshot_after_) BeginSnapshot();
    Seal();
    Apply();
    RC_ASSERT(Found() == model_.Rows(width()));
    applier_ = OpenAgain();
    Apply();
    RC_ASSERT(Found() == model_.Rows(width()));
    const Status feed = CheckFeed(world_.table_);
    if (!feed.ok()) RC_LOG() << feed.ToString();
    RC_ASSERT(feed.ok());
  }

 private:
  size_t width() const { return static_cast<size_t>(3 + added_); }
  std::unique_ptr<TableApplier> OpenAgain() {
    return world_.Open(delta::Table(world_.table_).Latest(nullptr).ok());
  }
  record::TableShape Shape() const {
    std::vector<fakes::Column> columns = {
        {"id", arrow::int64()}, {"s", arrow::int64()}, {"big", arrow::utf8()}};
    for (int i = 0; i < added_; ++i) columns.push_back({fmt::format("c{}", i), arrow::utf8()});
    return fakes::MakeShape("100", "public", "t", columns, 1);
  }
  std::string Text() { return fmt::format("v{}", ++texts_); }

  /// Changes of the transaction that is open, or of a new one.
  void Do(std::vector<ChangeRow> changes, const HistoryStep& step) {
    Open(step.time);
    for (auto& change : changes) {
      change.row.resize(width(), Null());
      change.sequence = StagedWorld::At(position_, ++ordinal_);
      change.committed_at = at_;
      const int64_t key = std::get<int64_t>(change.row[0]);
      before_.try_emplace(key, Of(key));
      if (change.op == Op::kDelete) former_ = Of(key);
      std::optional<Row> row;
      if (change.op != Op::kDelete) row = Whole(change.row, Of(key) ? Of(key) : former_);
      if (row) rows_[key] = *row;
      if (!row) rows_.erase(key);
      if (snapshot_) model_.Change(key, row, at_);
    }
    world_.Change(changes);
    // What orders the states of a row tells each of them apart.
    if (mode_ != Mode::kVersions) Commit();
  }
  std::optional<Row> Of(int64_t key) const {
    auto found = rows_.find(key);
    return found == rows_.end() ? std::nullopt : std::optional(found->second);
  }
  Row Whole(Row row, const std::optional<Row>& former) const {
    for (size_t i = 0; i < row.size(); ++i) {
      if (!std::holds_alternative<Unsent>(row[i])) continue;
      row[i] = i < former->size() ? (*former)[i] : Null();
    }
    return row;
  }

  void Put(const HistoryStep& step) {
    auto former = Of(step.key);
    Row row = {int64_t{step.key}, int64_t{++numbers_ + step.time / 8}, Text()};
    if (former && step.unsent == 0 && mode_ == Mode::kVersions) {
      row = *former;
      row.resize(width(), Null());
    } else if (former && step.unsent < 3 && !model_.sequences()) {
      row[static_cast<size_t>(step.unsent == 0 ? 1 : step.unsent)] = Unsent{};
    }
    Do({{former ? Op::kUpdate : Op::kInsert, row, {}, 0}}, step);
  }
  void Move(const HistoryStep& step) {
    if (!rows_.contains(step.key) || rows_.contains(step.other)) return;
    Row row = {int64_t{step.other}, int64_t{++numbers_}, Text()};
    if (step.unsent < 3 && !model_.sequences()) row[2] = Unsent{};
    Do({{Op::kDelete, {int64_t{step.key}}, {}, 0}, {Op::kInsert, row, {}, 0}}, step);
  }
  void Truncate(const HistoryStep& step) {
    Open(step.time);
    for (const auto& [key, row] : rows_) {
      before_.try_emplace(key, row);
      if (snapshot_) model_.Change(key, std::nullopt, at_);
    }
    rows_.clear();
    world_.Truncate(position_, ++ordinal_, at_);
    if (mode_ != Mode::kVersions) Commit();
  }
  void AddColumn() {
    Commit();
    ++added_;
    world_.NoteShape(Shape(), StagedWorld::At(++position_));
  }

  void Open(int time) {
    if (open_) return;
    open_ = true;
    ++position_;
    ordinal_ = 0;
    at_ = static_cast<UtcMicros>(1000 + 10 * position_) + time;
  }
  void Commit() {
    if (!open_) return;
    for (const auto& [key, before] : before_) {
      if (snapshot_) model_.Commit(key, Wide(before), Wide(Of(key)), at_);
    }
    before_.clear();
    open_ = false;
  }
  std::optional<Row> Wide(std::optional<Row> row) const {
    if (row) row->resize(width(), Null());
    return row;
  }

  void BeginSnapshot() {
    Commit();
    ++position_;
    world_.taken_at_ = static_cast<UtcMicros>(1000 + 10 * position_);
    world_.Begin(1, position_);
    snapshot_ = true;
    model_.Begin(rows_, world_.taken_at_);
    std::vector<Row> rows;
    for (const auto& [key, row] : rows_) rows.push_back(*Wide(row));
    world_.Chunk(1, 0, rows);
    world_.End(1);
  }
  void Seal() {
    Commit();
    world_.Seal();
  }
  void Apply() {
    auto applied = world_.ApplyAll(applier_.get());
    if (!applied.ok()) RC_LOG() << applied.status().ToString();
    RC_ASSERT(applied.ok());
  }
  std::vector<std::string> Found() {
    std::vector<std::string> rows;
    auto snapshot = delta::Table(world_.table_).Latest(nullptr).value();
    const auto batches = ReadLiveRows(world_.table_, *snapshot).value();
    for (const auto& batch : batches) {
      for (int64_t row = 0; row < batch->num_rows(); ++row) {
        std::string text;
        for (const auto& column : batch->columns()) {
          const bool time = column->type_id() == arrow::Type::TIMESTAMP && column->IsValid(row);
          text +=
              (time ? std::to_string(static_cast<const arrow::TimestampArray&>(*column).Value(row))
                    : column->GetScalar(row).ValueOrDie()->ToString()) +
              " ";
        }
        rows.push_back(std::move(text));
      }
    }
    std::sort(rows.begin(), rows.end());
    return rows;
  }

  const Mode mode_;
  const int snapshot_after_;
  StagedWorld world_;
  std::unique_ptr<TableApplier> applier_;
  Model model_;
  std::map<int64_t, Row> rows_;                   // at the source
  std::map<int64_t, std::optional<Row>> before_;  // the open transaction
  std::optional<Row> former_;
  bool open_ = false, snapshot_ = false;
  UtcMicros at_ = 0;
  uint64_t position_ = 1, ordinal_ = 0;
  int added_ = 0, taken_ = 0, texts_ = 0;
  int64_t numbers_ = 0;
};

std::string NameOf(Mode mode) {
  switch (mode) {
    case Mode::kVersions:
      return "versions";
    case Mode::kSoft:
      return "soft_delete";
    case Mode::kVersionsBySequence:
      return "versions_by_sequence";
    default:
      return "type_1_by_sequence";
  }
}

class HistoryPropertyTest : public ::testing::TestWithParam<Mode> {};

TEST_P(HistoryPropertyTest, TheTableIsWhatTheModelKeeps) {
  setenv("RC_PARAMS", "max_success=25 max_size=80", /*overwrite=*/0);
  const Mode mode = GetParam();
  bool held = rc::check([mode](const std::vector<HistoryStep>& steps) {
    HistoryPlay run(mode, *rc::gen::element<size_t>(1u << 20, 2000u, 500u),
                    *rc::gen::inRange(0, 12));
    for (const auto& step : steps) run.Take(step);
    run.Finish();
  });
  EXPECT_TRUE(held);
}

INSTANTIATE_TEST_SUITE_P(Modes, HistoryPropertyTest,
                         ::testing::Values(Mode::kVersions, Mode::kSoft, Mode::kVersionsBySequence,
                                           Mode::kType1BySequence),
                         [](const auto& test) { return NameOf(test.param); });

}  // namespace
}  // namespace freshet::apply
