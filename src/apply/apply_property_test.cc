// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <set>

#include "apply/live_rows.h"
#include "apply/staged_world_test.h"

// The whole of apply against a model of a few lines: random changes, split at random into batches,
// segments, commits and slices, with compactions, lost and lagging indexes and foreign commits in
// between.

namespace freshet::apply {

/// One step of a random run; what a step means when it cannot be taken (an insert of a key that is
/// there) is another step, so that any list of steps is a run, and shrinking finds short ones.
struct Step {
  enum class Kind {
    kPut,  // insert or update a key; some values unsent
    kDelete,
    kMove,  // change a key
    kTruncate,
    kAddColumn,
    kSeal,
    kApply,
    kReopen,     // the update starts anew
    kLoseIndex,  // the update starts anew, its index gone
    kLagIndex,   // the same, its index as it was when it was last saved
    kSaveIndex,
    kCompact,  // another writer puts all rows into one file
    kEnd
  };
  Kind kind;
  int key, other, unsent;
};

void showValue(const Step& step, std::ostream& out) {  // NOLINT: RapidCheck's name
  static const char* const kNames[] = {"put",        "delete",    "move",       "truncate",
                                       "add column", "seal",      "apply",      "reopen",
                                       "lose index", "lag index", "save index", "compact"};
  out << kNames[static_cast<int>(step.kind)] << " " << step.key << " " << step.other << " "
      << step.unsent;
}

}  // namespace freshet::apply

template <>
struct rc::Arbitrary<freshet::apply::Step> {
  static Gen<freshet::apply::Step> arbitrary() {
    using Kind = freshet::apply::Step::Kind;
    return gen::build<freshet::apply::Step>(
        gen::set(&freshet::apply::Step::kind, gen::weightedElement<Kind>({{30, Kind::kPut},
                                                                          {8, Kind::kDelete},
                                                                          {8, Kind::kMove},
                                                                          {1, Kind::kTruncate},
                                                                          {1, Kind::kAddColumn},
                                                                          {8, Kind::kSeal},
                                                                          {6, Kind::kApply},
                                                                          {1, Kind::kReopen},
                                                                          {1, Kind::kLoseIndex},
                                                                          {1, Kind::kLagIndex},
                                                                          {1, Kind::kSaveIndex},
                                                                          {1, Kind::kCompact}})),
        gen::set(&freshet::apply::Step::key, gen::inRange(0, 12)),
        gen::set(&freshet::apply::Step::other, gen::inRange(0, 12)),
        gen::set(&freshet::apply::Step::unsent, gen::inRange(0, 4)));
  }
};

namespace freshet::apply {
namespace {

namespace fs = std::filesystem;
using fakes::ChangeRow;
using fakes::Row;
using fakes::Unsent;
using fakes::Value;
using record::Op;

fakes::Value Null() { return std::monostate{}; }

class Play {
 public:
  Play(bool keyless, size_t fold_bytes_max, size_t index_entries_max, int snapshot_after)
      : keyless_(keyless), snapshot_after_(snapshot_after) {
    world_.fold_bytes_max_ = fold_bytes_max;
    world_.index_entries_max_ = index_entries_max;
    world_.compaction_ = {
        .files_min = 3, .bytes_min = 0, .commits_min = 2, .unit_rows = 5, .ordered_rows_max = 40};
    world_.properties_["delta.enableChangeDataFeed"] = "true";
    world_.List(Shape());
    for (int64_t key = 0; key < 4; ++key) rows_.insert({key, {key, Text(), Text()}});
    applier_ = world_.Open();
    saved_ = world_.index_directory_.string() + "-saved";
  }
  ~Play() { fs::remove_all(saved_); }

  void Take(const Step& step) {
    if (taken_++ == snapshot_after_) BeginSnapshot();
    switch (step.kind) {
      case Step::Kind::kPut:
        return Put(step);
      case Step::Kind::kDelete:
        return Delete(step.key);
      case Step::Kind::kMove:
        return Move(step);
      case Step::Kind::kTruncate:
        rows_.clear();
        return world_.Truncate(++position_);
      case Step::Kind::kAddColumn:
        return AddColumn();
      case Step::Kind::kSeal:
        return Seal();
      case Step::Kind::kApply:
        return Apply();
      case Step::Kind::kReopen:
        applier_ = OpenAgain();
        return;
      case Step::Kind::kLoseIndex:
        applier_.reset();
        world_.ForgetIndex();
        applier_ = OpenAgain();
        return;
      case Step::Kind::kSaveIndex:
        fs::remove_all(saved_);
        if (fs::exists(world_.index_directory_)) {
          fs::copy(world_.index_directory_, saved_, fs::copy_options::recursive);
        }
        return;
      case Step::Kind::kLagIndex:
        return LagIndex();
      case Step::Kind::kCompact:
        return Compact();
      case Step::Kind::kEnd:
        return;
    }
  }

