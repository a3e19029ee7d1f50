// SPDX-License-Identifier: Apache-2.0
#include "pipeline/refresh.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delta/table.h"
#include "staging/wishes.h"
#include "staging/writer.h"
#include "store/memory_store.h"

namespace freshet::pipeline {
namespace {

using record::Generation;
using testing::ElementsAre;
using testing::IsEmpty;

/// One table that was ingested, and what is staged of it.
class RefreshTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = store::MakeMemoryStore();
    staging_ = store::Below(root_, "_freshet/staging");
    writer_ = std::move(staging::StagingWriter::Open(staging_, &clock_)).value();
    writer_->Note(staging::TableListed{.table = kTable, .name = kName});
    Generate(1, true);
    Land(1);
    book_ = std::make_unique<FlowBook>(std::move(FlowBook::Open(root_)).value());
    ASSERT_TRUE(book_->Claim(kFlow, kName, "public/orders").ok());
  }
  void Generate(int64_t number, bool ended) {
    staging::GenerationBegun begun;
    begun.flow = kFlow;
    begun.table = kTable;
    begun.generation = Generation(number);
    begun.first_segment = writer_->next();
    writer_->Note(begun);
    if (ended) writer_->Note(staging::GenerationEnded{kFlow, kTable, Generation(number)});
    Seal();
  }
  void Seal() { ASSERT_TRUE(writer_->Seal({"cursor"}, 1).ok()); }
  /// The table's readers see this generation.
  void Land(int64_t number) {
    delta::Table table(store::Below(root_, "public/orders"));
    auto base = table.Latest(nullptr);
    std::vector<delta::Action> actions{delta::Txn{"t100/generation", number, 1}};
    if (!base.ok()) {
      auto [protocol, metadata] = delta::Describe(delta::NewTable{}, 1);
      actions.insert(actions.begin(), {protocol, metadata});
    }
    ASSERT_TRUE(table.Commit(base.ok() ? *base : nullptr, {}, std::move(actions)).ok());
  }
  std::vector<std::string> Ask(const std::string& pattern) {
    auto patterns = ParsePatterns({pattern});
    auto asked = AskForRefresh(root_, *book_, record::PipelineId(kOnlyPipeline), *patterns);
    EXPECT_TRUE(asked.ok()) << asked.status().ToString();
    std::vector<std::string> texts;
    for (const auto& each : *asked) {
      texts.push_back(fmt::format("{} {} {}", each.table.ToString(), each.generation.value(),
                                  each.anew ? "anew" : "under way"));
    }
    return texts;
  }
  std::vector<staging::Wish> Wishes() { return staging::ListWishes(*staging_).value(); }

  const record::FlowId kFlow{"t100"};
  const record::TableId kTable{"100"};
  const record::TableName kName{"public", "orders"};
  SystemClock clock_;
  std::shared_ptr<store::FileStore> root_, staging_;
  std::unique_ptr<staging::StagingWriter> writer_;
  std::unique_ptr<FlowBook> book_;
};

TEST_F(RefreshTest, WishesTheNextGeneration) {
  EXPECT_THAT(Ask("public.other"), IsEmpty());
  EXPECT_THAT(Wishes(), IsEmpty());
  EXPECT_THAT(Ask("*"), ElementsAre("public.orders 2 anew"));
  EXPECT_THAT(Wishes(), ElementsAre(staging::Wish{kFlow, kTable, Generation(2)}));
}

TEST_F(RefreshTest, DoesNotAskForASecondWhileOneIsUnderWay) {
  ASSERT_THAT(Ask("public.*"), ElementsAre("public.orders 2 anew"));
  EXPECT_THAT(Ask("public.*"), ElementsAre("public.orders 2 under way")) << "wished";
  ASSERT_TRUE(staging::RemoveWish(*staging_, {kFlow, kTable, Generation(2)}).ok());
  Generate(2, false);
  EXPECT_THAT(Ask("public.*"), ElementsAre("public.orders 2 under way")) << "being read";
  writer_->Note(staging::GenerationEnded{kFlow, kTable, Generation(2)});
  Seal();
  EXPECT_THAT(Ask("public.*"), ElementsAre("public.orders 2 under way")) << "not in the table";
  EXPECT_THAT(Wishes(), IsEmpty());
  Land(2);
  EXPECT_THAT(Ask("public.*"), ElementsAre("public.orders 3 anew"));
}

TEST_F(RefreshTest, WaitsForTheSuccessorOfAnAbandonedOne) {
  writer_->Note(staging::GenerationAbandoned{kFlow, kTable, Generation(1), Generation(2), "why"});
  Seal();
  EXPECT_THAT(Ask("*"), ElementsAre("public.orders 2 under way"));
}

TEST_F(RefreshTest, AReadingOfColumnsAloneUnderTheWishedNumberIsNotWhatWasWished) {
  ASSERT_THAT(Ask("*"), ElementsAre("public.orders 2 anew"));
  staging::GenerationBegun fill;
  fill.flow = kFlow;
  fill.table = kTable;
  fill.generation = Generation(2);
  fill.first_segment = writer_->next();
  fill.columns = {record::ColumnId(2)};
  writer_->Note(fill);
  writer_->Note(staging::GenerationEnded{kFlow, kTable, Generation(2)});
  Seal();
  EXPECT_THAT(Ask("*"), ElementsAre("public.orders 2 under way"));
  EXPECT_THAT(Wishes(), ElementsAre(staging::Wish{kFlow, kTable, Generation(2)}));
}

TEST_F(RefreshTest, NothingIsStagedYet) {
  auto files = staging_->List("", "", 1000, true);
  ASSERT_TRUE(files.ok());
  for (const auto& file : *files) ASSERT_TRUE(staging_->Remove(file.path).ok());
  EXPECT_THAT(Ask("*"), IsEmpty());
}

TEST(UnmatchedPatternsTest, NamesThoseThatMatchNothing) {
  auto patterns = *ParsePatterns({"public.*", "other.t", "*.orders"});
  EXPECT_THAT(UnmatchedPatterns(patterns, {{"public", "orders"}}), ElementsAre("other.t"));
}

}  // namespace
}  // namespace freshet::pipeline
