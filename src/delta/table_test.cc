// SPDX-License-Identifier: Apache-2.0
#include "delta/table.h"

#include <gtest/gtest.h>

#include <functional>

#include "delta/action_json.h"
#include "delta/checkpoint.h"
#include "delta/log.h"
#include "store/memory_store.h"

namespace freshet::delta {
namespace {

using Store = std::shared_ptr<store::FileStore>;
using State = std::shared_ptr<const Snapshot>;

/// A store whose Put can be made to answer wrongly.
class FaultyStore final : public store::FileStore {
 public:
  explicit FaultyStore(Store inner) : inner_(std::move(inner)) {}
  /// Asked before each Put of this path's kind: returns the answer to give instead, and may do the
  /// Put itself.
  std::function<std::optional<Status>(const std::function<Status()>& put)> on_put;
  int lists = 0;

  using store::FileStore::Put;
  Status Put(std::string_view path, std::span<const std::string_view> pieces,
             store::If condition) override {
    auto real = [&] { return inner_->Put(path, pieces, condition); };
    if (auto fault = on_put) {
      if (auto answer = fault(real)) return *answer;
    }
    return real();
  }
  Result<std::shared_ptr<const std::string>> Get(std::string_view path, int64_t offset,
                                                 int64_t length) override {
    return inner_->Get(path, offset, length);
  }
  Result<store::FileInfo> Stat(std::string_view path) override { return inner_->Stat(path); }
  Result<std::vector<store::FileInfo>> List(std::string_view folder, std::string_view after,
                                            int limit, bool recursive) override {
    ++lists;
    return inner_->List(folder, after, limit, recursive);
  }
  Status Copy(std::string_view from, std::string_view to) override {
    return inner_->Copy(from, to);
  }
  Status Remove(std::string_view path) override { return inner_->Remove(path); }

