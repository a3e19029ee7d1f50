// SPDX-License-Identifier: Apache-2.0
#include "delta/deletion_vector.h"

#include <gtest/gtest.h>

#include "delta/z85.h"
#include "store/memory_store.h"

namespace freshet::delta {
namespace {

DeletionVector Of(const std::vector<uint64_t>& rows) {
  DeletionVector vector;
  for (uint64_t row : rows) vector.Add(row);
  return vector;
}
/// Scattered rows that don't compress to an inline vector.
DeletionVector Scattered(uint64_t count) {
  DeletionVector vector;
  for (uint64_t i = 0; i < count; ++i) vector.Add(i * 977 % 100003);
  return vector;
}

TEST(Z85, EncodesTheSpecificationsExample) {
  const std::string bytes = "\x86\x4F\xD2\x6F\xB5\x59\xF7\x5B";
  EXPECT_EQ(EncodeZ85(bytes), "HelloWorld");
  EXPECT_EQ(DecodeZ85("HelloWorld"), bytes);
  EXPECT_FALSE(DecodeZ85("Hello\"orld"));
  EXPECT_FALSE(DecodeZ85("#####"));
}

TEST(DeletionVector, SetOperations) {
  const auto a = Of({1, 2, 5'000'000'000}), b = Of({2, 3});
  EXPECT_TRUE(a.Contains(5'000'000'000));
  EXPECT_FALSE(a.Contains(3));
  EXPECT_EQ(a.Minus(b), (std::vector<uint64_t>{1, 5'000'000'000}));
  auto both = a;
  both.Union(b);
  EXPECT_EQ(both.cardinality(), 4);
  EXPECT_EQ(a.cardinality(), 3);
  EXPECT_TRUE(both.Covers(a));
  EXPECT_FALSE(a.Covers(both));
  EXPECT_TRUE(a.Covers(DeletionVector()));
}

TEST(DeletionVector, ManyShareAFileAndSmallOnesAreInline) {
  auto store = store::MakeMemoryStore();
  const std::vector<DeletionVector> vectors = {Scattered(1000), Of({7}), Scattered(3000),
                                               Of({1, 5'000'000'000})};
  auto descriptors = DeletionVector::Write(*store, vectors);
  ASSERT_TRUE(descriptors.ok()) << descriptors.status().ToString();
  EXPECT_EQ((*descriptors)[0].storage, 'u');
  EXPECT_EQ((*descriptors)[0].offset, 1);
  EXPECT_EQ((*descriptors)[1].storage, 'i');
  EXPECT_EQ((*descriptors)[2].path_or_inline, (*descriptors)[0].path_or_inline);
  EXPECT_EQ((*descriptors)[2].offset, 1 + 4 + (*descriptors)[0].bytes + 4);
  EXPECT_EQ(store->List("", "", 10)->size(), 1U);
  for (size_t i = 0; i < vectors.size(); ++i) {
    auto back = DeletionVector::Load(*store, (*descriptors)[i]);
    ASSERT_TRUE(back.ok()) << back.status().ToString();
    EXPECT_EQ(back->cardinality(), vectors[i].cardinality());
    EXPECT_TRUE(back->Covers(vectors[i]));
  }
  ASSERT_TRUE(DeletionVector::Write(*store, {Of({7})}).ok());
  EXPECT_EQ(store->List("", "", 10)->size(), 1U) << "no file for inline vectors alone";
}

/// The two examples of the protocol's page: an inline vector, and a stored one's derived path.
TEST(DeletionVector, ReadsTheProtocolsExample) {
  auto store = store::MakeMemoryStore();
  DeletionVectorDescriptor descriptor{
      'i', "^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", std::nullopt, 44, 6};
  auto vector = DeletionVector::Load(*store, descriptor);
  ASSERT_TRUE(vector.ok()) << vector.status().ToString();
  EXPECT_TRUE(vector->Covers(Of({3, 4, 7, 11, 18, 29})));
  DeletionVectorDescriptor stored{'u', "ab^-aqEH.-t@S}K{vb[*k^", 4, 40, 6};
  auto absent = DeletionVector::Load(*store, stored);
  EXPECT_TRUE(absent.status().Is(ErrorClass::NOT_FOUND));
  EXPECT_NE(absent.status().ToString().find(
                "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin"),
            std::string::npos)
      << absent.status().ToString();
}

TEST(DeletionVector, DamageIsNoticed) {
  auto store = store::MakeMemoryStore();
  auto descriptors = DeletionVector::Write(*store, {Scattered(1000)});
  ASSERT_TRUE(descriptors.ok());
  const auto good = (*descriptors)[0];
  const std::string path = store->List("", "", 1)->front().path;
  const std::string bytes = **store->Get(path, 0, -1);
  auto load = [&](const std::string& content, const DeletionVectorDescriptor& descriptor) {
    EXPECT_TRUE(store->Put(path, content, store::If::kAlways).ok());
    return DeletionVector::Load(*store, descriptor).status();
  };
  EXPECT_TRUE(load(bytes, good).ok());
  for (size_t at : {size_t{2}, size_t{6}, size_t{100}, bytes.size() - 1}) {
    std::string bad = bytes;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_TRUE(load(bad, good).Is(ErrorClass::DELTA_CORRUPT)) << at;
  }
  EXPECT_TRUE(load(bytes.substr(0, bytes.size() - 1), good).Is(ErrorClass::DELTA_CORRUPT));
  auto other = good;
  other.cardinality = 999;
  EXPECT_TRUE(load(bytes, other).Is(ErrorClass::DELTA_CORRUPT));
  other = good;
  other.storage = 'p';
  EXPECT_TRUE(load(bytes, other).Is(ErrorClass::DELTA_UNSUPPORTED));
}

}  // namespace
}  // namespace freshet::delta
