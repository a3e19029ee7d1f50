// SPDX-License-Identifier: Apache-2.0
// What a source says of itself and of its tables.
#include "fixture.h"

namespace freshet::conformance {
namespace {

TEST_F(Conformance, DiscoveryListsAndDescribesTables) {
  Make("simple");
  Fill("simple", 1, 3);
  OpenSource();
  auto listing = Listing("simple");
  ASSERT_TRUE(listing.problem.ok()) << listing.problem.ToString();
  ASSERT_FALSE(listing.id.value().empty());
  EXPECT_LE(listing.id.value().size(), size_t{64});
  Shape shape = ShapeOf("simple");
  ASSERT_NE(shape, nullptr);
  EXPECT_TRUE(record::CheckShape(*shape).ok());
  EXPECT_EQ(shape->id, listing.id);
  EXPECT_EQ(shape->name, listing.name);
  EXPECT_EQ(shape->schema->ToString(), "id: int64\nv: string");
  EXPECT_EQ(shape->key, std::vector<int>{0});
  EXPECT_EQ(shape->source_types.size(), size_t{2});
  EXPECT_EQ(Snap()->Describe(listing.id)->schema->ToString(), shape->schema->ToString());
  // Another source on the same system knows it by the same id.
  OpenSource();
  EXPECT_EQ(Listing("simple").id, listing.id);
}

TEST_F(Conformance, ATableThatIsGoneIsNotFound) {
  Make("gone");
  Make("stays");
  OpenSource();
  auto id = Listing("gone").id;
  backend_->Commit({Drop{"gone"}});
  EXPECT_TRUE(Listing("gone").id.value().empty());
  EXPECT_FALSE(Listing("stays").id.value().empty());
  EXPECT_TRUE(source_->Describe(id).status().Is(ErrorClass::NOT_FOUND));
  EXPECT_TRUE(Snap()->Describe(id).status().Is(ErrorClass::NOT_FOUND));
}

TEST_F(Conformance, ATableCreatedAgainIsAnotherTable) {
  Make("again");
  OpenSource();
  auto before = Listing("again").id;
  backend_->Commit({Drop{"again"}});
  Make("again");
  EXPECT_NE(Listing("again").id, before);
}

TEST_F(Conformance, CheckFindsNothingWhereNothingIsWrong) {
  Make("simple");
  OpenSource();
  for (const auto& finding : source_->Check())
    EXPECT_FALSE(finding.fatal) << finding.problem.ToString();
}

TEST_F(Conformance, ATableThatCannotBeIngestedSaysWhyAndWhatToDo) {
  Make("simple");
  backend_->CreateTable("keyless", {{"id", facts_.long_type}}, /*keyed=*/false);
  OpenSource();
  // Or says why the log does not tell of it, where it can be read again and again.
  auto listing = Listing("keyless");
  auto problem = listing.problem.ok() ? listing.unlogged : listing.problem;
  ASSERT_TRUE(problem.Is(ErrorClass::TABLE_NO_IDENTITY)) << problem.ToString();
  EXPECT_FALSE(problem.remedy().empty());
  auto described = source_->Describe(listing.id);
  if (listing.problem.ok())
    EXPECT_TRUE(described.ok() && !described->logged);
  else
    EXPECT_TRUE(described.status().Is(ErrorClass::TABLE_NO_IDENTITY));
  int found = 0;
  for (const auto& finding : source_->Check()) {
    if (!finding.table) continue;
    EXPECT_EQ(*finding.table, (record::TableName{facts_.schema, "keyless"}));
    EXPECT_TRUE(finding.problem.Is(ErrorClass::TABLE_NO_IDENTITY));
    ++found;
  }
  EXPECT_EQ(found, 1);
  EXPECT_TRUE(Listing("simple").problem.ok());
}

TEST_F(Conformance, IdentityIsForGood) {
  Make("simple");
  OpenSource();
  auto traits = source_->traits();
  EXPECT_FALSE(traits.name.empty());
  EXPECT_FALSE(traits.identity.empty());
  Fill("simple", 1, 2);
  source_.reset();
  backend_->Restart();
  OpenSource();
  EXPECT_EQ(source_->traits().identity, traits.identity);
}

TEST_F(Conformance, ForgetMayBeRepeated) {
  Make("simple");
  OpenSource();
  OpenStream({"simple"});
  Fill("simple", 1, 1);
  Seen seen = Drain();
  ASSERT_FALSE(seen.commits.empty());
  ASSERT_TRUE(stream_->Acknowledge(seen.commits.back()).ok());
  stream_.reset();
  Status first = source_->Forget();
  EXPECT_TRUE(first.ok()) << first.ToString();
  Status second = source_->Forget();
  EXPECT_TRUE(second.ok()) << second.ToString();
}

}  // namespace
}  // namespace freshet::conformance