  void Finish() {
    if (taken_ <= snapshot_after_) BeginSnapshot();
    EndSnapshot();
    Seal();
    Apply();
    std::vector<std::string> wanted;
    for (const auto& [key, row] : rows_) wanted.push_back(TextOf(row));
    std::sort(wanted.begin(), wanted.end());
    RC_ASSERT(world_.Rows() == wanted);
    applier_ = OpenAgain();
    Apply();  // an update that starts looks for files to rewrite
    RC_ASSERT(world_.Rows() == wanted);
    int64_t version = world_.Version();
    applier_ = OpenAgain();
    Apply();
    RC_ASSERT(world_.Version() == version);
    const Status feed = CheckFeed(world_.table_);
    if (!feed.ok()) RC_LOG() << feed.ToString();
    RC_ASSERT(feed.ok());
  }

 private:
  std::unique_ptr<TableApplier> OpenAgain() {
    return world_.Open(delta::Table(world_.table_).Latest(nullptr).ok());
  }
  record::TableShape Shape() const {
    std::vector<fakes::Column> columns = {
        {"id", arrow::int64()}, {"note", arrow::utf8()}, {"big", arrow::utf8()}};
    for (int i = 0; i < added_; ++i) columns.push_back({fmt::format("c {}", i), arrow::utf8()});
    return fakes::MakeShape("100", "public", "t", columns, keyless_ ? 0 : 1);
  }
  std::string Text() { return fmt::format("v{}", keyless_ ? ++texts_ % 2 : ++texts_); }
  std::string TextOf(const Row& row) const {
    std::string text = std::to_string(std::get<int64_t>(row[0]));
    for (size_t i = 1; i < static_cast<size_t>(3 + added_); ++i) {
      const auto* value = i < row.size() ? std::get_if<std::string>(&row[i]) : nullptr;
      text += " " + (value != nullptr ? *value : "null");
    }
    return text;
  }
  /// Change the whole batch at one position: one source transaction.
  void Change(std::vector<ChangeRow> rows) {
    ++position_;
    for (size_t i = 0; i < rows.size(); ++i) {
      rows[i].sequence = StagedWorld::At(position_, i + 1);
      rows[i].row.resize(static_cast<size_t>(3 + added_), Null());
    }
    world_.Change(rows);
  }

  void Put(const Step& step) {
    Row row = {int64_t{step.key}, Text(), step.other % 3 == 0 ? Null() : Value(Text())};
    if (added_ > 0 && step.other % 2 == 0) row.push_back(Text());
    if (keyless_) {
      if (step.unsent == 0) return Replace(step.key, row);
      rows_.insert({step.key, row});
      return Change({{Op::kInsert, row, {}, 0}});
    }
    auto found = rows_.find(step.key);
    if (found == rows_.end()) {
      rows_.insert({step.key, row});
      return Change({{Op::kInsert, row, {}, 0}});
    }
    Row sent = row;
    Withhold(step.unsent, found->second, &row, &sent);
    found->second = row;
    Change({{Op::kUpdate, sent, {}, 0}});
  }
  /// Values not sent are the former row's.
  void Withhold(int unsent, const Row& former, Row* row, Row* sent) const {
    row->resize(static_cast<size_t>(3 + added_), Null());
    sent->resize(row->size(), Null());
    for (size_t column = 1; column < row->size(); ++column) {
      if (((unsent >> (column % 2)) & 1) == 0) continue;
      (*row)[column] = column < former.size() ? former[column] : Null();
      (*sent)[column] = Unsent{};
    }
  }
  void Replace(int64_t key, const Row& row) {
    auto found = rows_.find(key);
    if (found == rows_.end()) return;
    Row old = found->second;
    rows_.erase(found);
    rows_.insert({key, row});
    Change({{Op::kDelete, old, {}, 0}, {Op::kInsert, row, {}, 0}});
  }
  void Delete(int64_t key) {
    auto found = rows_.find(key);
    if (found == rows_.end()) return;
    Row old = keyless_ ? found->second : Row{key};
    rows_.erase(found);
    Change({{Op::kDelete, old, {}, 0}});
  }
  void Move(const Step& step) {
    auto found = rows_.find(step.key);
    if (keyless_ || found == rows_.end() || rows_.count(step.other) > 0) return;
    Row former = found->second;
    Row row = {int64_t{step.other}, Text(), Value(Text())};
    Row sent = row;
    Withhold(step.unsent, former, &row, &sent);
    rows_.erase(found);
    rows_.insert({step.other, row});
    Change({{Op::kDelete, {int64_t{step.key}}, {}, 0}, {Op::kInsert, sent, {}, 0}});
  }
  void AddColumn() {
    // While its snapshot is read, the gateway would begin it again.
    if (snapshot_ && !ended_) return;
    ++added_;
    world_.NoteShape(Shape(), StagedWorld::At(++position_));
  }

