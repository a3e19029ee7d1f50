// SPDX-License-Identifier: Apache-2.0
#include "api/base64.h"

#include <gtest/gtest.h>

namespace freshet::api {
namespace {

// Source: RFC 4648, 10.
TEST(Base64, IsThePublishedOne) {
  EXPECT_EQ(ToBase64(""), "");
  EXPECT_EQ(ToBase64("f"), "Zg==");
  EXPECT_EQ(ToBase64("fo"), "Zm8=");
  EXPECT_EQ(ToBase64("foobar"), "Zm9vYmFy");
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(FromBase64(ToBase64(bytes)), bytes);
    bytes += static_cast<char>(i * 7);
  }
  EXPECT_EQ(FromBase64("Zm8"), "fo");
  for (const auto* text : {"%%%", "Zg==x", "a b", "===="}) EXPECT_FALSE(FromBase64(text)) << text;
}

}  // namespace
}  // namespace freshet::api
