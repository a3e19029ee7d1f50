// SPDX-License-Identifier: Apache-2.0
#include "apply/compaction.h"

#include <arrow/array/array_primitive.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "apply/applied_table_test.h"
#include "apply/key_hash.h"
#include "delta/stats.h"
#include "parquet/reader.h"

namespace freshet::apply {
namespace {

class CompactionTest : public AppliedTableTest {
 protected:
  using State = std::shared_ptr<const delta::Snapshot>;

  State Latest() { return table_.Latest(nullptr).value(); }
  static std::vector<delta::AddFile> FilesOf(const State& state) {
    std::vector<delta::AddFile> files;
    for (const auto& [path, file] : state->files) files.push_back(file);
    return files;
  }
  Compaction Of(const State& state, std::vector<delta::AddFile> files,
                const CompactionRules& rules = {}) {
    auto mark = TableMark::Of(state->metadata.configuration).value();
    return Compaction(world_.table_, TableForm::Of(*state, *mark).value(), state, std::move(files),
                      0, rules);
  }
  /// What the table is once the compaction is committed on its newest version.
  State Commit(Compaction* compaction) {
    auto latest = Latest();
    auto actions = compaction->ActionsOn(*latest).value();
    EXPECT_TRUE(actions.has_value());
    delta::CommitInfo info;
    info.operation = "OPTIMIZE";
    return table_.Commit(latest, info, actions.value()).value();
  }
  /// The entries say of each row of the one new file where it lies.
  void ExpectEntriesOf(Compaction* compaction) {
    std::map<KeyHash, uint32_t> places;
    for (const auto& entry : compaction->TakeEntries()) places[entry.key] = entry.address.row;
    const auto ids = IdColumn(compaction->outputs().at(0).path);
    const auto keys = HashKeys({ids}, ids->length());
    EXPECT_EQ(places.size(), keys.size());
    for (uint32_t row = 0; row < keys.size(); ++row) EXPECT_EQ(places.at(keys[row]), row);
  }
  std::shared_ptr<arrow::Array> IdColumn(const std::string& path) {
    auto reader = parquet::Reader::Open(world_.table_, path).value();
    return reader->Read(0, {arrow::field("id", arrow::int64())}).value()->column(0);
  }
  /// As they lie in a file of one row group.
  std::vector<int64_t> IdsOf(const std::string& path) {
    const auto ids = std::static_pointer_cast<arrow::Int64Array>(IdColumn(path));
    return {ids->raw_values(), ids->raw_values() + ids->length()};
  }

