// SPDX-License-Identifier: Apache-2.0
#include "pipeline/remote_holder.h"

#include <gtest/gtest.h>

namespace freshet::pipeline {
namespace {

TEST(Handles, AreJoinedAndSplit) {
  for (const std::set<std::string>& handles :
       {std::set<std::string>{}, std::set<std::string>{"a b=1"},
        std::set<std::string>{"a b=1", "c", "d e"}}) {
    EXPECT_EQ(SplitHandles(JoinHandles(handles)), handles);
  }
}

}  // namespace
}  // namespace freshet::pipeline
