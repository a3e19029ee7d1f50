// SPDX-License-Identifier: Apache-2.0
#include "pipeline/spec_index.h"

namespace freshet::pipeline {

SpecIndex::SpecIndex(const PipelineSpec& spec) : spec_(spec) {
  for (const auto& object : spec.objects) {
    Schema& schema = schemas_[object.source_schema];
    if (object.source_table.empty()) {
      schema.whole = true;
    } else {
      schema.tables.insert(object.source_table);
    }
  }
}

bool SpecIndex::Selects(const record::TableName& name) const {
  if (AnyMatches(spec_.excludes, name)) return false;
  if (spec_.tables.empty() && spec_.objects.empty()) return true;
  if (AnyMatches(spec_.tables, name)) return true;
  auto schema = schemas_.find(name.schema);
  return schema != schemas_.end() &&
         (schema->second.whole || schema->second.tables.contains(name.table));
}

bool SpecIndex::Names(const record::TableName& name) const {
  if (AnyNames(spec_.tables, name)) return true;
  auto schema = schemas_.find(name.schema);
  return schema != schemas_.end() && schema->second.tables.contains(name.table);
}

}  // namespace freshet::pipeline