  void BeginSnapshot() {
    // Its position lies behind changes that are staged already, in this segment too.
    snapshot_ = std::vector<Row>();
    for (const auto& [key, row] : rows_) snapshot_->push_back(row);
    for (auto& row : *snapshot_) row.resize(static_cast<size_t>(3 + added_), Null());
    world_.Begin(1, ++position_);
  }
  void NextChunk() {
    if (!snapshot_ || ended_ || chunk_ >= 2) return;
    size_t middle = snapshot_->size() / 2;
    auto half = snapshot_->begin() + static_cast<std::ptrdiff_t>(middle);
    world_.Chunk(1, chunk_,
                 chunk_ == 0 ? std::vector<Row>(snapshot_->begin(), half)
                             : std::vector<Row>(half, snapshot_->end()));
    if (++chunk_ == 2) {
      world_.End(1);
      ended_ = true;
    }
  }
  void EndSnapshot() {
    NextChunk();
    NextChunk();
  }
  void Seal() {
    NextChunk();
    world_.Seal();
  }

  void Apply() {
    auto applied = world_.ApplyAll(applier_.get());
    if (!applied.ok()) RC_LOG() << applied.status().ToString();
    RC_ASSERT(applied.ok());
  }
  void LagIndex() {
    applier_.reset();
    world_.ForgetIndex();
    if (fs::exists(saved_)) {
      fs::copy(saved_, world_.index_directory_, fs::copy_options::recursive);
    }
    applier_ = OpenAgain();
  }
  void Compact() {
    delta::Table table(world_.table_);
    auto latest = table.Latest(nullptr);
    if (!latest.ok() || (*latest)->files.empty()) return;
    auto batches = ReadLiveRows(world_.table_, **latest).value();
    std::vector<std::string> names;
    std::vector<record::ColumnId> ids;
    arrow::FieldVector fields;
    for (const auto& column : (*latest)->columns) {
      names.push_back(column.physical);
      ids.push_back(column.id);
      fields.push_back(arrow::field(column.name, column.type));
    }
    auto encoder = std::move(parquet::Encoder::Make(arrow::schema(fields), names, ids)).value();
    for (auto batch = batches.rbegin(); batch != batches.rend(); ++batch) {
      RC_ASSERT(encoder->Write(*batch).ok());
    }
    auto file = std::move(encoder->Finish()).value();
    std::vector<delta::Action> actions;
    for (const auto& [path, add] : (*latest)->files) actions.emplace_back(RemoveOf(add, 0));
    delta::AddFile add;
    add.path = fmt::format("compacted-{}.parquet", ++compactions_);
    add.bytes = file.bytes->size();
    RC_ASSERT(world_.table_->Put(add.path, std::string_view(*file.bytes), store::If::kAbsent).ok());
    actions.emplace_back(std::move(add));
    delta::CommitInfo info;
    info.operation = "OPTIMIZE";
    info.txn_id = fmt::format("compaction {}", compactions_);
    RC_ASSERT(table.Commit(*latest, info, std::move(actions)).ok());
  }

  const bool keyless_;
  const int snapshot_after_;
  StagedWorld world_;
  fs::path saved_;
  std::unique_ptr<TableApplier> applier_;
  std::multimap<int64_t, Row> rows_;  // the model
  std::optional<std::vector<Row>> snapshot_;
  bool ended_ = false;
  int64_t chunk_ = 0;
  int added_ = 0, taken_ = 0, texts_ = 0, compactions_ = 0;
  uint64_t position_ = 1;
};

class ApplyPropertyTest : public ::testing::TestWithParam<bool> {};

TEST_P(ApplyPropertyTest, TheTableIsWhatTheChangesMakeOfTheSnapshot) {
  setenv("RC_PARAMS", "max_success=25 max_size=80", /*overwrite=*/0);
  const bool keyless = GetParam();
  bool held = rc::check([keyless](const std::vector<Step>& steps) {
    Play run(keyless, *rc::gen::element<size_t>(1u << 20, 3000u, 1000u),
             *rc::gen::element<size_t>(1000u, 3u), *rc::gen::inRange(0, 20));
    for (const auto& step : steps) run.Take(step);
    run.Finish();
  });
  EXPECT_TRUE(held);
}

INSTANTIATE_TEST_SUITE_P(KeyedAndKeyless, ApplyPropertyTest, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "keyless" : "keyed"; });

}  // namespace
}  // namespace freshet::apply
