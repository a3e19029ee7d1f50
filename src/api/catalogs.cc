// SPDX-License-Identifier: Apache-2.0
// Catalogs, schemas and volumes. Source: the published Unity Catalog API, 2.1.
#include "api/securables.h"
#include "base/random.h"
#include "pipeline/destination.h"
#include "pipeline/gateway_place.h"

namespace freshet::api {
namespace {

using catalog::Kind;
using catalog::Securable;

Json CatalogToJson(const Context& context, const Securable& securable) {
  Json json{{"name", securable.name()},
            {"catalog_type", "MANAGED_CATALOG"},
            {"isolation_mode", "OPEN"},
            {"securable_type", "CATALOG"},
            {"storage_location", securable.fact("storage_location")}};
  if (auto root = securable.fact("storage_root"); !root.empty()) json["storage_root"] = root;
  if (!securable.options.empty()) json["options"] = ToJson(securable.options);
  AddCommon(context, securable, &json);
  return json;
}

Json SchemaToJson(const Context& context, const Securable& securable) {
  Json json{{"name", securable.name()},
            {"catalog_name", securable.path[0]},
            {"schema_id", securable.id},
            {"catalog_type", "MANAGED_CATALOG"},
            {"storage_location", securable.fact("storage_location")}};
  if (auto root = securable.fact("storage_root"); !root.empty()) json["storage_root"] = root;
  AddCommon(context, securable, &json);
  return json;
}

Json VolumeToJson(const Context& context, const Securable& securable) {
  Json json{{"name", securable.name()},
            {"catalog_name", securable.path[0]},
            {"schema_name", securable.path[1]},
            {"volume_id", securable.id},
            {"volume_type", securable.fact("volume_type")},
            {"storage_location", securable.fact("storage_location")}};
  AddCommon(context, securable, &json);
  return json;
}

/// Where what is managed lies: as said, else in `standard`.
Status TakeStorage(const Context& context, const std::optional<std::string>& root,
                   const std::string& standard, Securable* securable) {
  securable->facts["storage_location"] = catalog::FileUri(standard);
  if (!root || root->empty()) return Status::Ok();
  FRESHET_TRY(auto path, StoragePath(context, "storage_root", *root));
  securable->facts["storage_root"] = *root;
  securable->facts["storage_location"] = catalog::FileUri(path);
  return Status::Ok();
}

Result<Json> CreateCatalog(const Context& context, const Request& request) {
  FRESHET_TRY(auto body, ParseBody(request.body));
  Fields fields(body);
  Securable securable{.kind = Kind::kCatalog,
                      .path = {fields.Required("name")},
                      .comment = fields.Text("comment").value_or("")};
  securable.properties = fields.Texts("properties").value_or(catalog::Texts());
  securable.options = fields.Texts("options").value_or(catalog::Texts());
  auto root = fields.Text("storage_root");
  fields.NotBuilt(
      {"connection_name", "provider_name", "share_name", "managed_encryption_settings"});
  FRESHET_CHECK_OK(fields.Finish());
  FRESHET_CHECK_OK(TakeStorage(context, root,
                               fmt::format("{}/tables/{}", context.data,
                                           pipeline::EncodeName(catalog::Lower(securable.name()))),
                               &securable));
  FRESHET_TRY(auto made, context.catalog->Create(std::move(securable), {}, request.user.name));
  return CatalogToJson(context, made);
}

Result<Json> CreateSchema(const Context& context, const Request& request) {
  FRESHET_TRY(auto body, ParseBody(request.body));
  Fields fields(body);
  Securable securable{.kind = Kind::kSchema,
                      .path = {fields.Required("catalog_name"), fields.Required("name")},
                      .comment = fields.Text("comment").value_or("")};
  securable.properties = fields.Texts("properties").value_or(catalog::Texts());
  auto root = fields.Text("storage_root");
  FRESHET_CHECK_OK(fields.Finish());
  FRESHET_TRY(auto parent, context.catalog->Get(Kind::kCatalog, {securable.path[0]}));
  FRESHET_CHECK_OK(TakeStorage(
      context, root, parent.folder() + "/" + pipeline::EncodeName(catalog::Lower(securable.name())),
      &securable));
  FRESHET_TRY(auto made, context.catalog->Create(std::move(securable), {}, request.user.name));
  return SchemaToJson(context, made);
}

Result<Json> CreateVolume(const Context& context, const Request& request) {
  FRESHET_TRY(auto body, ParseBody(request.body));
  Fields fields(body);
  Securable securable{.kind = Kind::kVolume,
                      .path = {fields.Required("catalog_name"), fields.Required("schema_name"),
                               fields.Required("name")},
                      .comment = fields.Text("comment").value_or("")};
  auto type = fields.Text("volume_type").value_or("MANAGED");
  auto location = fields.Text("storage_location");
  if (type != "MANAGED" && type != "EXTERNAL")
    fields.Fail("volume_type", "is not MANAGED or EXTERNAL");
  if ((type == "EXTERNAL") != location.has_value())
    fields.Fail("storage_location", "is given for EXTERNAL volumes, and for them only");
  FRESHET_CHECK_OK(fields.Finish());
  securable.facts["volume_type"] = type;
  // A place of its own: a volume may be named as one before it was.
  auto path = fmt::format("{}/volumes/{}", context.data, RandomUuid());
  if (location) {
    FRESHET_TRY(path, StoragePath(context, "storage_location", *location));
  }
  securable.facts["storage_location"] = catalog::FileUri(path);
  FRESHET_TRY(auto made, context.catalog->Create(std::move(securable), {}, request.user.name));
  return VolumeToJson(context, made);
}

/// A gateway's staging goes with the gateway; under another name it would be made once more.
Status CheckNoStaging(const Context& context, const Securable& volume) {
  auto gateway = volume.fact("pipeline_id");
  if (gateway.empty() || !context.book->Get(gateway).ok()) return Status::Ok();
  return Error(ErrorClass::INVALID_ARGUMENT, "Volume '{}' is the staging of a gateway: {}",
               catalog::FullName(volume.path), gateway)
      .WithRemedy("Delete the gateway; its volume goes with it.");
}

/// Return the volumes that a deletion takes along: itself, or those in it.
Result<std::vector<Securable>> VolumesOf(const Context& context, Kind kind,
                                         const catalog::Path& path) {
  if (kind != Kind::kVolume) return context.catalog->VolumesIn(path);
  FRESHET_TRY(auto volume, context.catalog->Get(kind, path));
  return std::vector{std::move(volume)};
}

/// The data first: what is left after a crash is still named, and removed by a second try.
Status RemoveLeft(const Context& context, Kind kind, const catalog::Path& path) {
  FRESHET_TRY(auto volumes, VolumesOf(context, kind, path));
  for (const auto& volume : volumes) FRESHET_CHECK_OK(CheckNoStaging(context, volume));
  for (const auto& volume : volumes)
    FRESHET_CHECK_OK(pipeline::RemoveLeftStaging(context.data, volume));
  return Status::Ok();
}

Status DropChecked(const Context& context, Kind kind, const catalog::Path& path, bool force) {
  FRESHET_TRY(auto volumes, VolumesOf(context, kind, path));
  for (const auto& volume : volumes) FRESHET_CHECK_OK(CheckNoStaging(context, volume));
  return context.catalog->Drop(kind, path, force);
}

/// A place of the caller's choice is any folder of the machine that the server can write.
Verdict CheckPlace(const Request& request, const Json& body, std::string_view field) {
  auto place = body.find(std::string(field));
  if (request.user.admin || place == body.end() || *place == "" || place->is_null())
    return std::nullopt;
  return fmt::format("Only administrators can say {}.", field);
}

/// Read what the body would make something in, part by part; nothing: it does not say so, which
/// is the handler's to tell.
std::optional<catalog::Path> ParentOf(const Json& body, std::initializer_list<const char*> fields) {
  catalog::Path path;
  for (const auto* field : fields) {
    auto part = body.find(field);
    if (part == body.end() || !part->is_string() || *part == "") return std::nullopt;
    path.push_back(part->get<std::string>());
  }
  return path;
}

Result<Verdict> MayCreateCatalog(const Context& context, const Request& request) {
  FRESHET_TRY(auto body, ParseBody(request.body));
  if (auto verdict = CheckPlace(request, body, "storage_root")) return verdict;
  FRESHET_TRY(auto missing, context.access->CheckMetastore(request.user, "CREATE_CATALOG"));
  return VerdictOf(missing);
}

Result<Verdict> MayCreateSchema(const Context& context, const Request& request) {
  FRESHET_TRY(auto body, ParseBody(request.body));
  if (auto verdict = CheckPlace(request, body, "storage_root")) return verdict;
  auto parent = ParentOf(body, {"catalog_name"});
  if (!parent) return Verdict();
  FRESHET_TRY(auto verdict,
              CheckPrivilege(context, request.user, "USE_CATALOG", Kind::kCatalog, *parent));
  if (verdict) return verdict;
  return CheckPrivilege(context, request.user, "CREATE_SCHEMA", Kind::kCatalog, *parent);
}

Result<Verdict> MayCreateVolume(const Context& context, const Request& request) {
  FRESHET_TRY(auto body, ParseBody(request.body));
  if (auto verdict = CheckPlace(request, body, "storage_location")) return verdict;
  auto parent = ParentOf(body, {"catalog_name", "schema_name"});
  if (!parent) return Verdict();
  FRESHET_TRY(auto verdict,
              CheckPrivilege(context, request.user, "USE_SCHEMA", Kind::kSchema, *parent));
  if (verdict) return verdict;
  return CheckPrivilege(context, request.user, "CREATE_VOLUME", Kind::kSchema, *parent);
}

using ToJsonOf = Json (*)(const Context&, const Securable&);

template <Kind kind, ToJsonOf to_json>
Result<Json> GetOne(const Context& context, const Request& request) {
  FRESHET_TRY(auto path, catalog::ParseFullName(request.part("name"), PartsOf(kind)));
  FRESHET_TRY(auto found, context.catalog->Get(kind, path));
  return to_json(context, found);
}

template <Kind kind, ToJsonOf to_json>
Result<Json> AlterOne(const Context& context, const Request& request) {
  FRESHET_TRY(auto path, catalog::ParseFullName(request.part("name"), PartsOf(kind)));
  FRESHET_TRY(auto body, ParseBody(request.body));
  Fields fields(body);
  auto change = ReadChange(&fields);
  // The name stands in the path; clients send it once more.
  fields.Ignore({"name", "full_name"});
  if (kind == Kind::kCatalog) change.options = fields.Texts("options");
  fields.NotBuilt(
      {"isolation_mode", "enable_predictive_optimization", "managed_encryption_settings"});
  FRESHET_CHECK_OK(fields.Finish());
  if (kind == Kind::kVolume && change.new_name) {
    FRESHET_TRY(auto volume, context.catalog->Get(kind, path));
    FRESHET_CHECK_OK(CheckNoStaging(context, volume));
  }
  FRESHET_TRY(auto altered, context.catalog->Alter(kind, path, change, request.user.name));
  return to_json(context, altered);
}

template <Kind kind>
Result<Json> DropOne(const Context& context, const Request& request) {
  FRESHET_TRY(auto path, catalog::ParseFullName(request.part("name"), PartsOf(kind)));
  FRESHET_TRY(auto force, request.FlagParameter("force", false));
  if (force || kind == Kind::kVolume) FRESHET_CHECK_OK(RemoveLeft(context, kind, path));
  // A gateway that is made at the same time is there before, or finds no schema.
  FRESHET_CHECK_OK(context.book->Author([&] { return DropChecked(context, kind, path, force); }));
  return Json::object();
}

Result<Json> ListCatalogs(const Context& context, const Request& request) {
  FRESHET_TRY(auto page, PageOf(request));
  FRESHET_TRY(auto found, context.catalog->List(Kind::kCatalog, {}, page));
  FRESHET_TRY(found.items, context.access->Visible(request.user, std::move(found.items)));
  return PageToJson(context, found, "catalogs", CatalogToJson);
}

Result<Json> ListSchemas(const Context& context, const Request& request) {
  FRESHET_TRY(auto page, PageOf(request));
  FRESHET_TRY(auto found,
              context.catalog->List(Kind::kSchema, {request.parameter("catalog_name")}, page));
  FRESHET_TRY(found.items, context.access->Visible(request.user, std::move(found.items)));
  return PageToJson(context, found, "schemas", SchemaToJson);
}

Result<Json> ListVolumes(const Context& context, const Request& request) {
  FRESHET_TRY(auto page, PageOf(request));
  FRESHET_TRY(auto found,
              context.catalog->List(
                  Kind::kVolume,
                  {request.parameter("catalog_name"), request.parameter("schema_name")}, page));
  FRESHET_TRY(found.items, context.access->Visible(request.user, std::move(found.items)));
  return PageToJson(context, found, "volumes", VolumeToJson);
}

/// As description.h says.
constexpr std::string_view kDescription = R"(
Catalog = {name: text, catalog_type: text, isolation_mode: text, securable_type: "CATALOG", storage_location: text,
  storage_root?: text, options?: {*: text}, ...Securable}
NewCatalog = {name: text, comment?: text, properties?: {*: text}, options?: {*: text}, storage_root?: text,
  connection_name?: unbuilt, provider_name?: unbuilt, share_name?: unbuilt, managed_encryption_settings?: unbuilt}
PlaceChange = {...SecurableChange, name?: any, full_name?: any, isolation_mode?: unbuilt,
  enable_predictive_optimization?: unbuilt, managed_encryption_settings?: unbuilt}
Schema = {name: text, catalog_name: text, schema_id: text, catalog_type: text, storage_location: text,
  storage_root?: text, ...Securable}
Volume = {name: text, catalog_name: text, schema_name: text, volume_id: text, volume_type: "MANAGED" | "EXTERNAL",
  storage_location: text, ...Securable}

catalogs.create(NewCatalog): Catalog -- Makes a catalog.
catalogs.list(max_results?: count, page_token?: text): {catalogs: [Catalog], ...Page} -- Lists catalogs.
catalogs.get(): Catalog -- Tells of a catalog.
catalogs.update({...PlaceChange, options?: {*: text}}): Catalog -- Changes a catalog.
catalogs.delete(force?: flag): {} -- Removes a catalog, with what is in it if force says so.

schemas.create({catalog_name: text, name: text, comment?: text, properties?: {*: text}, storage_root?: text}): Schema -- Makes a schema.
schemas.list(catalog_name: text, max_results?: count, page_token?: text): {schemas: [Schema], ...Page} -- Lists a catalog's schemas.
schemas.get(): Schema -- Tells of a schema.
schemas.update(PlaceChange): Schema -- Changes a schema.
schemas.delete(force?: flag): {} -- Removes a schema, with what is in it if force says so.

volumes.create({catalog_name: text, schema_name: text, name: text, comment?: text,
  volume_type?: "MANAGED" | "EXTERNAL", storage_location?: text}): Volume -- Makes a volume.
volumes.list(catalog_name: text, schema_name: text, max_results?: count, page_token?: text): {volumes: [Volume], ...Page} -- Lists a schema's volumes.
volumes.read(): Volume -- Tells of a volume.
volumes.update(PlaceChange): Volume -- Changes a volume.
volumes.delete(): {} -- Removes a volume.
)";

}  // namespace

