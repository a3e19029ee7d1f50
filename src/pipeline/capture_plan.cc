// SPDX-License-Identifier: Apache-2.0
#include "pipeline/capture_plan.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/log.h"
#include "pipeline/profile.h"
#include "pipeline/update_plan.h"

namespace freshet::pipeline {
namespace {

using record::TableName;

std::string Called(const Follower& follower) {
  return fmt::format("the pipeline '{}' ({})", follower.record.name, follower.record.id);
}

/// The part of a rule that the capturing half goes by.
TableRule CaptureRuleOf(const std::vector<TableRule>& rules, const TableName& table) {
  auto rule = RuleOf(rules, table);
  rule.properties.clear();
  rule.drop_inactive_columns.reset();
  return rule;
}

/// Add what a pipeline's rules say of its own tables and schemas, and of no others.
void AddRules(const PipelineSpec& spec, PipelineSpec* all) {
  for (const auto& object : spec.objects) {
    auto rule = CaptureRuleOf(spec.table_rules, {object.source_schema, object.source_table});
    bool known = std::ranges::find(all->table_rules, rule) != all->table_rules.end();
    if (rule.given() && !known) all->table_rules.push_back(std::move(rule));
  }
}

/// `added`: what `all` has already.
void AddObjects(const PipelineSpec& spec, std::set<TableName>* added, PipelineSpec* all) {
  for (const auto& object : spec.objects) {
    if (!added->insert({object.source_schema, object.source_table}).second) continue;
    all->objects.push_back({.source_catalog = {},
                            .source_schema = object.source_schema,
                            .source_table = object.source_table,
                            .destination_schema = {},
                            .destination_table = {}});
  }
}

/// Take a word that holds for all; `owner`: who said it first.
Status TakeWord(std::string_view what, const std::string& said, const Follower& follower,
                std::string* word, const Follower** owner) {
  if (said.empty() || said == *word) return Status::Ok();
  if (word->empty()) {
    *word = said;
    *owner = &follower;
    return Status::Ok();
  }
  return Error(ErrorClass::INVALID_ARGUMENT,
               "{} over this gateway is {}, which {} says, and not {}", what, *word,
               Called(**owner), said)
      .WithRemedy("Say the same, leave it out, or make another gateway.");
}

/// Who takes a table, in their order (they lie in one vector): of every one that has a name, and
/// for each schema of one that has none. What a pipeline takes it says by objects alone.
std::map<TableName, std::set<const Follower*>> Probes(const std::vector<Follower>& followers) {
  std::map<TableName, std::set<const Follower*>> probes;
  for (const auto& follower : followers) {
    for (const auto& object : follower.definition.spec.objects) {
      probes[{object.source_schema, object.source_table}].insert(&follower);
      probes.try_emplace({object.source_schema, ""});
    }
  }
  for (auto& [table, takers] : probes) {
    if (table.table.empty()) continue;
    const auto& of_schema = probes.at({table.schema, ""});
    takers.insert(of_schema.begin(), of_schema.end());
  }
  return probes;
}

/// Whether what all say together of each table is what each of them says.
Status CheckRules(const std::vector<Follower>& followers, const PipelineSpec& all) {
  const bool ruled = std::ranges::any_of(
      followers, [](const auto& each) { return !each.definition.spec.table_rules.empty(); });
  if (!ruled) return Status::Ok();
  for (const auto& [table, takers] : Probes(followers)) {
    const auto together = CaptureRuleOf(all.table_rules, table);
    for (const auto* taker : takers) {
      if (CaptureRuleOf(taker->definition.spec.table_rules, table) == together) continue;
      const auto& other = taker == *takers.begin() ? followers.back() : **takers.begin();
      return Error(ErrorClass::INVALID_ARGUMENT,
                   "include_columns, exclude_columns, on_schema_change and "
                   "auto_full_refresh_policy of {} are others in {}: over one gateway a table is "
                   "captured once",
                   table.table.empty() ? table.schema + ".*" : table.ToString(), Called(other))
          .WithRemedy("Say the same in both, or make another gateway.");
    }
  }
  return Status::Ok();
}

/// The profile is each pipeline's own, but for what it makes of times.
Status TakeProfiles(const std::vector<Follower>& followers, PipelineSpec* all) {
  const Follower* first = nullptr;
  for (const auto& follower : followers) {
    bool classic = follower.definition.spec.profile == kClassic;
    if (first != nullptr && classic != (all->profile == kClassic)) {
      return Error(ErrorClass::INVALID_ARGUMENT,
                   "the profile classic is for all pipelines over a gateway or for none; {} says "
                   "otherwise",
                   Called(*first));
    }
    first = &follower;
    if (classic) all->profile = kClassic;
  }
  return Status::Ok();
}

}  // namespace

Result<std::vector<Follower>> FollowersOf(PipelineBook& book, const std::string& gateway) {
  FRESHET_TRY(auto records, book.Over(gateway));
  std::vector<Follower> followers;
  for (auto& record : records) {
    auto definition = DefinitionOf(record);
    if (definition.ok()) {
      followers.push_back({std::move(record), *std::move(definition)});
    } else {
      spdlog::error("pipeline={} {}", record.id, definition.status().ToString());
    }
  }
  return followers;
}

Result<CapturePlan> PlanCapture(const GatewayDefinition& gateway, std::vector<Follower> followers) {
  CapturePlan plan{.database = gateway.database, .spec = {}, .followers = std::move(followers)};
  auto& spec = plan.spec;
  std::set<TableName> added;
  const Follower *slot = nullptr, *publication = nullptr, *mapping = nullptr;
  for (const auto& follower : plan.followers) {
    const auto& each = follower.definition;
    if (plan.database.empty()) plan.database = each.database;
    if (each.database != plan.database) {
      return Error(ErrorClass::INVALID_ARGUMENT,
                   "ingestion_definition: the source_catalog is {}, but the gateway's database is "
                   "{}",
                   each.database, plan.database)
          .WithRemedy("Make a gateway for each database.");
    }
    FRESHET_CHECK_OK(TakeWord("the slot", each.spec.slot, follower, &spec.slot, &slot));
    FRESHET_CHECK_OK(TakeWord("the publication", each.spec.publication, follower, &spec.publication,
                              &publication));
    FRESHET_CHECK_OK(
        TakeWord("type_mapping", each.spec.type_mapping, follower, &spec.type_mapping, &mapping));
    AddObjects(each.spec, &added, &spec);
    AddRules(each.spec, &spec);
  }
  FRESHET_CHECK_OK(TakeProfiles(plan.followers, &spec));
  FRESHET_CHECK_OK(CheckRules(plan.followers, spec));
  if (spec.objects.empty()) {
    FRESHET_TRY(spec.excludes, ParsePatterns({"*"}));
  }
  return plan;
}

}  // namespace freshet::pipeline
