// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>

#include "pipeline/spec.h"

namespace freshet::pipeline {

/// Answers as PipelineSpec's Selects and Names do, at a cost that does not grow with the objects:
/// whoever follows ten thousand tables asks for each, again and again. REQUIRES: the spec lives
/// longer, and stays as it is.
class SpecIndex {
 public:
  explicit SpecIndex(const PipelineSpec& spec);

  bool Selects(const record::TableName& name) const;
  bool Names(const record::TableName& name) const;

 private:
  struct Schema {
    bool whole = false;  // one of the objects is all of it
    std::unordered_set<std::string> tables;
  };

  const PipelineSpec& spec_;
  std::unordered_map<std::string, Schema> schemas_;
};

}  // namespace freshet::pipeline
