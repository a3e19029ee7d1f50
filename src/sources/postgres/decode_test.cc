// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/decode.h"

#include <arrow/scalar.h>
#include <gtest/gtest.h>

namespace freshet::sources::postgres {
namespace {

std::string Element(std::string_view bytes) {
  auto size = static_cast<uint32_t>(bytes.size());
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(size >> shift & 0xFF);
  return out.append(bytes);
}

ColumnType ArrayOf(ColumnType element) {
  ColumnType type{.kind = Kind::kArray, .as_text = true};
  type.children.push_back(std::move(element));
  return type;
}

ColumnType Pair() {
  ColumnType type{.kind = Kind::kStruct, .as_text = true};
  type.children = {{.kind = Kind::kInt32}, {.kind = Kind::kText}};
  type.names = {"x", "y"};
  return type;
}

/// What one text becomes; "bad" when it is refused.
std::string Decoded(const ColumnType& type, std::string_view text, int64_t* nulled = nullptr) {
  ColumnDecoder decoder(type);
  EXPECT_TRUE(decoder.Reserve(1).ok());
  if (!decoder.AppendText(text)) return "bad";
  auto array = decoder.Finish();
  EXPECT_TRUE(array.ok() && (*array)->ValidateFull().ok());
  if (nulled != nullptr) *nulled = decoder.values_nulled();
  return (*array)->GetScalar(0).ValueOrDie()->ToString();
}

TEST(DecodeTest, ArraysOfSeveralDimensions) {
  auto grid = ArrayOf(ArrayOf({.kind = Kind::kInt32}));
  EXPECT_EQ(Decoded(grid, "{{1,NULL},{3,4}}"), Decoded(grid, "[0:1][5:6]={{1,NULL},{3,4}}"));
  EXPECT_EQ(Decoded(grid, "{}"), "list<item: list<item: int32>>[]");
  for (const char* other : {"{1,2}", "{{{1}}}"}) {
    int64_t nulled = 0;
    EXPECT_EQ(Decoded(grid, other, &nulled), "null") << other;
    EXPECT_EQ(nulled, 1) << other;
  }
  for (const char* bad : {"", "{", "{{", "{{1}", "{{1}}x", "{{1},2}", "{{1}{2}}", "{{1},}", "[0:1"})
    EXPECT_EQ(Decoded(grid, bad), "bad") << bad;
}

TEST(DecodeTest, FieldsOfComposites) {
  EXPECT_EQ(Decoded(Pair(), "(1,\"a \"\"b\"\" \\\\ c\")"),
            "{x:int32 = 1, y:string = a \"b\" \\ c}");
  EXPECT_EQ(Decoded(Pair(), "(,)"), "{x:int32 = null, y:string = null}");
  EXPECT_EQ(Decoded(Pair(), "(,\"\")"), "{x:int32 = null, y:string = }");
  for (const char* bad :
       {"", "(", "()", "(1)", "(1,a", "(1,a,b)", "(1,\"a)", "(1,\"a\"b)", "(a,b)"})
    EXPECT_EQ(Decoded(Pair(), bad), "bad") << bad;
}

TEST(DecodeTest, Maps) {
  ColumnType map{.kind = Kind::kMap, .as_text = true};
  ColumnDecoder decoder(map);
  ASSERT_TRUE(decoder.Reserve(3).ok());
  EXPECT_TRUE(decoder.AppendText(""));
  EXPECT_TRUE(decoder.AppendText(R"("a\"b"=>"=>, ", ""=>NULL)"));
  auto array = decoder.Finish().ValueOrDie();
  const auto& maps = static_cast<const arrow::MapArray&>(*array);
  ASSERT_TRUE(maps.ValidateFull().ok());
  EXPECT_EQ(maps.value_length(0), 0);
  ASSERT_EQ(maps.value_length(1), 2);
  EXPECT_EQ(static_cast<const arrow::StringArray&>(*maps.keys()).GetView(0), "a\"b");
  EXPECT_EQ(static_cast<const arrow::StringArray&>(*maps.items()).GetView(0), "=>, ");
  EXPECT_TRUE(maps.items()->IsNull(1));
  for (const char* bad :
       {"a=>b", R"("a")", R"("a"=>)", R"("a"=>"b",)", R"("a"=>"b", )", R"("a=>"b")"})
    EXPECT_EQ(Decoded(map, bad), "bad") << bad;
}

TEST(DecodeTest, BinaryArraysThatLie) {
  ColumnType type = ArrayOf({.kind = Kind::kInt32});
  type.as_text = false;
  const std::string head("\0\0\0\1\0\0\0\0\0\0\0\27", 12);
  const std::string one("\0\0\0\1\0\0\0\1", 8), many("\x7F\xFF\xFF\xFF\0\0\0\1", 8);
  const std::string seven("\0\0\0\7", 4);
  ColumnDecoder good(type);
  ASSERT_TRUE(good.Reserve(1).ok());
  EXPECT_TRUE(good.AppendBinary(head + one + Element(seven)));
  for (const std::string& bad : {head, head + many, head + one, head + one + Element(seven) + "x",
                                 head + one + Element("abc"), std::string("\0\0\0", 3)}) {
    ColumnDecoder decoder(type);
    ASSERT_TRUE(decoder.Reserve(1).ok());
    EXPECT_FALSE(decoder.AppendBinary(bad));
  }
}

TEST(DecodeTest, BytesThatAreNotUtf8AreSpelledOut) {
  ColumnDecoder decoder({.kind = Kind::kText});
  ASSERT_TRUE(decoder.Reserve(6).ok());
  // The third and fourth are valid together, each alone is not.
  for (const char* text : {"plain", "\xC3\xA9", "\xC3", "\xA9", "M\xFCller", "\xED\xA0\x80"})
    EXPECT_TRUE(decoder.AppendText(text));
  auto array = decoder.Finish().ValueOrDie();
  const auto& texts = static_cast<const arrow::StringArray&>(*array);
  ASSERT_TRUE(texts.ValidateFull().ok());
  std::vector<std::string> found;
  for (int64_t i = 0; i < texts.length(); ++i) found.emplace_back(texts.GetView(i));
  EXPECT_EQ(found, (std::vector<std::string>{"plain", "\xC3\xA9",
                                             "\xEF\xBF\xBD"
                                             "C3",
                                             "\xEF\xBF\xBD"
                                             "A9",
                                             "M\xEF\xBF\xBD"
                                             "FCller",
                                             "\xEF\xBF\xBD"
                                             "ED\xEF\xBF\xBD"
                                             "A0\xEF\xBF\xBD"
                                             "80"}));
  EXPECT_EQ(decoder.values_nulled(), 4);
}

TEST(DecodeTest, BitsArePackedFromTheLeft) {
  ColumnDecoder decoder({.kind = Kind::kBytea, .as_text = true});
  ASSERT_TRUE(decoder.Reserve(2).ok());
  EXPECT_TRUE(decoder.AppendText("101010101"));
  EXPECT_TRUE(decoder.AppendText("\\xff00"));
  auto array = decoder.Finish().ValueOrDie();
  const auto& bytes = static_cast<const arrow::BinaryArray&>(*array);
  EXPECT_EQ(bytes.GetView(0), "\xAA\x80");
  EXPECT_EQ(bytes.GetView(1), std::string_view("\xFF\0", 2));
}

}  // namespace
}  // namespace freshet::sources::postgres
