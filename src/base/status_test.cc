// SPDX-License-Identifier: Apache-2.0
#include "base/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace freshet {
namespace {

std::vector<ErrorClass> AllClasses() {
  return {
#define ERROR_CLASS(name, code, retry, meaning, remedy) ErrorClass::name,
#include "base/error_classes.def"
#undef ERROR_CLASS
  };
}

TEST(Status, OkSaysNothing) {
  Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.code(), Code::kOk);
  EXPECT_EQ(status.ToString(), "OK");
  EXPECT_EQ(status.message(), "");
  EXPECT_EQ(status.remedy(), "");
  EXPECT_FALSE(status.Is(ErrorClass::INTERNAL));
}

TEST(Status, AnErrorTakesCodeAndRetryFromItsClass) {
  Status status = Error(ErrorClass::SLOT_LOST, "the slot is gone: {}", "s1");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_EQ(status.retry(), Retry::kAfterReset);
  EXPECT_TRUE(status.Is(ErrorClass::SLOT_LOST));
  EXPECT_EQ(status.message(), "the slot is gone: s1");
  EXPECT_EQ(status.ToString(), "SLOT_LOST: the slot is gone: s1");
}

TEST(Status, BracesInAPlainMessageAreText) {
  EXPECT_EQ(Error(ErrorClass::INTERNAL, "left {} as it is").message(), "left {} as it is");
}

TEST(Status, ContextIsAddedAndTheCauseStays) {
  Status cause = Error(ErrorClass::NOT_FOUND, "no such file");
  Status status = Status(cause).With("table", "public.orders").With("file", "x.parquet");
  EXPECT_EQ(status.ToString(), "NOT_FOUND: no such file (table: public.orders, file: x.parquet)");
  EXPECT_EQ(status.message(), "no such file");
  EXPECT_EQ(cause.ToString(), "NOT_FOUND: no such file") << "a copy shares nothing that changes";
}

TEST(Status, AnOwnRemedyGoesBeforeTheClassOne) {
  Status status = Error(ErrorClass::SOURCE_PRIVILEGE, "may not read");
  EXPECT_EQ(status.remedy(), RemedyOf(ErrorClass::SOURCE_PRIVILEGE));
  status = std::move(status).WithRemedy("GRANT SELECT ON t TO u;");
  EXPECT_EQ(status.remedy(), "GRANT SELECT ON t TO u;");
}

TEST(Status, AnUnknownOutcomeKeepsItsClass) {
  Status status = Error(ErrorClass::STORE_UNAVAILABLE, "timed out").OutcomeUnknown();
  EXPECT_TRUE(status.outcome_unknown());
  EXPECT_TRUE(status.Is(ErrorClass::STORE_UNAVAILABLE));
  EXPECT_EQ(status.retry(), Retry::kBackoff);
}

TEST(Status, AdditionsToOkAreNoOps) {
  EXPECT_TRUE(Status().With("a", "b").ok());
  EXPECT_TRUE(Status().WithRemedy("x").ok());
  EXPECT_TRUE(Status().OutcomeUnknown().ok());
}

TEST(ErrorClass, EveryNameIsUniqueAndFindsItsClass) {
  std::set<std::string_view> names;
  for (ErrorClass error_class : AllClasses()) {
    EXPECT_TRUE(names.insert(NameOf(error_class)).second) << NameOf(error_class);
    EXPECT_EQ(ErrorClassOf(NameOf(error_class)), error_class);
    EXPECT_FALSE(RemedyOf(error_class).empty()) << NameOf(error_class);
  }
  EXPECT_EQ(ErrorClassOf("NO_SUCH_CLASS"), std::nullopt);
}

Result<int> Half(int value) {
  if (value % 2 != 0) return Error(ErrorClass::INVALID_ARGUMENT, "odd: {}", value);
  return value / 2;
}

Result<int> Quarter(int value) {
  FRESHET_TRY(int half, Half(value));
  FRESHET_TRY(half, Half(half));
  return half;
}

Status CheckQuarter(int value) {
  FRESHET_CHECK_OK(Quarter(value));
  return Status::Ok();
}

TEST(Result, TryPassesValuesAndErrors) {
  ASSERT_TRUE(Quarter(8).ok());
  EXPECT_EQ(Quarter(8).value(), 2);
  EXPECT_EQ(Quarter(6).status().ToString(), "INVALID_ARGUMENT: odd: 3");
  EXPECT_TRUE(CheckQuarter(4).ok());
  EXPECT_EQ(CheckQuarter(5).ToString(), "INVALID_ARGUMENT: odd: 5");
}

TEST(Result, HoldsWhatCannotBeCopied) {
  auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(7); };
  auto result = make();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(**result, 7);
  std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 7);
}

TEST(Result, AStatusIsNeverTakenForAValue) {
  Result<std::string> result = Error(ErrorClass::NOT_FOUND, "gone");
  EXPECT_FALSE(result.ok());
  EXPECT_TRUE(result.status().Is(ErrorClass::NOT_FOUND));
  EXPECT_TRUE(Result<std::string>("text").status().ok());
}

TEST(AssertDeathTest, ABrokenRuleStopsTheProcess) {
  EXPECT_DEATH(FRESHET_ASSERT(1 + 1 == 3, "with {}", "detail"), "1 \\+ 1 == 3.*with detail");
}

}  // namespace
}  // namespace freshet
