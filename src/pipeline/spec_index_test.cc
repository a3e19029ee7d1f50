// SPDX-License-Identifier: Apache-2.0
#include "pipeline/spec_index.h"

#include <gtest/gtest.h>

namespace freshet::pipeline {
namespace {

/// Every table of two letters in schemas of one is asked for, of the spec and of its index.
void ExpectTheSame(const PipelineSpec& spec) {
  SpecIndex index(spec);
  int selected = 0;
  for (const auto* schema : {"a", "b", "c"}) {
    for (const auto* table : {"", "x", "y", "z", "x*"}) {
      const record::TableName name{schema, table};
      EXPECT_EQ(index.Selects(name), spec.Selects(name)) << name.ToString();
      EXPECT_EQ(index.Names(name), spec.Names(name)) << name.ToString();
      selected += index.Selects(name) ? 1 : 0;
    }
  }
  EXPECT_GT(selected, 0);
}

TEST(SpecIndex, AnswersAsTheSpecDoes) {
  PipelineSpec spec;
  ExpectTheSame(spec);
  const auto object = [](const std::string& schema, const std::string& table) {
    SpecObject named;
    named.source_schema = schema;
    named.source_table = table;
    return named;
  };
  spec.objects = {object("a", "x"), object("a", "z"), object("b", ""), object("b", "y")};
  ExpectTheSame(spec);
  spec.excludes = ParsePatterns({"*.z"}).value();
  ExpectTheSame(spec);
  spec.tables = ParsePatterns({"c.x", "a.*"}).value();
  ExpectTheSame(spec);
  spec.objects.clear();
  ExpectTheSame(spec);
}

}  // namespace
}  // namespace freshet::pipeline
