// SPDX-License-Identifier: Apache-2.0
#include "store/scratch.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/random.h"

namespace freshet::store {
namespace {

namespace fs = std::filesystem;

class ScratchTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() / ("freshet-scratch-" + RandomHex(6));
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }
  static std::string All(const Scratch& scratch, const Scratch::Bytes& bytes) {
    std::string text(bytes.size, '\0');
    Status read = scratch.Read(bytes, 0, text);
    EXPECT_TRUE(read.ok()) << read.ToString();
    return text;
  }
  fs::path root_;
};

TEST_F(ScratchTest, StringsGrowSideBySide) {
  Scratch scratch(root_.string());
  Scratch::Bytes one, other;
  std::string one_text, other_text;
  for (int i = 0; i < 40; ++i) {
    std::string piece(static_cast<size_t>(i) * 3'001, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(scratch.Append(piece, i % 3 == 0 ? &other : &one).ok());
    (i % 3 == 0 ? other_text : one_text) += piece;
  }
  ASSERT_GT(one.blocks.size(), 2U);
  EXPECT_EQ(All(scratch, one), one_text);
  EXPECT_EQ(All(scratch, other), other_text);
  std::string middle(100'000, '\0');
  ASSERT_TRUE(scratch.Read(one, Scratch::kBlockBytes - 50'000, middle).ok());
  EXPECT_EQ(middle, one_text.substr(Scratch::kBlockBytes - 50'000, 100'000));
}

TEST_F(ScratchTest, FreedRoomIsUsedAgain) {
  Scratch scratch(root_.string());
  Scratch::Bytes kept, first, second;
  ASSERT_TRUE(scratch.Append("kept", &kept).ok());
  ASSERT_TRUE(scratch.Append(std::string(3 * Scratch::kBlockBytes, 'x'), &first).ok());
  auto room = first.blocks;
  scratch.Free(&first);
  EXPECT_EQ(first.size, 0U);
  ASSERT_TRUE(scratch.Append(std::string(3 * Scratch::kBlockBytes, 'y'), &second).ok());
  for (uint32_t block : second.blocks)
    EXPECT_NE(std::find(room.begin(), room.end(), block), room.end());
  EXPECT_EQ(All(scratch, kept), "kept");
  scratch.Free(&second);
  scratch.Free(&kept);
  ASSERT_TRUE(scratch.Append("again", &kept).ok());
  EXPECT_EQ(kept.blocks, std::vector<uint32_t>{0});
  EXPECT_EQ(All(scratch, kept), "again");
}

TEST_F(ScratchTest, LeavesNothingInItsFolder) {
  Scratch scratch(root_.string());
  EXPECT_TRUE(fs::is_empty(root_));
  Scratch::Bytes bytes;
  ASSERT_TRUE(scratch.Append("x", &bytes).ok());
  EXPECT_TRUE(fs::is_empty(root_));
}

TEST_F(ScratchTest, AFolderThatIsNotThere) {
  Scratch scratch((root_ / "gone").string());
  Scratch::Bytes bytes;
  Status status = scratch.Append("x", &bytes);
  EXPECT_TRUE(status.Is(ErrorClass::STORE_UNAVAILABLE)) << status.ToString();
  EXPECT_EQ(bytes.size, 0U);
}

}  // namespace
}  // namespace freshet::store
