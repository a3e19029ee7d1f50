// SPDX-License-Identifier: Apache-2.0
#include "pipeline/exit_code.h"

#include <gtest/gtest.h>

namespace freshet::pipeline {
namespace {

TEST(ExitCodeTest, FollowsTheFamilyOfTheClass) {
  auto code = [](ErrorClass error_class) { return ExitCodeOf(Error(error_class, "x")); };
  EXPECT_EQ(ExitCodeOf(Status::Ok()), ExitCode::kOk);
  EXPECT_EQ(code(ErrorClass::INTERNAL), ExitCode::kInternal);
  EXPECT_EQ(code(ErrorClass::NO_TABLE_MATCHES), ExitCode::kUsage);
  EXPECT_EQ(code(ErrorClass::SOURCE_AUTH), ExitCode::kSource);
  EXPECT_EQ(code(ErrorClass::SLOT_LOST), ExitCode::kSource);
  EXPECT_EQ(code(ErrorClass::DESTINATION_FOREIGN), ExitCode::kDestination);
  EXPECT_EQ(code(ErrorClass::STORE_FULL), ExitCode::kDestination);
  EXPECT_EQ(code(ErrorClass::STAGING_CORRUPT), ExitCode::kDestination);
  EXPECT_EQ(code(ErrorClass::TABLE_NO_IDENTITY), ExitCode::kTables);
  EXPECT_EQ(code(ErrorClass::TABLE_FOREIGN), ExitCode::kDestination);
  EXPECT_EQ(code(ErrorClass::CANCELLED), ExitCode::kInterrupted);
}

}  // namespace
}  // namespace freshet::pipeline
