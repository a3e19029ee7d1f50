// SPDX-License-Identifier: Apache-2.0
#include "apply/versions.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <optional>
#include <string>

#include "record/arrow_status.h"

namespace freshet::apply {
namespace {

using Row = KeyVersions::Row;

KeyState Live(UtcMicros at) { return {.live = true, .at = MomentOf(at)}; }
KeyState Deleted(UtcMicros at) { return {.at = MomentOf(at)}; }
KeyBefore OpenSince(UtcMicros at) { return {.open = true, .at = MomentOf(at)}; }

std::string TextOf(const Moment& moment) {
  return moment.empty() ? "…" : std::to_string(MicrosOf(moment));
}

/// `row` and its end, then each version by its state, start and end.
std::string TextOf(const KeyVersions& becomes) {
  std::string text = becomes.row == Row::kStays    ? "stays"
                     : becomes.row == Row::kCloses ? "closes " + TextOf(becomes.row_end)
                                                   : "goes";
  for (const auto& version : becomes.versions)
    text += fmt::format(", {}: {} {}", version.state, TextOf(version.start), TextOf(version.end));
  return text;
}

std::string ByCommits(const KeyBefore& before, const std::vector<KeyState>& states) {
  return TextOf(VersionsOf(VersionOrder::kCommits, before, states));
}
std::string BySequences(const KeyBefore& before, const std::vector<KeyState>& states) {
  return TextOf(VersionsOf(VersionOrder::kSequences, before, states));
}

TEST(VersionsTest, CommitsOpenAndClose) {
  EXPECT_EQ(ByCommits({}, {Live(5)}), "stays, 0: 5 …");
  EXPECT_EQ(ByCommits({}, {Deleted(5)}), "stays");
  EXPECT_EQ(ByCommits(OpenSince(3), {Live(5), Live(8)}), "closes 5, 0: 5 8, 1: 8 …");
  EXPECT_EQ(ByCommits(OpenSince(3), {Deleted(5), Live(9)}), "closes 5, 1: 9 …");
}

TEST(VersionsTest, TimesThatTieOrGoBackAreAMicrosecondApart) {
  EXPECT_EQ(ByCommits(OpenSince(5), {Live(5), Live(2), Deleted(6), Live(1)}),
            "closes 6, 0: 6 7, 1: 7 8, 3: 9 …");
  EXPECT_EQ(ByCommits({.at = MomentOf(7)}, {Live(7)}), "stays, 0: 8 …");
}

TEST(VersionsTest, WhatIsTheSameChangesNothing) {
  KeyState same = Live(6);
  same.same = true;
  EXPECT_EQ(ByCommits(OpenSince(5), {same}), "stays");
  EXPECT_EQ(ByCommits(OpenSince(5), {same, Live(9)}), "closes 9, 1: 9 …");
}

TEST(VersionsTest, ATransactionThatGoesOnTakesBackWhatItMade) {
  KeyState live = Live(5), deleted = Deleted(5);
  live.goes_on = deleted.goes_on = true;
  KeyBefore own = OpenSince(7);
  own.own = true;
  EXPECT_EQ(ByCommits(own, {live}), "goes, 0: 7 …");
  EXPECT_EQ(ByCommits(own, {deleted}), "goes");
  EXPECT_EQ(ByCommits(own, {live, Live(6)}), "goes, 0: 7 8, 1: 8 …");
  EXPECT_EQ(ByCommits({.own = true, .at = MomentOf(7)}, {live}), "stays, 0: 7 …");
  EXPECT_EQ(ByCommits(own, {Live(5)}), "closes 8, 0: 8 …");
}

TEST(VersionsTest, SequencesOrderAndReplace) {
  EXPECT_EQ(BySequences(OpenSince(5), {Live(4)}), "stays");
  EXPECT_EQ(BySequences(OpenSince(5), {Live(5)}), "goes, 0: 5 …");
  EXPECT_EQ(BySequences(OpenSince(5), {Live(7), Live(6), Live(7)}), "closes 7, 2: 7 …");
  EXPECT_EQ(BySequences(OpenSince(5), {Deleted(0)}), "closes 5");
  EXPECT_EQ(BySequences(OpenSince(5), {Live(8), Deleted(0), Live(1)}), "closes 8, 0: 8 8, 2: 1 …");
}

TEST(VersionsTest, MomentsAreInTheOrderOfTheirValues) {
  const bool held = rc::check([](int64_t a, int64_t b, const std::string& x, const std::string& y) {
    RC_ASSERT((MomentOf(a) < MomentOf(b)) == (a < b));
    RC_ASSERT(MicrosOf(MomentOf(a)) == a);
    arrow::StringBuilder builder;
    RC_ASSERT(builder.AppendValues(std::vector<std::string>{x, y, x + '\0' + y}).ok());
    auto values = builder.Finish().ValueOrDie();
    const auto moments = MomentsOf(*values, false);
    RC_ASSERT((moments[0] < moments[1]) == (x < y));
    RC_ASSERT(moments[0] < moments[2]);
    RC_ASSERT(ValuesOf(moments, arrow::utf8()).value()->Equals(*values));
  });
  EXPECT_TRUE(held);
}

/// What is left of a key once some of its states are versions.
KeyBefore After(const KeyBefore& before, const KeyVersions& becomes) {
  if (!becomes.versions.empty()) {
    const auto& last = becomes.versions.back();
    return {.open = last.end.empty(), .at = last.end.empty() ? last.start : last.end};
  }
  if (becomes.row == Row::kStays) return before;
  return {.open = false, .at = becomes.row_end};
}

/// Wherever commits cut the changes, the versions are the same.
TEST(VersionsTest, ACutChangesNothing) {
  const bool held = rc::check([](const std::vector<std::pair<bool, uint8_t>>& drawn, bool open) {
    for (auto order : {VersionOrder::kCommits, VersionOrder::kSequences}) {
      std::vector<KeyState> states;
      for (const auto& [live, at] : drawn) states.push_back(live ? Live(at) : Deleted(at));
      const KeyBefore before = open ? OpenSince(100) : KeyBefore{};
      const auto whole = VersionsOf(order, before, states);
      const size_t cut = drawn.size() / 2;
      const auto first = VersionsOf(order, before, std::span(states).first(cut));
      const auto second = VersionsOf(order, After(before, first), std::span(states).subspan(cut));
      std::vector<std::string> expected, found;
      auto add = [](const auto& versions, size_t base, std::vector<std::string>* texts) {
        for (const auto& version : versions)
          texts->push_back(fmt::format("{}: {} {}", base + version.state, TextOf(version.start),
                                       TextOf(version.end)));
      };
      add(whole.versions, 0, &expected);
      auto versions = first.versions;
      if (!versions.empty() && versions.back().end.empty() && second.row != Row::kStays) {
        versions.back().end = second.row_end;
        if (second.row == Row::kGoes) versions.pop_back();
      }
      add(versions, 0, &found);
      add(second.versions, cut, &found);
      RC_ASSERT(found == expected);
    }
  });
  EXPECT_TRUE(held);
}

}  // namespace
}  // namespace freshet::apply
