// SPDX-License-Identifier: Apache-2.0
#include "pipeline/spec_reader.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "delta/features.h"
#include "pipeline/profile.h"

namespace freshet::pipeline {
namespace {

/// Where in the file something is said: for messages.
struct Place {
  std::string file, path;
  Place Below(const std::string& name) const {
    return {file, path.empty() ? name : path + "." + name};
  }
  Place At(size_t i) const { return {file, fmt::format("{}[{}]", path, i)}; }
};

std::string Where(const Place& place, const YAML::Node& node) {
  return fmt::format("{} line {}: {}", place.file, node.Mark().line + 1, place.path);
}

Status Wrong(const Place& place, const YAML::Node& node, std::string_view why) {
  return Error(ErrorClass::INVALID_ARGUMENT, "{} {}", Where(place, node), why);
}

Status NotBuilt(const Place& place, const YAML::Node& node) {
  return Error(ErrorClass::UNSUPPORTED_FIELD, "{} is not supported yet", Where(place, node));
}

/// Reads the value of one field.
using FieldReader = std::function<Status(const Place&, const YAML::Node&)>;

Status Unsupported(const Place& place, const YAML::Node& node) { return NotBuilt(place, node); }

/// A switch of which only "off" is built.
Status OnlyFalse(const Place& place, const YAML::Node& node) {
  bool value = false;
  if (!node.IsScalar() || !YAML::convert<bool>::decode(node, value))
    return Wrong(place, node, "is not true or false");
  return value ? NotBuilt(place, node) : Status::Ok();
}

FieldReader Into(std::string* target) {
  return [target](const Place& place, const YAML::Node& node) -> Status {
    if (!node.IsScalar() || node.Scalar().empty()) return Wrong(place, node, "is not a text");
    *target = node.Scalar();
    return Status::Ok();
  };
}

Status NotAField(const Place& place, const YAML::Node& node,
                 const std::map<std::string, FieldReader>& fields) {
  std::vector<std::string> names;
  for (const auto& [name, read] : fields) names.push_back(name);
  return Wrong(place, node, "is not a field of the specification")
      .WithRemedy(fmt::format("The fields are: {}.", fmt::join(names, ", ")));
}

/// Read a map whose fields are `fields`; a null node is an empty map.
Status ReadMap(const Place& place, const YAML::Node& node,
               const std::map<std::string, FieldReader>& fields) {
  if (node.IsNull()) return Status::Ok();
  if (!node.IsMap()) return Wrong(place, node, "is not a map of fields");
  std::set<std::string> seen;
  for (const auto& entry : node) {
    if (!entry.first.IsScalar())
      return Wrong(place, entry.first, "has a field whose name is not a text");
    const auto& name = entry.first.Scalar();
    auto below = place.Below(name);
    auto field = fields.find(name);
    if (field == fields.end()) return NotAField(below, entry.first, fields);
    if (!seen.insert(name).second) return Wrong(below, entry.first, "is given twice");
    FRESHET_CHECK_OK(field->second(below, entry.second));
  }
  return Status::Ok();
}

FieldReader ListOf(FieldReader read) {
  return [read = std::move(read)](const Place& place, const YAML::Node& node) -> Status {
    if (!node.IsSequence()) return Wrong(place, node, "is not a list");
    for (size_t i = 0; i < node.size(); ++i) FRESHET_CHECK_OK(read(place.At(i), node[i]));
    return Status::Ok();
  };
}

FieldReader ReadScdType(HistoryRule* rule) {
  return [rule](const Place& place, const YAML::Node& node) -> Status {
    if (!node.IsScalar()) return Wrong(place, node, "is not a text");
    rule->scd_type = apply::ScdTypeOf(node.Scalar());
    if (rule->scd_type) return Status::Ok();
    return Wrong(place, node, "is none of SCD_TYPE_1, SCD_TYPE_2, APPEND_ONLY");
  };
}

FieldReader IntoSwitch(std::optional<bool>* target) {
  return [target](const Place& place, const YAML::Node& node) -> Status {
    bool value = false;
    if (!node.IsScalar() || !YAML::convert<bool>::decode(node, value))
      return Wrong(place, node, "is not true or false");
    *target = value;
    return Status::Ok();
  };
}

FieldReader IntoList(std::vector<std::string>* target) {
  return ListOf([target](const Place& place, const YAML::Node& node) {
    return Into(&target->emplace_back())(place, node);
  });
}

/// Columns, or the name of one.
FieldReader ReadSequenceBy(HistoryRule* rule) {
  return [rule](const Place& place, const YAML::Node& node) {
    auto& columns = rule->sequence_by.emplace();
    if (node.IsScalar()) return Into(&columns.emplace_back())(place, node);
    return IntoList(&columns)(place, node);
  };
}

/// A number from 0 to `max`.
template <typename T>
FieldReader IntoNumber(std::optional<T>* target, T max) {
  return [target, max](const Place& place, const YAML::Node& node) -> Status {
    T value{};
    if (!node.IsScalar() || !YAML::convert<T>::decode(node, value) || !(value >= 0 && value <= max))
      return Wrong(place, node, fmt::format("is not a number from 0 to {}", max));
    *target = value;
    return Status::Ok();
  };
}

/// Source: the API's AutoFullRefreshPolicy.
FieldReader ReadRefreshPolicy(TableRule* rule) {
  return [rule](const Place& place, const YAML::Node& node) -> Status {
    std::optional<int64_t> hours;
    std::optional<bool> enabled;
    auto truth = [&](const Place& at, const YAML::Node& value) -> Status {
      bool read = false;
      if (!value.IsScalar() || !YAML::convert<bool>::decode(value, read))
        return Wrong(at, value, "is not true or false");
      enabled = read;
      return Status::Ok();
    };
    FRESHET_CHECK_OK(ReadMap(
        place, node,
        {{"enabled", truth}, {"min_interval_hours", IntoNumber(&hours, int64_t{1'000'000})}}));
    if (!enabled) return Wrong(place.Below("enabled"), node, "is missing");
    rule->refresh = {.enabled = *enabled};
    if (hours) rule->refresh->min_interval_hours = *hours;
    return Status::Ok();
  };
}

/// Texts by names of the user's choice.
FieldReader ReadProperties(TableRule* rule) {
  return [rule](const Place& place, const YAML::Node& node) -> Status {
    if (!node.IsMap()) return Wrong(place, node, "is not a map of texts");
    for (const auto& entry : node) {
      if (!entry.first.IsScalar() || !entry.second.IsScalar())
        return Wrong(place, entry.first, "is not a map of texts");
      const auto& name = entry.first.Scalar();
      const auto& value = entry.second.Scalar();
      Status fits = delta::CheckProperty(name, value);
      if (!fits.ok()) return Wrong(place.Below(name), entry.second, fits.message());
      rule->properties[name] = value;
    }
    return Status::Ok();
  };
}

/// Ours: the API has no such field.
FieldReader ReadOnSchemaChange(TableRule* rule) {
  return [rule](const Place& place, const YAML::Node& node) -> Status {
    auto value = ParseOnSchemaChange(node.IsScalar() ? node.Scalar() : "");
    if (!value.ok()) return Wrong(place, node, value.status().message());
    rule->on_schema_change = *value;
    return Status::Ok();
  };
}

/// Source: the API's QueryBasedConnectorConfig; the last two fields are ours.
FieldReader ReadQueryBased(CursorRule* rule) {
  return [rule](const Place& place, const YAML::Node& node) {
    constexpr int64_t kMax = int64_t{1} << 53U;
    return ReadMap(
        place, node,
        {{"cursor_columns", IntoList(&rule->cursor_columns)},
         {"deletion_condition", Into(&rule->deletion_condition)},
         {"hard_deletion_sync_min_interval_in_seconds",
          IntoNumber(&rule->hard_deletion_seconds, kMax)},
         {"late_commit_window", IntoNumber(&rule->late_commit_window, kMax)},
         {"hard_deletion_max_fraction", IntoNumber(&rule->hard_deletion_max_fraction, 1.0)}});
  };
}

/// Remember where a rule's first field stands.
FieldReader Noting(CursorRule* rule, FieldReader read) {
  return [rule, read = std::move(read)](const Place& place, const YAML::Node& node) {
    if (rule->said_at.empty()) rule->said_at = Where(place, node);
    return read(place, node);
  };
}

/// Source: the API's TableSpecificConfig; soft_delete, on_schema_change, drop_inactive_columns are
/// ours.
FieldReader ReadTableConfiguration(CursorRule* rule, HistoryRule* history, TableRule* changes) {
  std::map<std::string, FieldReader> fields{
      {"scd_type", ReadScdType(history)},
      {"sequence_by", ReadSequenceBy(history)},
      {"soft_delete", IntoSwitch(&history->soft_delete)},
      {"auto_full_refresh_policy", ReadRefreshPolicy(changes)},
      {"on_schema_change", ReadOnSchemaChange(changes)},
      {"drop_inactive_columns", IntoSwitch(&changes->drop_inactive_columns)},
      {"table_properties", ReadProperties(changes)},
      {"include_columns", IntoList(&changes->include_columns)},
      {"exclude_columns", IntoList(&changes->exclude_columns)},
      {"enable_auto_clustering", OnlyFalse},
      {"salesforce_include_formula_fields", OnlyFalse},
      {"primary_keys", Noting(rule, IntoList(&rule->primary_keys))},
      {"query_based_connector_config", Noting(rule, ReadQueryBased(rule))},
      {"cursor_columns", IntoList(&rule->cursor_columns)},
      {"cursor_column",
       [rule](const Place& place, const YAML::Node& node) {
         return Into(&rule->cursor_columns.emplace_back())(place, node);
       }},
      {"deletion_condition", Noting(rule, Into(&rule->deletion_condition))}};
  for (auto* name : {"row_filter", "clustering_columns", "source_metadata_column",
                     "workday_report_parameters"}) {
    fields[name] = Unsupported;
  }
  return [fields = std::move(fields), changes](const Place& place, const YAML::Node& node) {
    FRESHET_CHECK_OK(ReadMap(place, node, fields));
    if (!changes->include_columns.empty() && !changes->exclude_columns.empty())
      return Wrong(place, node, "has both include_columns and exclude_columns");
    return Status::Ok();
  };
}

template <typename Rule>
void Keep(Rule rule, const SpecObject& object, std::vector<Rule>* rules) {
  if (!rule.given()) return;
  rule.schema = object.source_schema;
  rule.table = object.source_table;
  rules->push_back(std::move(rule));
}

Status ReadTable(PipelineSpec* spec, const Place& place, const YAML::Node& node) {
  SpecObject object;
  CursorRule rule;
  HistoryRule history;
  TableRule changes;
  std::string catalog;
  FRESHET_CHECK_OK(
      ReadMap(place, node,
              {{"source_catalog", Into(&object.source_catalog)},
               {"source_schema", Into(&object.source_schema)},
               {"source_table", Into(&object.source_table)},
               {"destination_catalog", Into(&catalog)},
               {"destination_schema", Into(&object.destination_schema)},
               {"destination_table", Into(&object.destination_table)},
               {"table_configuration", ReadTableConfiguration(&rule, &history, &changes)},
               {"connector_options", Unsupported}}));
  if (object.source_schema.empty()) return Wrong(place.Below("source_schema"), node, "is missing");
  if (object.source_table.empty()) return Wrong(place.Below("source_table"), node, "is missing");
  Keep(std::move(rule), object, &spec->cursor_rules);
  Keep(std::move(history), object, &spec->history_rules);
  Keep(std::move(changes), object, &spec->table_rules);
  spec->objects.push_back(std::move(object));
  return Status::Ok();
}

Status ReadSchema(PipelineSpec* spec, const Place& place, const YAML::Node& node) {
  SpecObject object;
  CursorRule rule;
  HistoryRule history;
  TableRule changes;
  std::string catalog;
  FRESHET_CHECK_OK(
      ReadMap(place, node,
              {{"source_catalog", Into(&object.source_catalog)},
               {"source_schema", Into(&object.source_schema)},
               {"destination_catalog", Into(&catalog)},
               {"destination_schema", Into(&object.destination_schema)},
               {"table_configuration", ReadTableConfiguration(&rule, &history, &changes)},
               {"connector_options", Unsupported},
               {"fanout_options", Unsupported}}));
  if (object.source_schema.empty()) return Wrong(place.Below("source_schema"), node, "is missing");
  Keep(std::move(rule), object, &spec->cursor_rules);
  Keep(std::move(history), object, &spec->history_rules);
  Keep(std::move(changes), object, &spec->table_rules);
  spec->objects.push_back(std::move(object));
  return Status::Ok();
}

Status ReadObject(PipelineSpec* spec, const Place& place, const YAML::Node& node) {
  if (!node.IsMap() || node.size() != 1)
    return Wrong(place, node, "is not exactly one of table, schema, report");
  auto table = [spec](const Place& at, const YAML::Node& value) {
    return ReadTable(spec, at, value);
  };
  auto schema = [spec](const Place& at, const YAML::Node& value) {
    return ReadSchema(spec, at, value);
  };
  return ReadMap(place, node, {{"table", table}, {"schema", schema}, {"report", Unsupported}});
}

Status ReadSourceType(const Place& place, const YAML::Node& node) {
  if (!node.IsScalar()) return Wrong(place, node, "is not a text");
  return node.Scalar() == "POSTGRESQL" ? Status::Ok() : NotBuilt(place, node);
}

Status ReadConnectorType(std::string* type, const Place& place, const YAML::Node& node) {
  if (!node.IsScalar()) return Wrong(place, node, "is not a text");
  *type = node.Scalar();
  if (*type == "CDC" || *type == "QUERY_BASED") return Status::Ok();
  return Wrong(place, node, "is none of CDC, QUERY_BASED");
}

/// A run captures all of its tables from the log or all by queries.
Status ChooseConnector(const Place& place, const YAML::Node& node, const std::string& type,
                       PipelineSpec* spec) {
  bool cursors = std::ranges::any_of(spec->cursor_rules,
                                     [](const auto& rule) { return !rule.cursor_columns.empty(); });
  if (type == "CDC" && cursors) {
    return Wrong(place.Below("connector_type"), node,
                 "is CDC, but cursor_columns are given: one run captures from the log or by "
                 "queries, not both");
  }
  spec->query_based = spec->query_based || cursors || type == "QUERY_BASED";
  if (spec->query_based || spec->cursor_rules.empty()) return Status::Ok();
  return Error(ErrorClass::UNSUPPORTED_FIELD,
               "{} is not supported yet where tables are captured from the log",
               spec->cursor_rules[0].said_at)
      .WithRemedy("Leave it out, or give cursor_columns.");
}

Status ReadTypeMapping(std::string* mapping, const Place& place, const YAML::Node& node) {
  if (!node.IsScalar()) return Wrong(place, node, "is not a text");
  *mapping = node.Scalar();
  if (*mapping == "lossless" || *mapping == "databricks") return Status::Ok();
  return Wrong(place, node, "is none of lossless, databricks");
}

Status ReadSourceConfiguration(PipelineSpec* spec, const Place& place, const YAML::Node& node) {
  std::string catalog_name, slot, publication, mapping;
  auto slot_config = [&](const Place& at, const YAML::Node& value) {
    return ReadMap(at, value,
                   {{"slot_name", Into(&slot)}, {"publication_name", Into(&publication)}});
  };
  auto type_mapping = [&](const Place& at, const YAML::Node& value) {
    return ReadTypeMapping(&mapping, at, value);
  };
  auto postgres = [&](const Place& at, const YAML::Node& value) {
    return ReadMap(at, value, {{"slot_config", slot_config}, {"type_mapping", type_mapping}});
  };
  auto catalog = [&](const Place& at, const YAML::Node& value) {
    return ReadMap(at, value, {{"source_catalog", Into(&catalog_name)}, {"postgres", postgres}});
  };
  FRESHET_CHECK_OK(ReadMap(place, node,
                           {{"catalog", catalog},
                            {"google_ads_config", Unsupported},
                            {"api_source_connector_config", Unsupported}}));
  if (!catalog_name.empty()) spec->catalogs.push_back(catalog_name);
  if (spec->slot.empty()) spec->slot = slot;
  if (spec->publication.empty()) spec->publication = publication;
  if (spec->type_mapping.empty()) spec->type_mapping = mapping;
  return Status::Ok();
}

Status ReadProfile(std::string* profile, const Place& place, const YAML::Node& node) {
  if (!node.IsScalar()) return Wrong(place, node, "is not a text");
  if (!IsProfile(node.Scalar())) return Wrong(place, node, "is none of portable, full, classic");
  // What an option says comes before the file.
  if (profile->empty()) *profile = node.Scalar();
  return Status::Ok();
}

/// Source: the API's IngestionPipelineDefinition; profile is ours.
Status ReadDefinition(const Place& place, const YAML::Node& node, PipelineSpec* spec) {
  auto object = [spec](const Place& at, const YAML::Node& value) {
    return ReadObject(spec, at, value);
  };
  auto source = [spec](const Place& at, const YAML::Node& value) {
    return ReadSourceConfiguration(spec, at, value);
  };
  std::string connection_name, connector_type;
  CursorRule rule;
  HistoryRule history;
  TableRule changes;
  auto profile = [spec](const Place& at, const YAML::Node& value) {
    return ReadProfile(&spec->profile, at, value);
  };
  auto connector = [&](const Place& at, const YAML::Node& value) {
    return ReadConnectorType(&connector_type, at, value);
  };
  FRESHET_CHECK_OK(
      ReadMap(place, node,
              {{"connection_name", Into(&connection_name)},
               {"objects", ListOf(object)},
               {"profile", profile},
               {"table_configuration", ReadTableConfiguration(&rule, &history, &changes)},
               {"source_configurations", ListOf(source)},
               {"source_type", ReadSourceType},
               {"connector_type", connector},
               {"ingest_from_uc_foreign_catalog", OnlyFalse},
               {"ingestion_gateway_id", Unsupported},
               {"data_staging_options", Unsupported},
               {"full_refresh_window", Unsupported},
               {"netsuite_jar_path", Unsupported}}));
  Keep(std::move(rule), {}, &spec->cursor_rules);
  Keep(std::move(history), {}, &spec->history_rules);
  Keep(std::move(changes), {}, &spec->table_rules);
  return ChooseConnector(place, node, connector_type, spec);
}

}  // namespace

Status ReadSpec(std::string_view text, std::string_view file, PipelineSpec* spec) {
  Place place{std::string(file), ""};
  try {
    auto root = YAML::Load(std::string(text));
    if (!root.IsMap()) return Wrong(place, root, "the specification is not a map of fields");
    if (root["ingestion_definition"]) {
      auto nested = [spec](const Place& at, const YAML::Node& value) {
        return ReadDefinition(at, value, spec);
      };
      return ReadMap(place, root, {{"ingestion_definition", nested}});
    }
    return ReadDefinition(place, root, spec);
  } catch (const YAML::Exception& error) {
    return Error(ErrorClass::INVALID_ARGUMENT, "{} line {}: not YAML or JSON: {}", file,
                 error.mark.line + 1, error.msg);
  }
}

}  // namespace freshet::pipeline
