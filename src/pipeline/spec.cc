// SPDX-License-Identifier: Apache-2.0
#include "pipeline/spec.h"

#include <algorithm>

#include "base/json.h"
#include "pipeline/pattern_json.h"
#include "pipeline/profile.h"

namespace freshet::pipeline {
namespace {

using Json = nlohmann::json;

bool IsNamedBy(const SpecObject& object, const record::TableName& name) {
  return object.source_schema == name.schema &&
         (object.source_table.empty() || object.source_table == name.table);
}

}  // namespace

bool PipelineSpec::Selects(const record::TableName& name) const {
  if (AnyMatches(excludes, name)) return false;
  if (tables.empty() && objects.empty()) return true;
  return AnyMatches(tables, name) ||
         std::ranges::any_of(objects, [&](const auto& object) { return IsNamedBy(object, name); });
}

bool PipelineSpec::Updates(const record::TableName& name) const {
  return Selects(name) && (chosen.empty() || chosen.contains(name));
}

bool PipelineSpec::Names(const record::TableName& name) const {
  auto alone = [&](const SpecObject& object) {
    return !object.source_table.empty() && IsNamedBy(object, name);
  };
  return AnyNames(tables, name) || std::ranges::any_of(objects, alone);
}

record::TableName PipelineSpec::DestinationOf(const record::TableName& name) const {
  const SpecObject* found = nullptr;
  for (const auto& object : objects) {
    if (!IsNamedBy(object, name)) continue;
    if (found == nullptr || found->source_table.empty()) found = &object;
  }
  auto destination = name;
  if (found == nullptr) return destination;
  if (!found->destination_schema.empty()) destination.schema = found->destination_schema;
  if (!found->destination_table.empty()) destination.table = found->destination_table;
  return destination;
}

apply::HistoryRules PipelineSpec::HistoryOf(const record::TableName& name) const {
  return pipeline::HistoryOf(history_rules, name);
}

std::map<std::string, std::string> PipelineSpec::PropertiesOf(const record::TableName& name) const {
  auto properties = RuleOf(table_rules, name).properties;
  // What is said of tables comes before what a profile has for all.
  properties.merge(PropertiesOfProfile(profile));
  return properties;
}

std::vector<std::string> PipelineSpec::Unmatched(
    const std::vector<record::TableName>& names) const {
  std::vector<std::string> unmatched;
  for (const auto& name : chosen) {
    if (std::ranges::find(names, name) == names.end()) unmatched.push_back(name.ToString());
  }
  if (!chosen.empty()) return unmatched;
  for (const auto& pattern : tables) {
    if (std::ranges::none_of(names, [&](const auto& name) { return pattern.Matches(name); }))
      unmatched.push_back(pattern.text());
  }
  std::set<record::TableName> there(names.begin(), names.end());
  for (const auto& object : objects) {
    // The least name of its schema, or its own.
    const record::TableName least{object.source_schema, object.source_table};
    auto found = there.lower_bound(least);
    if (found != there.end() && IsNamedBy(object, *found)) continue;
    unmatched.push_back(object.source_schema + "." +
                        (object.source_table.empty() ? "*" : object.source_table));
  }
  return unmatched;
}

std::string ToJson(const PipelineSpec& spec) {
  Json objects = Json::array();
  for (const auto& object : spec.objects) {
    objects.push_back({{"source_catalog", object.source_catalog},
                       {"source_schema", object.source_schema},
                       {"source_table", object.source_table},
                       {"destination_schema", object.destination_schema},
                       {"destination_table", object.destination_table}});
  }
  Json history = Json::array();
  for (const auto& rule : spec.history_rules) history.push_back(ToJson(rule));
  Json chosen = Json::array();
  for (const auto& name : spec.chosen) chosen.push_back(Json::array({name.schema, name.table}));
  return JsonText(Json{{"tables", PatternsToJson(spec.tables)},
                       {"excludes", PatternsToJson(spec.excludes)},
                       {"objects", objects},
                       {"chosen", chosen},
                       {"history", history},
                       {"slot", spec.slot},
                       {"publication", spec.publication},
                       {"type_mapping", spec.type_mapping},
                       {"profile", spec.profile},
                       {"table_rules", ToJson(spec.table_rules)},
                       {"staging_retention", spec.staging.retention.count()},
                       {"staging_age_max", spec.staging.age_max.count()},
                       {"staging_bytes_max", spec.staging.bytes_max},
                       {"reread_interval", spec.reread_interval.count()}});
}

Result<PipelineSpec> SpecFromJson(std::string_view text) {
  try {
    auto json = ParseJsonOrThrow<Json>(text);
    PipelineSpec spec;
    FRESHET_TRY(spec.tables, PatternsFromJson(json.at("tables")));
    FRESHET_TRY(spec.excludes, PatternsFromJson(json.at("excludes")));
    for (const auto& object : json.at("objects")) {
      spec.objects.push_back({object.at("source_catalog"), object.at("source_schema"),
                              object.at("source_table"), object.at("destination_schema"),
                              object.at("destination_table")});
    }
    for (const auto& name : json.at("chosen"))
      spec.chosen.insert({name.at(0).get<std::string>(), name.at(1).get<std::string>()});
    for (const auto& rule : json.at("history")) spec.history_rules.push_back(HistoryRuleFrom(rule));
    spec.slot = json.at("slot");
    spec.publication = json.at("publication");
    spec.type_mapping = json.at("type_mapping");
    spec.profile = json.at("profile");
    FRESHET_TRY(spec.table_rules, TableRulesFromJson(json.at("table_rules").get<std::string>()));
    spec.staging = {.retention = std::chrono::seconds(json.at("staging_retention").get<int64_t>()),
                    .age_max = std::chrono::seconds(json.at("staging_age_max").get<int64_t>()),
                    .bytes_max = json.at("staging_bytes_max").get<int64_t>()};
    spec.reread_interval = std::chrono::seconds(json.at("reread_interval").get<int64_t>());
    return spec;
  } catch (const std::exception& error) {
    return Error(ErrorClass::INVALID_ARGUMENT, "a worker's specification is not readable: {}",
                 error.what());
  }
}

}  // namespace freshet::pipeline
