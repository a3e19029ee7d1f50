// SPDX-License-Identifier: Apache-2.0
#include "pipeline/event_target.h"

#include <algorithm>

#include "base/json.h"
#include "base/server_limits.h"
#include "pipeline/destination.h"
#include "pipeline/update_plan.h"

namespace freshet::pipeline {
namespace {

using Json = nlohmann::ordered_json;
using catalog::Kind;

/// A table's fact: it is an event log.
constexpr char kFact[] = "event_log";

Status Wrong(std::string_view field, std::string_view why) {
  return Error(ErrorClass::INVALID_ARGUMENT, "event_log{}{} {}", field.empty() ? "" : ".", field,
               why);
}

/// Return a text field; empty: absent.
Result<std::string> TextIn(const Json& object, const char* name, std::string_view field) {
  auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::string();
  if (!found->is_string()) return Wrong(field, "is not a text");
  return found->get<std::string>();
}

/// What event_log leaves out the pipeline says of itself.
Result<std::string> PlaceIn(const Json& spec, const Json& said, const char* name,
                            const char* former_name) {
  FRESHET_TRY(auto text, TextIn(said, name, name));
  for (const auto* own : {name, former_name}) {
    if (text.empty() && spec.contains(own) && spec[own].is_string())
      text = spec[own].get<std::string>();
  }
  if (!text.empty()) return catalog::Lower(text);
  return Error(ErrorClass::INVALID_ARGUMENT,
               "event_log.{} is missing, and the pipeline has no {} of its own", name, name)
      .WithRemedy("Say it in event_log, or for the whole pipeline.");
}

Status CheckNames(const EventTarget& target) {
  FRESHET_CHECK_OK(catalog::CheckName("Schema", target.place.schema).With("field", "event_log"));
  FRESHET_CHECK_OK(catalog::CheckName("Table", target.name).With("field", "event_log"));
  if (EncodeName(target.name).size() <= limits::kNameBytesMax) return Status::Ok();
  return Wrong("name", fmt::format("takes more than {} bytes as a folder's name: {}",
                                   limits::kNameBytesMax, target.name));
}

Status Taken(const catalog::Path& path) {
  return Error(ErrorClass::ALREADY_EXISTS, "Table '{}' already exists.", catalog::FullName(path))
      .WithRemedy("Give another event_log.name: an event log is a table of its own.");
}

bool IsOf(const catalog::Securable& table, const std::string& pipeline) {
  return IsEventLog(table) && table.fact("pipeline_id") == pipeline;
}

/// A table that the definition names is not there before the first update.
Status CheckApart(const Definition& definition, const EventTarget& target) {
  for (const auto& object : definition.spec.objects) {
    const auto& table =
        object.destination_table.empty() ? object.source_table : object.destination_table;
    if (table.empty()) continue;
    FRESHET_TRY(auto path, catalog::ParseFullName(object.destination_schema, 2));
    path.push_back(table);
    if (catalog::KeyOf(path) != catalog::KeyOf(target.path())) continue;
    return Wrong("name", "is a table that the pipeline brings there: " + catalog::FullName(path));
  }
  return Status::Ok();
}

}  // namespace

Result<std::optional<EventTarget>> EventTargetOf(std::string_view text, const std::string& id) {
  auto spec = ParseJson<Json>(text);
  if (!spec.is_object() || !spec.contains("event_log") || spec["event_log"].is_null())
    return std::optional<EventTarget>();
  const auto& said = spec["event_log"];
  if (!said.is_object()) return Wrong("", "is not an object");
  for (const auto& [field, value] : said.items()) {
    if (field != "catalog" && field != "schema" && field != "name")
      return Wrong(field, "is not a field of this request");
  }
  EventTarget target;
  FRESHET_TRY(target.place.catalog, PlaceIn(spec, said, "catalog", "catalog"));
  FRESHET_TRY(target.place.schema, PlaceIn(spec, said, "schema", "target"));
  FRESHET_TRY(target.name, TextIn(said, "name", "name"));
  if (target.name.empty()) {
    target.name = kFact + ("_" + id);
    std::ranges::replace(target.name, '-', '_');
  }
  FRESHET_CHECK_OK(CheckNames(target));
  return std::optional(std::move(target));
}

bool IsEventLog(const catalog::Securable& table) { return !table.fact(kFact).empty(); }

Status CheckEventTarget(catalog::Catalog& catalog, const std::string& pipeline,
                        const Definition& definition, const EventTarget& target) {
  FRESHET_CHECK_OK(catalog.Get(Kind::kCatalog, {target.place.catalog}));
  FRESHET_CHECK_OK(CheckApart(definition, target));
  auto found = catalog.Get(Kind::kTable, target.path());
  if (found.status().Is(ErrorClass::NOT_FOUND)) return Status::Ok();
  FRESHET_CHECK_OK(found);
  return IsOf(*found, pipeline) ? Status::Ok() : Taken(found->path);
}

Result<std::unique_ptr<EventTable>> OpenEventTable(const catalog::Securable& entry,
                                                   const std::string& pipeline, Clock* clock) {
  FRESHET_TRY(auto store, store::OpenLocalStore(entry.folder()));
  return EventTable::Open(std::move(store), pipeline, clock);
}

Result<catalog::Securable> MakeEventTable(catalog::Catalog& catalog, const PipelineRecord& pipeline,
                                          const EventTarget& target, Clock* clock) {
  FRESHET_TRY(auto schema, MakeSchema(catalog, target.place, pipeline.creator));
  auto found = catalog.Get(Kind::kTable, target.path());
  if (found.ok() && !IsOf(*found, pipeline.id)) return Taken(found->path);
  if (!found.status().Is(ErrorClass::NOT_FOUND)) return found;
  const auto owner = EventTable::OwnerOf(pipeline.id);
  const auto folder = schema.folder() + "/" + EncodeName(target.name);
  catalog::Securable table{.kind = Kind::kTable, .path = target.path()};
  table.comment = "The events of the pipeline '" + pipeline.name + "'";
  table.facts = {{"table_type", "MANAGED"},
                 {"pipeline_id", pipeline.id},
                 {kFact, "true"},
                 {"staging", owner.staging},
                 {"pipeline_mark", owner.pipeline},
                 {"storage_location", catalog::FileUri(folder)}};
  // The name is taken before anything is written where it leads.
  auto created = catalog.Create(std::move(table), {}, pipeline.creator);
  if (created.status().Is(ErrorClass::ALREADY_EXISTS)) {
    // Who authors the pipeline and who publishes for it may both begin.
    FRESHET_TRY(auto theirs, catalog.Get(Kind::kTable, target.path()));
    return IsOf(theirs, pipeline.id) ? Result(std::move(theirs)) : Taken(theirs.path);
  }
  FRESHET_CHECK_OK(created);
  auto begun = OpenEventTable(*created, pipeline.id, clock).status();
  if (begun.ok()) return created;
  FRESHET_CHECK_OK(catalog.Drop(Kind::kTable, created->path, true));
  return begun;
}

}  // namespace freshet::pipeline
