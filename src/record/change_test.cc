// SPDX-License-Identifier: Apache-2.0
#include "record/change.h"

#include <arrow/builder.h>
#include <arrow/table_builder.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "record/arrow_status.h"

namespace freshet::record {
namespace {

/// Two columns, three rows: an insert, an update that did not send column 1, a delete.
Result<std::shared_ptr<arrow::RecordBatch>> ThreeChanges() {
  auto columns =
      arrow::schema({arrow::field("id", arrow::int64()), arrow::field("note", arrow::utf8())});
  FRESHET_TRY(auto builder, arrow::RecordBatchBuilder::Make(ChangeSchema(*columns),
                                                            arrow::default_memory_pool()));
  auto* id = builder->GetFieldAs<arrow::Int64Builder>(0);
  auto* note = builder->GetFieldAs<arrow::StringBuilder>(1);
  auto* op = builder->GetFieldAs<arrow::Int8Builder>(2);
  auto* sequence = builder->GetFieldAs<arrow::FixedSizeBinaryBuilder>(3);
  auto* committed_at = builder->GetFieldAs<arrow::TimestampBuilder>(4);
  auto* missing = builder->GetFieldAs<arrow::BinaryBuilder>(5);
  FRESHET_CHECK_OK(id->AppendValues({1, 1, 1}));
  FRESHET_CHECK_OK(note->Append("a"));
  FRESHET_CHECK_OK(note->AppendNulls(2));
  for (int8_t row = 0; row < 3; ++row) {
    FRESHET_CHECK_OK(op->Append(row));
    Sequence at = Sequence::Of(1, 100, static_cast<uint64_t>(row) + 1);
    FRESHET_CHECK_OK(sequence->Append(at.view()));
    FRESHET_CHECK_OK(committed_at->Append(5'000 + row));
  }
  FRESHET_CHECK_OK(missing->AppendNull());
  FRESHET_CHECK_OK(missing->Append(std::string(1, '\x02')));
  FRESHET_CHECK_OK(missing->AppendNull());
  FRESHET_TRY(auto rows, builder->Flush());
  return rows;
}

TEST(ChangeSchema, IsTheColumnsAndFourMore) {
  auto columns = arrow::schema({arrow::field("id", arrow::int64())});
  auto schema = ChangeSchema(*columns);
  ASSERT_EQ(schema->num_fields(), 5);
  EXPECT_EQ(schema->field(0)->name(), "id");
  EXPECT_EQ(schema->field(1)->name(), kOpColumn);
  EXPECT_EQ(schema->field(2)->name(), kSequenceColumn);
  EXPECT_EQ(schema->field(3)->name(), kCommittedAtColumn);
  EXPECT_EQ(schema->field(4)->name(), kMissingColumn);
  for (int i = 1; i < 5; ++i) EXPECT_TRUE(schema->field(i)->name().starts_with(kReservedPrefix));
  EXPECT_FALSE(schema->field(1)->nullable());
  EXPECT_TRUE(schema->field(4)->nullable());
}

TEST(ChangeView, ReadsTheFourColumns) {
  auto rows = ThreeChanges();
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  ChangeView view(*rows);
  ASSERT_EQ(view.size(), 3);
  EXPECT_EQ(view.width(), 2);
  EXPECT_EQ(view.op(0), Op::kInsert);
  EXPECT_EQ(view.op(1), Op::kUpdate);
  EXPECT_EQ(view.op(2), Op::kDelete);
  EXPECT_EQ(view.sequence(1), Sequence::Of(1, 100, 2));
  EXPECT_EQ(view.committed_at(2), 5'002);
}

TEST(ChangeView, MissingIsABitmapOverTheColumns) {
  auto rows = ThreeChanges();
  ASSERT_TRUE(rows.ok());
  ChangeView view(*rows);
  EXPECT_FALSE(view.has_missing(0));
  EXPECT_FALSE(view.missing(0, 1));
  EXPECT_TRUE(view.has_missing(1));
  EXPECT_FALSE(view.missing(1, 0));
  EXPECT_TRUE(view.missing(1, 1));
  EXPECT_FALSE(view.missing(1, 9)) << "beyond the bitmap everything was sent";
}

TEST(ChangeViewDeathTest, AnotherFormIsOurOwnMistake) {
  auto rows = ThreeChanges();
  ASSERT_TRUE(rows.ok());
  auto cut = (*rows)->RemoveColumn(5).ValueOrDie();
  EXPECT_DEATH(ChangeView view(cut), "broken rule");
}

TEST(ArrowStatus, OnlyInputAndOutputErrorsAreTheStores) {
  EXPECT_TRUE(FromArrow(arrow::Status::OK()).ok());
  EXPECT_TRUE(FromArrow(arrow::Status::IOError("disk")).Is(ErrorClass::STORE_UNAVAILABLE));
  EXPECT_TRUE(FromArrow(arrow::Status::Invalid("bad")).Is(ErrorClass::INTERNAL));
  auto take = []() -> Result<int> {
    FRESHET_TRY(int value, arrow::Result<int>(arrow::Status::Invalid("no value")));
    return value;
  };
  EXPECT_NE(take().status().message().find("no value"), std::string::npos);
}

}  // namespace
}  // namespace freshet::record
