// SPDX-License-Identifier: Apache-2.0
// Values that read otherwise than they did, though no change tells of it and Delta's types are the
// same.
#include "capture/gateway_world_test.h"

namespace freshet::capture {
namespace {

class ImprintTest : public GatewayTest {
 protected:
  void SetUp() override {
    GatewayTest::SetUp();
    Show({.readings = {{"2", "json"}}, .columns = {{"2", "a1"}}, .files = {{"1", "f1"}}});
    Wish("1", 1);
    RunWell();
  }
  /// The table shows this imprint, and `more` columns, from now on.
  void Show(record::Imprint imprint, std::vector<fakes::Column> more = {}) {
    auto shape = Shape("1", std::move(more));
    shape.imprint = std::move(imprint);
    source_.AlterQuietly(shape);
  }
  bool IsReadAgain() {
    const auto before = events_.Count("refresh_needed");
    RunWell();
    const bool again = events_.Count("refresh_needed") > before;
    // What was found is remembered: the next run has nothing to do.
    const auto sealed = Manifests().size();
    RunWell();
    EXPECT_EQ(Manifests().size(), sealed);
    return again;
  }
};

TEST_F(ImprintTest, AnotherReadingIsReadAgain) {
  EXPECT_EQ(State().tables.at(TableId("1")).imprint->readings.at("2"), "json");
  Show({.readings = {{"2", "jsonb"}}, .columns = {{"2", "a1"}}, .files = {{"1", "f1"}}});
  EXPECT_TRUE(IsReadAgain());
  EXPECT_EQ(events_.Last("refresh_needed", "class"), "SHAPE_CHANGE_UNSUPPORTED");
  EXPECT_EQ(State().tables.at(TableId("1")).imprint->readings.at("2"), "jsonb");
  EXPECT_TRUE(State().tables.at(TableId("1")).generations.at(kFlow).ended);
}

TEST_F(ImprintTest, AReadingThatComesOrGoesSaysNothing) {
  Show({.readings = {{"label 7", "sad"}}, .columns = {{"2", "a1"}}, .files = {{"1", "f1"}}});
  EXPECT_FALSE(IsReadAgain());
}

TEST_F(ImprintTest, OnlyAnAlteredColumnAndAnotherFileTogetherAreReadAgain) {
  Show({.readings = {{"2", "json"}}, .columns = {{"2", "a2"}}, .files = {{"1", "f1"}}});
  EXPECT_FALSE(IsReadAgain());
  Show({.readings = {{"2", "json"}}, .columns = {{"2", "a2"}}, .files = {{"1", "f2"}}});
  EXPECT_FALSE(IsReadAgain()) << "the column was altered before";
  Show({.readings = {{"2", "json"}}, .columns = {{"2", "a3"}}, .files = {{"1", "f3"}}});
  EXPECT_TRUE(IsReadAgain());
}

/// By a source that reads no columns alone: the table is read again.
TEST_F(ImprintTest, AnAddedColumnWithAnotherFileMayHoldSomething) {
  Show({.readings = {{"2", "json"}}, .columns = {{"2", "a1"}}, .files = {{"1", "f1"}}},
       {{"n", arrow::int64()}});
  EXPECT_FALSE(IsReadAgain());
  EXPECT_TRUE(Entries<staging::ShapeNoted>().back().unfilled.empty());
  Show({.readings = {{"2", "json"}}, .columns = {{"2", "a1"}}, .files = {{"1", "f2"}}},
       {{"n", arrow::int64()}, {"o", arrow::int64()}});
  EXPECT_TRUE(IsReadAgain()) << "what filled it wrote all rows anew";
}

TEST_F(ImprintTest, AStagingWithoutOneTakesWhatThereIs) {
  source_.Create(Shape("2"));
  Wish("2", 1);
  RunWell();
  EXPECT_FALSE(State().tables.at(TableId("2")).imprint.has_value());
  auto shape = Shape("2");
  shape.imprint = record::Imprint{.readings = {{"2", "jsonb"}}, .columns = {}, .files = {}};
  source_.AlterQuietly(shape);
  EXPECT_FALSE(IsReadAgain());
  EXPECT_TRUE(State().tables.at(TableId("2")).imprint.has_value());
}

}  // namespace
}  // namespace freshet::capture
