// SPDX-License-Identifier: Apache-2.0
#include "base/secret.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <concepts>
#include <ostream>
#include <type_traits>

#include "base/ids.h"

namespace freshet {
namespace {

template <typename T>
concept Streams = requires(std::ostream& out, const T& value) {
  out << value;
};
template <typename T>
concept Compares = requires(const T& a, const T& b) {
  a == b;
};

static_assert(!Streams<Secret>);
static_assert(!Compares<Secret>);
static_assert(!fmt::is_formattable<Secret>::value);
static_assert(!std::is_convertible_v<Secret, std::string>);
static_assert(!std::is_convertible_v<std::string, Secret>);

TEST(Secret, IsRevealedOnlyWhenAsked) {
  EXPECT_TRUE(Secret().empty());
  Secret secret("hush");
  Secret copy = secret;
  EXPECT_FALSE(copy.empty());
  EXPECT_EQ(copy.Reveal(), "hush");
}

using RowId = StrongId<struct RowIdTag, int>;
using LineId = StrongId<struct LineIdTag, int>;
static_assert(!std::is_convertible_v<int, RowId>);
static_assert(!std::is_convertible_v<RowId, int>);
static_assert(!std::is_constructible_v<RowId, LineId>);

TEST(StrongId, ComparesAndHashesByValue) {
  EXPECT_LT(RowId(1), RowId(2));
  EXPECT_EQ(RowId(), RowId(0));
  EXPECT_EQ(std::hash<RowId>{}(RowId(5)), std::hash<int>{}(5));
}

}  // namespace
}  // namespace freshet