void AddCatalogs(const Context& context, Router* router) {
  router->Describe(kDescription);
  constexpr std::string_view kCatalogs = "/api/2.1/unity-catalog/catalogs",
                             kCatalog = "/api/2.1/unity-catalog/catalogs/{name}",
                             kSchemas = "/api/2.1/unity-catalog/schemas",
                             kSchema = "/api/2.1/unity-catalog/schemas/{name}",
                             kVolumes = "/api/2.1/unity-catalog/volumes",
                             kVolume = "/api/2.1/unity-catalog/volumes/{name}";
  const RouteAdder add(context, router);
  constexpr std::string_view kManage = "MANAGE";
  add("POST", kCatalogs, "catalogs.create", Rule::Of(MayCreateCatalog), CreateCatalog);
  add("GET", kCatalogs, "catalogs.list", Rule::Anyone(), ListCatalogs);
  add("GET", kCatalog, "catalogs.get", Rule::Seeing(Kind::kCatalog),
      GetOne<Kind::kCatalog, CatalogToJson>);
  add("PATCH", kCatalog, "catalogs.update", Rule::Having(kManage, Kind::kCatalog),
      AlterOne<Kind::kCatalog, CatalogToJson>);
  add("DELETE", kCatalog, "catalogs.delete", Rule::Having(kManage, Kind::kCatalog),
      DropOne<Kind::kCatalog>);
  add("POST", kSchemas, "schemas.create", Rule::Of(MayCreateSchema), CreateSchema);
  add("GET", kSchemas, "schemas.list", Rule::Anyone(), ListSchemas);
  add("GET", kSchema, "schemas.get", Rule::Seeing(Kind::kSchema),
      GetOne<Kind::kSchema, SchemaToJson>);
  add("PATCH", kSchema, "schemas.update", Rule::Having(kManage, Kind::kSchema),
      AlterOne<Kind::kSchema, SchemaToJson>);
  add("DELETE", kSchema, "schemas.delete", Rule::Having(kManage, Kind::kSchema),
      DropOne<Kind::kSchema>);
  add("POST", kVolumes, "volumes.create", Rule::Of(MayCreateVolume), CreateVolume);
  add("GET", kVolumes, "volumes.list", Rule::Anyone(), ListVolumes);
  add("GET", kVolume, "volumes.read", Rule::Seeing(Kind::kVolume),
      GetOne<Kind::kVolume, VolumeToJson>);
  add("PATCH", kVolume, "volumes.update", Rule::Having(kManage, Kind::kVolume),
      AlterOne<Kind::kVolume, VolumeToJson>);
  add("DELETE", kVolume, "volumes.delete", Rule::Having(kManage, Kind::kVolume),
      DropOne<Kind::kVolume>);
}

}  // namespace freshet::api