 private:
  Store inner_;
};

std::vector<Action> Created(const std::map<std::string, std::string>& properties = {}) {
  Column column;
  column.name = column.physical = "id";
  column.id = record::ColumnId(1);
  column.type = arrow::int64();
  auto [protocol, metadata] = Describe({{column}, properties, false}, 1000);
  return {protocol, metadata};
}
AddFile Add(const std::string& path) {
  AddFile add;
  add.path = path;
  add.bytes = 10;
  add.stats_json = R"({"numRecords":1})";
  return add;
}
RemoveFile RemovalOf(const AddFile& add, int64_t at_ms) {
  RemoveFile remove;
  remove.path = add.path;
  remove.deleted_at_ms = at_ms;
  remove.bytes = add.bytes;
  remove.deletion_vector = add.deletion_vector;
  return remove;
}
CommitInfo Info() {
  CommitInfo info;
  info.at_ms = 1;
  info.operation = "WRITE";
  info.engine = "test";
  return info;
}

State Must(Result<State> result) {
  EXPECT_TRUE(result.ok()) << result.status().ToString();
  return result.ok() ? *result : nullptr;
}
bool Same(const Snapshot& a, const Snapshot& b) {
  return a.version == b.version && a.protocol == b.protocol && a.metadata == b.metadata &&
         a.files == b.files && a.tombstones == b.tombstones && a.txns == b.txns &&
         a.domains == b.domains;
}
/// Put raw lines as a commit of somebody else's.
void PutLines(store::FileStore& store, int64_t version, const std::string& lines) {
  ASSERT_TRUE(store.Put(CommitPath(version), lines, store::If::kAbsent).ok());
}

TEST(Table, CommitsAreReadBackAsTheyWereReturned) {
  auto store = store::MakeMemoryStore();
  Table table(store);
  EXPECT_TRUE(table.Latest(nullptr).status().Is(ErrorClass::NOT_FOUND));
  auto actions = Created({{"freshet.flow", "f"}});
  actions.push_back(Txn{"f/changes", 0, 5});
  auto v0 = Must(table.Commit(nullptr, Info(), actions));
  EXPECT_EQ(v0->columns.size(), 1U);
  EXPECT_TRUE(v0->deletion_vectors_enabled());
  auto v1 = Must(table.Commit(v0, Info(), {Add("a"), Add("b"), Txn{"f/changes", 7, 6}}));
  auto with_vector = Add("a");
  with_vector.deletion_vector = DeletionVectorDescriptor{'i', "00000", std::nullopt, 4, 1};
  // The new vector's add stands before the removal of the old one: order within a commit means
  // nothing.
  auto v2 = Must(
      table.Commit(v1, Info(), {with_vector, RemovalOf(Add("a"), 100), RemovalOf(Add("b"), 100)}));
  EXPECT_EQ(v2->files.size(), 1U);
  EXPECT_TRUE(v2->files.at("a").deletion_vector.has_value());
  EXPECT_EQ(v2->tombstones.size(), 2U);
  EXPECT_EQ(v2->txns.at("f/changes").version, 7);
  EXPECT_TRUE(Same(*v2, *Must(table.Latest(nullptr))));
  EXPECT_TRUE(Same(*v2, *Must(table.Latest(v0))));
  EXPECT_EQ(Must(table.Latest(v2)), v2);
  EXPECT_TRUE(Same(*v1, *Must(table.At(1))));
  EXPECT_TRUE(table.At(3).status().Is(ErrorClass::NOT_FOUND));
  auto first = ReadCommit(*store, 2);
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(std::holds_alternative<CommitInfo>(first->front()));
}

TEST(Table, OneOfThreeWritersWins) {
  auto store = store::MakeMemoryStore();
  Table a(store), b(store), c(store);
  auto v0 = Must(a.Commit(nullptr, Info(), Created()));
  EXPECT_TRUE(b.Commit(nullptr, Info(), Created()).status().Is(ErrorClass::DELTA_CONFLICT));
  auto won = Must(b.Commit(v0, Info(), {Add("b")}));
  EXPECT_TRUE(a.Commit(v0, Info(), {Add("a")}).status().Is(ErrorClass::DELTA_CONFLICT));
  EXPECT_TRUE(c.Commit(v0, Info(), {Add("c")}).status().Is(ErrorClass::DELTA_CONFLICT));
  auto again = Must(a.Commit(Must(a.Latest(v0)), Info(), {Add("a")}));
  EXPECT_EQ(again->version, 2);
  EXPECT_EQ(again->files.size(), 2U);
  EXPECT_EQ(won->files.size(), 1U);
}

TEST(Table, UnknownOutcomesAreResolvedByReading) {
  auto inner = store::MakeMemoryStore();
  auto faulty = std::make_shared<FaultyStore>(inner);
  Table table(faulty);
  auto v0 = Must(table.Commit(nullptr, Info(), Created()));
  auto lost_answer = Error(ErrorClass::STORE_UNAVAILABLE, "no answer").OutcomeUnknown();
  // It was written, the answer was lost.
  faulty->on_put = [&](const auto& put) {
    EXPECT_TRUE(put().ok());
    return std::optional(lost_answer);
  };
  auto v1 = Must(table.Commit(v0, Info(), {Add("a")}));
  EXPECT_EQ(v1->version, 1);
  // It was not written: the second try is.
  int tries = 0;
  faulty->on_put = [&](const auto&) {
    return ++tries == 1 ? std::optional(lost_answer) : std::nullopt;
  };
  auto v2 = Must(table.Commit(v1, Info(), {Add("b")}));
  EXPECT_EQ(tries, 2);
  // Someone else wrote it while our request was lost.
  faulty->on_put = [&](const auto&) {
    faulty->on_put = nullptr;
    EXPECT_TRUE(Table(inner).Commit(v2, Info(), {Add("theirs")}).ok());
    return std::optional(lost_answer);
  };
  EXPECT_TRUE(table.Commit(v2, Info(), {Add("c")}).status().Is(ErrorClass::DELTA_CONFLICT));
  // The store stays away: still unknown.
  auto v3 = Must(table.Latest(v2));
  faulty->on_put = [&](const auto&) { return std::optional(lost_answer); };
  auto failed = table.Commit(v3, Info(), {Add("d")}).status();
  EXPECT_TRUE(failed.Is(ErrorClass::STORE_UNAVAILABLE) && failed.outcome_unknown())
      << failed.ToString();
  // A doubled request: the first was carried out, and the second is told that the name is taken.
  faulty->on_put = [&](const auto& put) {
    EXPECT_TRUE(put().ok());
    return std::optional(put());
  };
  EXPECT_EQ(Must(table.Commit(v3, Info(), {Add("e")}))->version, 4);
}

TEST(Table, CheckpointHoldsTheWholeState) {
  auto store = store::MakeMemoryStore();
  Table table(store);
  auto actions = Created({{"k", "v"}});
  actions.push_back(DomainMetadata{"d", "{}", false});
  auto state = Must(table.Commit(nullptr, Info(), actions));
  for (int i = 0; i < 5; ++i) {
    auto add = Add(fmt::format("file {}", i));
    add.tags = {{"t", "1"}};
    auto gone = Add(fmt::format("gone {}", i));
    add.deletion_vector = DeletionVectorDescriptor{'u', "ab^-aqEH.-t@S}K{vb[*k^", 4, 40, i};
    state = Must(table.Commit(state, Info(), {add, gone, Txn{"app", i, 7}}));
    state = Must(table.Commit(state, Info(), {RemovalOf(gone, 1000 + i)}));
  }
  ASSERT_TRUE(table.Checkpoint(*state).ok());
  ASSERT_TRUE(table.Checkpoint(*state).ok()) << "again is fine";
  for (int64_t version = 0; version < state->version; ++version)
    ASSERT_TRUE(store->Remove(CommitPath(version)).ok());
  auto back = Must(table.Latest(nullptr));
  ASSERT_NE(back, nullptr);
  EXPECT_TRUE(Same(*state, *back));
  EXPECT_EQ(back->checkpoint_version, state->version);
  EXPECT_TRUE(table.At(3).status().Is(ErrorClass::NOT_FOUND));
  EXPECT_TRUE(Same(*state, *Must(table.At(state->version))));
  auto next = Must(table.Commit(back, Info(), {Add("next")}));
  // Without the hint, with a damaged one, and from a state whose own commit is gone, the same is
  // found.
  EXPECT_TRUE(Same(*next, *Must(table.Latest(back))));
  ASSERT_TRUE(store->Put(kLastCheckpoint, "{torn", store::If::kAlways).ok());
  EXPECT_TRUE(Same(*next, *Must(table.Latest(nullptr))));
  ASSERT_TRUE(store->Remove(kLastCheckpoint).ok());
  EXPECT_TRUE(Same(*next, *Must(table.Latest(nullptr))));
}

TEST(Table, ADamagedCheckpointCostsTimeOnly) {
  auto store = store::MakeMemoryStore();
  Table table(store);
  auto state = Must(table.Commit(nullptr, Info(), Created()));
  state = Must(table.Commit(state, Info(), {Add("a")}));
  ASSERT_TRUE(store->Put(CheckpointPath(1), "PAR1 torn", store::If::kAbsent).ok());
  ASSERT_TRUE(store->Put(kLastCheckpoint, R"({"version":1,"size":3})", store::If::kAlways).ok());
  EXPECT_TRUE(Same(*state, *Must(table.Latest(nullptr))));
  ASSERT_TRUE(store->Remove(CommitPath(0)).ok());
  EXPECT_TRUE(table.Latest(nullptr).status().Is(ErrorClass::DELTA_CORRUPT));
}

TEST(Table, GapsAndTornLinesAreRefused) {
  auto store = store::MakeMemoryStore();
  Table table(store);
  auto v0 = Must(table.Commit(nullptr, Info(), Created()));
  PutLines(*store, 2, ToJson(Add("b")) + "\n");
  EXPECT_TRUE(table.Latest(nullptr).status().Is(ErrorClass::DELTA_CORRUPT));
  PutLines(*store, 1, ToJson(Add("a")) + "\n" + R"({"add":{"path":"torn.par)");
  auto torn = table.Latest(nullptr).status();
  EXPECT_TRUE(table.Latest(v0).status().Is(ErrorClass::DELTA_CORRUPT));
  EXPECT_TRUE(torn.Is(ErrorClass::DELTA_CORRUPT));
  EXPECT_NE(torn.ToString().find(CommitPath(1)), std::string::npos) << torn.ToString();
}

TEST(Table, ACommitOfOursThatLostALineIsRefused) {
  auto store = store::MakeMemoryStore();
  Table table(store);
  Must(table.Commit(nullptr, Info(), Created()));
  const auto text = **store->Get(CommitPath(0), 0, -1);
  auto cut = [&](size_t bytes) {
    EXPECT_TRUE(
        store->Put(CommitPath(0), std::string_view(text).substr(0, bytes), store::If::kAlways)
            .ok());
    return Table(store).Latest(nullptr).status();
  };
  for (size_t end = 0; end + 1 < text.size(); end = text.find('\n', end) + 1)
    EXPECT_TRUE(cut(end).Is(ErrorClass::DELTA_CORRUPT)) << end;
  EXPECT_TRUE(cut(text.size() - 1).ok()) << "all of it but the last line's end";
}

TEST(Table, ATableThatWasReplacedIsReadAnew) {
  auto store = store::MakeMemoryStore();
  Table table(store);
  auto old = Must(table.Commit(nullptr, Info(), Created()));
  for (int i = 0; i < 3; ++i) old = Must(table.Commit(old, Info(), {Add("x" + std::to_string(i))}));
  for (int64_t version = 0; version <= 3; ++version)
    ASSERT_TRUE(store->Remove(CommitPath(version)).ok());
  EXPECT_TRUE(table.Latest(old).status().Is(ErrorClass::NOT_FOUND));
  auto fresh = Must(table.Commit(nullptr, Info(), Created()));
  EXPECT_TRUE(Same(*fresh, *Must(table.Latest(old))));
}

TEST(Table, ALongLogIsNotListedToLearnThatNothingIsNew) {
  auto store = std::make_shared<FaultyStore>(store::MakeMemoryStore());
  Table table(store);
  auto state = Must(table.Commit(nullptr, Info(), Created()));
  for (int i = 0; i < 3; ++i) {
    state = Must(table.Commit(state, Info(), {Add("x" + std::to_string(i))}));
    EXPECT_EQ(Must(table.Latest(state)), state);
  }
  EXPECT_EQ(store->lists, 0);
  Table other(store);
  auto theirs = Must(other.Commit(Must(other.Latest(nullptr)), Info(), {Add("y")}));
  EXPECT_TRUE(Same(*Must(table.Latest(state)), *theirs));
  // Others went on, wrote a checkpoint and clean the log up, in no order.
  auto cleaned = Must(other.Commit(theirs, Info(), {Add("z")}));
  ASSERT_TRUE(other.Checkpoint(*cleaned).ok());
  ASSERT_TRUE(store->Remove(CommitPath(theirs->version)).ok());
  EXPECT_TRUE(Same(*Must(table.Latest(state)), *cleaned));
}

TEST(Table, ExpiredTombstonesAreForgotten) {
  auto store = store::MakeMemoryStore();
  Table table(store);
  const auto properties =
      std::map<std::string, std::string>{{"delta.deletedFileRetentionDuration", "interval 2 days"}};
  auto state = Must(table.Commit(nullptr, Info(), Created(properties)));
  state = Must(table.Commit(state, Info(), {Add("old"), Add("young"), Add("new")}));
  constexpr int64_t kDay = 86'400'000;
  state = Must(table.Commit(state, Info(),
                            {RemovalOf(Add("old"), kDay), RemovalOf(Add("young"), 2 * kDay)}));
  EXPECT_EQ(state->tombstones.size(), 2U);
  state = Must(table.Commit(state, Info(), {RemovalOf(Add("new"), 3 * kDay + 1)}));
  EXPECT_EQ(state->tombstones.size(), 2U);
  EXPECT_FALSE(state->tombstones.contains("old#"));
}

TEST(Table, APlanThatContradictsTheTableIsNotCommitted) {
  auto store = store::MakeMemoryStore();
  Table table(store);
  auto state = Must(table.Commit(nullptr, Info(), Created()));
  state = Must(table.Commit(state, Info(), {Add("a")}));
  auto marked = Add("a");
  marked.deletion_vector = DeletionVectorDescriptor{'i', "00000", std::nullopt, 4, 1};
  const std::vector<std::vector<Action>> plans = {{RemovalOf(Add("absent"), 1)},
                                                  {RemovalOf(marked, 1)},
                                                  {RemovalOf(Add("a"), 1), RemovalOf(Add("a"), 1)},
                                                  {marked},
                                                  {Add("b"), Add("b")}};
  for (const auto& plan : plans) {
    EXPECT_TRUE(table.Commit(state, Info(), plan).status().Is(ErrorClass::INTERNAL));
  }
  EXPECT_EQ(Must(table.Latest(nullptr))->version, 1);
}

TEST(Table, UnknownFeaturesAreRefused) {
  auto with = [](const std::function<void(Protocol*, Metadata*)>& change) {
    auto store = store::MakeMemoryStore();
    auto actions = Created();
    change(&std::get<Protocol>(actions[0]), &std::get<Metadata>(actions[1]));
    PutLines(*store, 0, ToJson(actions[0]) + "\n" + ToJson(actions[1]) + "\n");
    return store;
  };
  auto reader = with([](Protocol* protocol, Metadata*) {
    protocol->reader_features.insert("notYetInvented");
    protocol->writer_features.insert("notYetInvented");
  });
  EXPECT_TRUE(Table(reader).Latest(nullptr).status().Is(ErrorClass::DELTA_UNSUPPORTED));
  const auto variants = [](Protocol* protocol, Metadata*) {
    protocol->reader_features.insert("variantType");
    protocol->writer_features.insert("variantType");
  };
  EXPECT_TRUE(Table(with(variants)).Latest(nullptr).ok()) << "listed, but no column is one";
  auto used = with([&](Protocol* protocol, Metadata* metadata) {
    variants(protocol, metadata);
    const std::string type = R"("type":"long")";
    metadata->schema_json.replace(metadata->schema_json.find(type), type.size(),
                                  R"("type":"variant")");
  });
  EXPECT_TRUE(Table(used).Latest(nullptr).status().Is(ErrorClass::DELTA_UNSUPPORTED));
  auto by_id = with([](Protocol*, Metadata* metadata) {
    metadata->configuration["delta.columnMapping.mode"] = "id";
  });
  EXPECT_TRUE(Table(by_id).Latest(nullptr).status().Is(ErrorClass::DELTA_UNSUPPORTED));

  const std::vector<std::function<void(Protocol*, Metadata*)>> unwritable = {
      [](Protocol* protocol, Metadata*) { protocol->writer_features.insert("icebergCompatV2"); },
      [](Protocol* protocol, Metadata*) { protocol->min_writer = 8; },
      [](Protocol*, Metadata* metadata) {
        metadata->configuration["delta.constraints.positive"] = "id > 0";
      },
      [](Protocol*, Metadata* metadata) {
        metadata->schema_json =
            R"({"type":"struct","fields":[{"name":"id","type":"long","nullable":true,"metadata":{"delta.generationExpression":"1"}}]})";
      },
      [](Protocol*, Metadata* metadata) { metadata->partition_columns = {"id"}; },
      [](Protocol*, Metadata* metadata) {
        metadata->configuration["delta.enableIcebergCompatV2"] = "true";
      },
  };
  for (const auto& change : unwritable) {
    Table table(with(change));
    auto state = Must(table.Latest(nullptr));
    EXPECT_TRUE(table.Commit(state, Info(), {Add("a")}).status().Is(ErrorClass::DELTA_UNSUPPORTED));
  }
  Table append_only(with(
      [](Protocol*, Metadata* metadata) { metadata->configuration["delta.appendOnly"] = "true"; }));
  auto state = Must(append_only.Commit(Must(append_only.Latest(nullptr)), Info(), {Add("a")}));
  EXPECT_TRUE(append_only.Commit(state, Info(), {RemovalOf(Add("a"), 1)})
                  .status()
                  .Is(ErrorClass::DELTA_UNSUPPORTED));
}

TEST(Table, AProtocolOneTableIsReadButTakesNoVectors) {
  auto store = store::MakeMemoryStore();
  auto actions = Created();
  std::get<Metadata>(actions[1]).configuration.clear();
  PutLines(*store, 0,
           R"({"protocol":{"minReaderVersion":1,"minWriterVersion":2}})"
           "\n" +
               ToJson(actions[1]));
  Table table(store);
  auto state = Must(table.Commit(Must(table.Latest(nullptr)), Info(), {Add("a")}));
  auto marked = Add("a");
  marked.deletion_vector = DeletionVectorDescriptor{'i', "00000", std::nullopt, 4, 1};
  EXPECT_TRUE(table.Commit(state, Info(), {RemovalOf(Add("a"), 1), marked})
                  .status()
                  .Is(ErrorClass::DELTA_UNSUPPORTED));
}

/// A V2 checkpoint as another engine writes it: UUID-named JSON with the file actions in a sidecar.
TEST(Table, ReadsAV2CheckpointWithSidecars) {
  auto store = store::MakeMemoryStore();
  Table table(store);
  auto actions = Created();
  auto& protocol = std::get<Protocol>(actions[0]);
  protocol.reader_features.insert("v2Checkpoint");
  protocol.writer_features.insert("v2Checkpoint");
  auto state = Must(table.Commit(nullptr, Info(), actions));
  state = Must(table.Commit(state, Info(), {Add("a"), Add("b"), Txn{"app", 3, {}}}));
  state = Must(table.Commit(state, Info(), {RemovalOf(Add("b"), 9)}));
  Snapshot files_only = *state;
  files_only.txns.clear();
  auto sidecar = EncodeCheckpoint(files_only);
  ASSERT_TRUE(sidecar.ok());
  ASSERT_TRUE(store
                  ->Put("_delta_log/_sidecars/s 1.parquet", sidecar->file.bytes->ToString(),
                        store::If::kAbsent)
                  .ok());
  ASSERT_TRUE(
      store
          ->Put("_delta_log/"
                "00000000000000000002.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json",
                R"({"checkpointMetadata":{"version":2}})"
                "\n" +
                    ToJson(actions[0]) + "\n" + ToJson(actions[1]) + "\n" +
                    ToJson(Txn{"app", 3, {}}) + "\n" +
                    R"({"sidecar":{"path":"s%201.parquet","sizeInBytes":1,"modificationTime":1}})",
                store::If::kAbsent)
          .ok());
  for (int64_t version = 0; version < 2; ++version)
    ASSERT_TRUE(store->Remove(CommitPath(version)).ok());
  auto back = Must(table.Latest(nullptr));
  ASSERT_NE(back, nullptr);
  EXPECT_EQ(back->files.size(), 1U);
  EXPECT_EQ(back->tombstones.size(), 1U);
  EXPECT_EQ(back->txns.at("app").version, 3);
  EXPECT_EQ(back->checkpoint_version, 2);
  // Our own checkpoint of such a table is a V2 one under the classic name.
  ASSERT_TRUE(table.Checkpoint(*back).ok());
  EXPECT_TRUE(Same(*back, *Must(table.Latest(nullptr))));
}

TEST(Table, MultiPartCheckpointsCountOnlyWhole) {
  auto store = store::MakeMemoryStore();
  Table table(store);
  auto state = Must(table.Commit(nullptr, Info(), Created()));
  state = Must(table.Commit(state, Info(), {Add("a")}));
  Snapshot first = *state, second = *state;
  first.files.clear();
  auto part = [&](int number, const Snapshot& content) {
    auto encoded = EncodeCheckpoint(content);
    ASSERT_TRUE(encoded.ok());
    ASSERT_TRUE(
        store
            ->Put(fmt::format("_delta_log/{:020}.checkpoint.{:010}.0000000002.parquet", 1, number),
                  encoded->file.bytes->ToString(), store::If::kAbsent)
            .ok());
  };
  part(1, first);
  EXPECT_EQ(Must(table.Latest(nullptr))->checkpoint_version, -1);
  part(2, second);
  ASSERT_TRUE(store->Remove(CommitPath(0)).ok());
  auto back = Must(table.Latest(nullptr));
  EXPECT_EQ(back->checkpoint_version, 1);
  EXPECT_TRUE(Same(*state, *back));
}

}  // namespace
}  // namespace freshet::delta