  delta::Table table_{world_.table_};
};

/// Every commit looks for files to rewrite, whatever their size.
CompactionRules Eager() { return {.files_min = 4, .bytes_min = 0, .commits_min = 1}; }

TEST_F(CompactionTest, SmallFilesBecomeOneAndTheIndexFollows) {
  Snapshot();
  world_.compaction_ = Eager();
  auto applier = world_.Open();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  size_t most = 0;
  for (uint64_t i = 0; i < 12; ++i) {
    world_.Change({Change(Op::kInsert, {static_cast<int64_t>(10 + i), "x", "X"}, 11 + i)});
    world_.Seal();
    ASSERT_EQ(Settle(applier.get()), Applied::State::kCurrent);
    most = std::max(most, Latest()->files.size());
  }
  EXPECT_LE(most, 7u) << "two classes of size";
  auto positions = applier->Current().value();
  EXPECT_EQ(positions.changes, world_.sealed_);
  EXPECT_EQ(world_.Rows().size(), 14u);
  auto mark = world_.index_->Version(record::FlowId(world_.flow_.id.value() + "/1")).value();
  ASSERT_TRUE(mark.has_value());
  EXPECT_EQ(mark->version, world_.Version()) << "the index went along: nothing is read again";
  world_.Change({Change(Op::kUpdate, {10, "first", Unsent{}}, 40),
                 Change(Op::kDelete, {1, Null(), Null()}, 40, 2),
                 Change(Op::kUpdate, {21, "last", Unsent{}}, 40, 3)});
  world_.Seal();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  auto rows = world_.Rows();
  EXPECT_EQ(rows.size(), 13u);
  EXPECT_EQ(std::count(rows.begin(), rows.end(), "10 first X"), 1);
  EXPECT_EQ(std::count(rows.begin(), rows.end(), "21 last X"), 1);
}

TEST_F(CompactionTest, AFileWithManyDeadRowsIsRewrittenAndNothingIsDoneTwice) {
  world_.compaction_ = {.files_min = 100, .bytes_min = 0, .commits_min = 1};
  world_.List(Shape());
  world_.Begin(1, 10);
  std::vector<fakes::Row> rows;
  for (int64_t i = 0; i < 20; ++i) rows.push_back({i, "a", "A"});
  world_.Chunk(1, 0, rows);
  world_.End(1);
  world_.Change({Change(Op::kDelete, {3, Null(), Null()}, 11)});
  world_.Seal();
  auto applier = world_.Open();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  auto one = Latest();
  EXPECT_TRUE(one->files.begin()->second.deletion_vector.has_value())
      << "one in twenty is no matter";
  world_.Change({Change(Op::kDelete, {4, Null(), Null()}, 12)});
  world_.Seal();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  one = Latest();
  EXPECT_TRUE(one->files.begin()->second.deletion_vector.has_value())
      << "two are, but not while change follows change";
  world_.clock_.Advance(world_.compaction_.rest_min);
  world_.Change({Change(Op::kDelete, {5, Null(), Null()}, 13)});
  world_.Seal();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  auto two = Latest();
  ASSERT_EQ(two->files.size(), 1u);
  EXPECT_FALSE(two->files.begin()->second.deletion_vector.has_value());
  EXPECT_EQ(delta::RowsOf(two->files.begin()->second.stats_json), 17);
  EXPECT_TRUE(world_.table_->Stat(one->files.begin()->first).ok()) << "readers may still need it";
  auto log = world_.table_->Get(fmt::format("_delta_log/{:020}.json", two->version), 0, -1).value();
  EXPECT_EQ(log->find("\"dataChange\":true"), std::string::npos);
  EXPECT_EQ(log->find("\"txn\""), std::string::npos);
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  EXPECT_EQ(world_.Version(), two->version);
}

TEST_F(CompactionTest, RowsThatDieWhileFilesAreRewrittenAreDeadInTheNewOnes) {
  world_.List(Shape());
  world_.Begin(1, 10);
  world_.Chunk(1, 0, {{0, "a", "A"}, {1, "a", "A"}, {2, "a", "A"}, {3, "a", "A"}, {4, "a", "A"}});
  world_.Chunk(1, 1, {{5, "b", "B"}, {6, "b", "B"}, {7, "b", "B"}});
  world_.End(1);
  world_.Change({Change(Op::kDelete, {1, Null(), Null()}, 11),
                 Change(Op::kDelete, {3, Null(), Null()}, 11, 2)});
  world_.Seal();
  auto applier = world_.Open();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  auto read = Latest();
  auto files = FilesOf(read);
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) {
    return a.deletion_vector.has_value() > b.deletion_vector.has_value();
  });
  ASSERT_EQ(files.size(), 2u);
  auto compaction = Of(read, files);
  ASSERT_TRUE(compaction.Run({}).ok());
  EXPECT_EQ(compaction.rows(), 6);

  world_.Change({Change(Op::kDelete, {2, Null(), Null()}, 12),
                 Change(Op::kDelete, {7, Null(), Null()}, 12, 2),
                 Change(Op::kUpdate, {4, "new", Unsent{}}, 12, 3)});
  world_.Seal();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  auto latest = Latest();
  auto after = Commit(&compaction);
  EXPECT_EQ(world_.Rows(), (Lines{"0 a A", "4 new A", "5 b B", "6 b B"}));
  EXPECT_EQ(after->files.size(), 2u);
  // The applier finds everything in its new place, the index being behind.
  world_.Change({Change(Op::kUpdate, {6, "six", Unsent{}}, 13),
                 Change(Op::kDelete, {0, Null(), Null()}, 13, 2)});
  world_.Seal();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  EXPECT_EQ(world_.Rows(), (Lines{"4 new A", "5 b B", "6 six B"}));
  // What is gone, or came back, is not rewritten.
  EXPECT_FALSE(compaction.ActionsOn(*Latest()).value().has_value());
  auto late = Of(latest, {latest->files.at(files[0].path)});
  ASSERT_TRUE(late.Run({}).ok());
  EXPECT_FALSE(late.ActionsOn(*read).value().has_value());
}

TEST_F(CompactionTest, RowsAreRewrittenInTheOrderOfTheirKeyAcrossFiles) {
  world_.List(Shape());
  world_.Begin(1, 10);
  world_.Chunk(1, 0, {{8, "a", "A"}, {2, "a", "A"}, {9, "dead", "A"}, {5, "a", "A"}});
  world_.Chunk(1, 1, {{7, "b", "B"}, {1, "b", "B"}, {6, "b", "B"}});
  world_.End(1);
  world_.Change({Change(Op::kDelete, {9, Null(), Null()}, 11)});
  world_.Seal();
  auto applier = world_.Open();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  auto read = Latest();
  auto files = FilesOf(read);
  auto compaction = Of(read, files);
  ASSERT_TRUE(compaction.Run({}).ok());
  ASSERT_EQ(compaction.outputs().size(), 1u);
  const auto& written = compaction.outputs()[0].path;
  EXPECT_EQ(IdsOf(written), (std::vector<int64_t>{1, 2, 5, 6, 7, 8}));

  world_.Change({Change(Op::kDelete, {5, Null(), Null()}, 12),
                 Change(Op::kUpdate, {7, "seven", Unsent{}}, 12, 2)});
  world_.Seal();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  Commit(&compaction);
  EXPECT_EQ(world_.Rows(), (Lines{"1 b B", "2 a A", "6 b B", "7 seven B", "8 a A"}));
  ExpectEntriesOf(&compaction);
}

TEST_F(CompactionTest, UnitsOfRowsFollowEachOtherAndWhatIsBeyondMemoryStaysAsItLay) {
  world_.List(Shape());
  world_.Begin(1, 10);
  world_.Chunk(1, 0, {{8, "a", "A"}, {2, "a", "A"}, {5, "a", "A"}});
  world_.Chunk(1, 1, {{7, "b", "B"}, {1, "b", "B"}, {6, "b", "B"}});
  world_.Chunk(1, 2, {{9, "c", "C"}, {4, "c", "C"}, {3, "c", "C"}});
  world_.Chunk(1, 3, {{12, "d", "D"}, {11, "d", "D"}, {10, "d", "D"}});
  world_.End(1);
  world_.Seal();
  auto applier = world_.Open();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  auto read = Latest();
  auto files = FilesOf(read);
  std::ranges::sort(files, {}, [](const delta::AddFile& file) { return file.stats_json; });
  auto compaction = Of(read, files, {.unit_rows = 2, .ordered_rows_max = 6});
  ASSERT_TRUE(compaction.Run({}).ok());
  ASSERT_EQ(compaction.outputs().size(), 1u);
  const auto written = IdsOf(compaction.outputs()[0].path);
  ASSERT_EQ(written.size(), 12u);
  int ordered = 0;
  for (size_t first = 0; first < 12; first += 3)
    ordered += std::is_sorted(written.begin() + first, written.begin() + first + 3) ? 1 : 0;
  EXPECT_EQ(ordered, 2) << "the first six rows, three by three";

  std::vector<ChangeRow> deaths;
  for (int64_t id = 2; id <= 12; id += 2)
    deaths.push_back(Change(Op::kDelete, {id, Null(), Null()}, 11, static_cast<uint64_t>(id)));
  world_.Change(deaths);
  world_.Seal();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  Commit(&compaction);
  EXPECT_EQ(world_.Rows(), (Lines{"1 b B", "11 d D", "3 c C", "5 a A", "7 b B", "9 c C"}));
  ExpectEntriesOf(&compaction);
}

TEST_F(CompactionTest, AVectorOfRowsThatAFileDoesNotHaveIsCorrupt) {
  Snapshot();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  auto read = Latest();
  auto file = read->files.begin()->second;
  auto compaction = Of(read, {file});
  ASSERT_TRUE(compaction.Run({}).ok());
  delta::DeletionVector strange;
  strange.Add(7);
  auto latest = *read;
  file.deletion_vector = delta::DeletionVector::Write(*world_.table_, {strange}).value().at(0);
  latest.files.insert_or_assign(file.path, file);
  EXPECT_TRUE(compaction.ActionsOn(latest).status().Is(ErrorClass::DELTA_CORRUPT));
}

}  // namespace
}  // namespace freshet::apply
