// SPDX-License-Identifier: Apache-2.0
// Connections, their types, and what keeps a source from being ingested. Source: the published
// Unity Catalog API, 2.1; `connection-types`, `test` and `discover` are ours.
#include <algorithm>
#include <limits>

#include "api/base64.h"
#include "api/securables.h"
#include "base/server_limits.h"
#include "catalog/connection_types.h"
#include "delta/table.h"
#include "pipeline/connection_settings.h"
#include "pipeline/findings.h"
#include "pipeline/spec.h"

namespace freshet::api {
namespace {

using catalog::Kind;
using catalog::Securable;

Json ConnectionToJson(const Context& context, const Securable& connection) {
  Json json{{"name", connection.name()},
            {"connection_type", connection.fact("connection_type")},
            {"credential_type", connection.fact("credential_type")},
            {"options", ToJson(connection.options)},
            {"read_only", connection.fact("read_only") == "true"},
            {"connection_id", connection.id},
            {"securable_type", "CONNECTION"},
            {"provisioning_info", {{"state", "ACTIVE"}}}};
  if (auto host = connection.options.find("host"); host != connection.options.end()) {
    auto port = connection.options.find("port");
    json["url"] = host->second + (port == connection.options.end() ? "" : ":" + port->second);
  }
  AddCommon(context, connection, &json);
  return json;
}

Result<const catalog::ConnectionType*> TypeNamed(const std::string& name) {
  if (const auto* type = catalog::ConnectionTypeNamed(name); type != nullptr) return type;
  return Error(ErrorClass::INVALID_ARGUMENT, "there is no connection type '{}'", name)
      .WithRemedy("GET /api/2.1/unity-catalog/connection-types lists them.");
}

std::vector<std::string> NamesOf(const catalog::Secrets& secrets) {
  std::vector<std::string> names;
  for (const auto& [name, secret] : secrets) names.push_back(name);
  return names;
}

Result<Json> CreateConnection(const Context& context, const Request& request) {
  FRESHET_TRY(auto body, ParseBody(request.body));
  Fields fields(body);
  Securable connection{.kind = Kind::kConnection,
                       .path = {fields.Required("name")},
                       .comment = fields.Text("comment").value_or("")};
  auto type_name = fields.Required("connection_type");
  auto options = fields.Texts("options").value_or(catalog::Texts());
  connection.properties = fields.Texts("properties").value_or(catalog::Texts());
  connection.facts["read_only"] = fields.Flag("read_only").value_or(true) ? "true" : "false";
  fields.NotBuilt({"environment_settings", "parent", "secrets"});
  FRESHET_CHECK_OK(fields.Finish());
  FRESHET_TRY(const auto* type, TypeNamed(type_name));
  FRESHET_TRY(auto split, catalog::Split(*type, options));
  FRESHET_TRY(auto credential, catalog::CredentialOf(*type, split.plain, NamesOf(split.secrets)));
  connection.facts["connection_type"] = type_name;
  connection.facts["credential_type"] = credential;
  connection.options = std::move(split.plain);
  FRESHET_TRY(auto made,
              context.catalog->Create(std::move(connection), split.secrets, request.user.name));
  return ConnectionToJson(context, made);
}

Result<Securable> Named(const Context& context, const Request& request) {
  FRESHET_TRY(auto path, catalog::ParseFullName(request.part("name"), 1));
  return context.catalog->Get(Kind::kConnection, path);
}

/// Empty: it has a gateway that has one.
std::string ConnectionOf(const pipeline::PipelineRecord& record) {
  if (auto gateway = pipeline::GatewayOf(record); gateway.ok()) return gateway->connection_name;
  auto definition = pipeline::DefinitionOf(record);
  return definition.ok() ? definition->connection_name : "";
}

/// A pipeline without its connection could neither run nor give up its slot at the source, which
/// then keeps the server's log for ever.
Status CheckUnused(const Context& context, const Securable& connection) {
  FRESHET_TRY(auto pipelines, context.book->List({.rows = std::numeric_limits<int64_t>::max()}));
  for (const auto& each : pipelines) {
    auto used = catalog::ParseFullName(ConnectionOf(each), 1);
    if (!used.ok() || catalog::KeyOf(*used) != catalog::KeyOf(connection.path)) continue;
    return Error(ErrorClass::DESTINATION_BUSY, "Connection '{}' is used by the pipeline '{}' ({}).",
                 catalog::FullName(connection.path), each.name, each.id)
        .WithRemedy("Delete the pipeline first; its tables stay with cascade=false.");
  }
  return Status::Ok();
}

Result<Json> GetConnection(const Context& context, const Request& request) {
  FRESHET_TRY(auto connection, Named(context, request));
  return ConnectionToJson(context, connection);
}

Result<Json> ListConnections(const Context& context, const Request& request) {
  FRESHET_TRY(auto page, PageOf(request));
  FRESHET_TRY(auto found, context.catalog->List(Kind::kConnection, {}, page));
  FRESHET_TRY(found.items, context.access->Visible(request.user, std::move(found.items)));
  return PageToJson(context, found, "connections", ConnectionToJson);
}

/// Options that are not secret are replaced as a whole; stored secrets stay unless they are sent
/// again.
Result<Json> AlterConnection(const Context& context, const Request& request) {
  FRESHET_TRY(auto connection, Named(context, request));
  FRESHET_TRY(auto body, ParseBody(request.body));
  Fields fields(body);
  auto change = ReadChange(&fields);
  auto options = fields.Texts("options");
  fields.Ignore({"name", "name_arg"});
  fields.NotBuilt({"environment_settings", "secrets"});
  FRESHET_CHECK_OK(fields.Finish());
  if (change.new_name) FRESHET_CHECK_OK(CheckUnused(context, connection));
  if (options) {
    FRESHET_TRY(const auto* type, TypeNamed(connection.fact("connection_type")));
    FRESHET_TRY(auto split, catalog::Split(*type, *options));
    FRESHET_TRY(auto stored, context.catalog->SecretsOf(connection));
    auto names = NamesOf(stored);
    if (connection.options.contains("user")) names.emplace_back("user");
    std::ranges::copy(NamesOf(split.secrets), std::back_inserter(names));
    FRESHET_TRY(auto credential, catalog::CredentialOf(*type, split.plain, names));
    change.facts["credential_type"] = credential;
    // Clients of the published API, which does not tell it, do not send it again.
    auto user = connection.options.find("user");
    if (user != connection.options.end()) split.plain.insert(*user);
    change.options = std::move(split.plain);
    change.secrets = std::move(split.secrets);
  }
  FRESHET_TRY(auto altered, context.catalog->Alter(Kind::kConnection, connection.path, change,
                                                   request.user.name));
  return ConnectionToJson(context, altered);
}

Result<Json> DropConnection(const Context& context, const Request& request) {
  FRESHET_TRY(auto connection, Named(context, request));
  FRESHET_CHECK_OK(CheckUnused(context, connection));
  FRESHET_CHECK_OK(context.catalog->Drop(Kind::kConnection, connection.path, true));
  return Json::object();
}

Json FindingToJson(const sources::Finding& finding) {
  Json json{{"fatal", finding.fatal},
            {"error_class", NameOf(finding.problem.error_class())},
            {"message", finding.problem.ToString()}};
  if (finding.table) json["table"] = finding.table->ToString();
  if (!finding.problem.remedy().empty()) json["remedy"] = finding.problem.remedy();
  return json;
}

Result<pipeline::SourceSettings> SettingsOf(const Context& context,
                                            const catalog::Securable& connection,
                                            const std::string& database) {
  FRESHET_TRY(auto secrets, context.catalog->SecretsOf(connection));
  FRESHET_TRY(auto settings,
              pipeline::SettingsOf(connection, secrets, database, context.data + "/connections"));
  pipeline::LimitSession(&settings);
  return settings;
}

/// What keeps the connection's database from being ingested, all of it at once.
Result<Json> TestConnection(const Context& context, const Request& request) {
  FRESHET_TRY(auto connection, Named(context, request));
  FRESHET_TRY(auto body, ParseBody(request.body));
  Fields fields(body);
  auto database = fields.Text("source_catalog").value_or("postgres");
  FRESHET_CHECK_OK(fields.Finish());
  FRESHET_TRY(auto settings, SettingsOf(context, connection, database));
  std::vector<sources::Finding> findings;
  auto source = context.open_source(settings);
  if (source.ok()) {
    findings = pipeline::FindingsOf(**source);
  } else {
    findings.push_back({.table = std::nullopt, .problem = source.status()});
  }
  auto list = Json::array();
  for (const auto& finding : findings) list.push_back(FindingToJson(finding));
  bool passed = std::ranges::none_of(
      findings, [](const auto& finding) { return finding.fatal && !finding.table; });
  return Json{{"passed", passed}, {"findings", list}};
}

Json ColumnsToJson(const record::TableShape& shape) {
  auto columns = Json::array();
  for (int i = 0; i < shape.width(); ++i) {
    const auto at = static_cast<size_t>(i);
    const auto& field = *shape.schema->field(i);
    columns.push_back(
        {{"name", field.name()},
         {"source_type", at < shape.source_types.size() ? shape.source_types[at] : ""},
         {"delta_type", delta::TypeName(*field.type())}});
  }
  return columns;
}

/// A table as it would be ingested; nothing: it went since it was listed.
Result<std::optional<Json>> DiscoveredToJson(sources::Source& source,
                                             const sources::TableListing& listing) {
  Json json{{"source_schema", listing.name.schema}, {"source_table", listing.name.table}};
  if (listing.rows_estimated >= 0) json["rows_estimated"] = listing.rows_estimated;
  auto why = listing.problem;
  if (why.ok()) {
    auto shape = source.Describe(listing.id);
    if (shape.status().Is(ErrorClass::NOT_FOUND)) return std::optional<Json>();
    if (shape.status().Is(ErrorClass::SOURCE_UNREACHABLE)) return shape.status();
    why = shape.ok() ? listing.unlogged : shape.status();
    json["ingestible"] = shape.ok();
    if (shape.ok()) {
      json["columns"] = ColumnsToJson(*shape);
      auto key = Json::array();
      for (int ordinal : shape->key) key.push_back(shape->schema->field(ordinal)->name());
      json["primary_keys"] = key;
    }
  } else {
    json["ingestible"] = false;
  }
  json["logged"] = listing.unlogged.ok();
  json["by_name_only"] = listing.derived;
  if (why.ok()) return std::optional(std::move(json));
  json["error_class"] = NameOf(why.error_class());
  json["message"] = why.ToString();
  if (!why.remedy().empty()) json["remedy"] = why.remedy();
  return std::optional(std::move(json));
}

/// What of a database is asked for.
struct Wanted {
  pipeline::PipelineSpec spec{};
  size_t rows = limits::kDiscoveredMax;
  std::optional<record::TableName> after{};  // a page's last one
};

/// A name goes to the client in base64: it may hold what JSON does not.
std::string PageTokenOf(const record::TableName& name) {
  return ToBase64(catalog::FullName({name.schema, name.table}));
}

Result<record::TableName> ReadPageToken(const std::string& token) {
  auto name = catalog::ParseFullName(FromBase64(token).value_or(""), 2);
  if (name.ok()) return record::TableName{(*name)[0], (*name)[1]};
  return Error(ErrorClass::INVALID_ARGUMENT, "page_token is of no list: '{}'", token);
}

/// The source's tables by name, as many as one page takes.
Result<Json> TablesToJson(sources::Source& source, const Wanted& wanted) {
  FRESHET_TRY(auto listings, source.ListTables());
  std::erase_if(listings, [&](const auto& listing) {
    return !wanted.spec.Selects(listing.name) || (wanted.after && !(*wanted.after < listing.name));
  });
  std::ranges::sort(listings, {}, [](const auto& listing) { return listing.name; });
  const bool more = listings.size() > wanted.rows;
  if (more) listings.resize(wanted.rows);
  auto list = Json::array();
  for (const auto& listing : listings) {
    FRESHET_TRY(auto json, DiscoveredToJson(source, listing));
    if (json) list.push_back(*std::move(json));
  }
  Json answer{{"tables", list}};
  if (more) answer["next_page_token"] = PageTokenOf(listings.back().name);
  return answer;
}

Result<Wanted> ReadWanted(Fields* fields) {
  Wanted wanted;
  auto patterns = fields->List("tables").value_or(std::vector<std::string>());
  auto rows = fields->Number("max_results").value_or(0);
  auto token = fields->Text("page_token").value_or("");
  if (rows < 0) fields->Fail("max_results", "is not a number of 0 or more");
  FRESHET_CHECK_OK(fields->Finish());
  if (rows > 0) wanted.rows = std::min(static_cast<size_t>(rows), wanted.rows);
  if (!token.empty()) {
    FRESHET_TRY(wanted.after, ReadPageToken(token));
  }
  FRESHET_TRY(wanted.spec.tables, pipeline::ParsePatterns(patterns));
  return wanted;
}

/// What there is to ingest in the connection's database.
Result<Json> DiscoverTables(const Context& context, const Request& request) {
  FRESHET_TRY(auto connection, Named(context, request));
  FRESHET_TRY(auto body, ParseBody(request.body));
  Fields fields(body);
  auto database = fields.Required("source_catalog");
  FRESHET_TRY(auto wanted, ReadWanted(&fields));
  FRESHET_TRY(auto settings, SettingsOf(context, connection, database));
  auto source = context.open_source(settings);
  // What a client would take for the connection's absence, or for a server that is busy and is
  // asked again by itself, is neither.
  const auto code = source.status().code();
  if (code == Code::kUnavailable || code == Code::kNotFound)
    return Error(ErrorClass::SOURCE_CHANGED, "{}", source.status().ToString());
  FRESHET_CHECK_OK(source);
  return TablesToJson(**source, wanted);
}

Json TypeToJson(const catalog::ConnectionType& type) {
  auto options = Json::array();
  for (const auto& option : type.options) {
    Json each{
        {"name", option.name}, {"secret", option.secret}, {"description", option.description}};
    if (!option.standard.empty()) each["default"] = option.standard;
    options.push_back(std::move(each));
  }
  auto modes = Json::array();
  for (const auto& mode : type.modes)
    modes.push_back(
        {{"credential_type", mode.credential_type}, {"required_options", mode.required}});
  return {{"connection_type", type.name},
          {"supported", type.built},
          {"options", options},
          {"credentials", modes},
          {"other_options", type.open}};
}

Result<Json> ListTypes(const Context&, const Request&) {
  auto types = Json::array();
  for (const auto& type : catalog::ConnectionTypes()) types.push_back(TypeToJson(type));
  return Json{{"connection_types", types}};
}

/// As description.h says.
constexpr std::string_view kDescription = R"(
Connection = {name: text, connection_type: text, credential_type: text, options: {*: text}, read_only: flag,
  connection_id: text, securable_type: "CONNECTION", provisioning_info: {state: text}, url?: text, ...Securable}
NewConnection = {name: text, connection_type: text, comment?: text, options?: {*: text}, properties?: {*: text},
  read_only?: flag, environment_settings?: unbuilt, parent?: unbuilt, secrets?: unbuilt}
ConnectionChange = {...SecurableChange, options?: {*: text}, name?: any, name_arg?: any,
  environment_settings?: unbuilt, secrets?: unbuilt}
ConnectionType = {connection_type: text, supported: flag, other_options: flag,
  options: [{name: text, secret: flag, description: text, default?: text}],
  credentials: [{credential_type: text, required_options: [text]}]}
Finding = {fatal: flag, error_class: text, message: text, table?: text, remedy?: text}
DiscoveredTable = {source_schema: text, source_table: text, rows_estimated?: count, ingestible: flag, logged: flag,
  by_name_only: flag, columns?: [{name: text, source_type: text, delta_type: text}], primary_keys?: [text],
  error_class?: text, message?: text, remedy?: text}

connections.create(NewConnection): Connection -- Makes a connection; its secrets are kept sealed.
connections.list(max_results?: count, page_token?: text): {connections: [Connection], ...Page} -- Lists connections.
connections.get(): Connection -- Tells of a connection, but not its secrets.
connections.update(ConnectionChange): Connection -- Changes a connection.
connections.delete(): {} -- Removes a connection that no pipeline uses.
connections.test({source_catalog?: text}): {passed: flag, findings: [Finding]} -- Tells what keeps its database from being ingested.
connections.discover({source_catalog: text, tables?: [text], max_results?: count, page_token?: text}):
  {tables: [DiscoveredTable], ...Page} -- Tells what there is to ingest.
connections.list_types(): {connection_types: [ConnectionType]} -- Lists the types of connections with their options.
)";

}  // namespace

void AddConnections(const Context& context, Router* router) {
  router->Describe(kDescription);
  constexpr std::string_view kAll = "/api/2.1/unity-catalog/connections",
                             kOne = "/api/2.1/unity-catalog/connections/{name}",
                             kTest = "/api/2.1/unity-catalog/connections/{name}/test",
                             kDiscover = "/api/2.1/unity-catalog/connections/{name}/discover",
                             kTypes = "/api/2.1/unity-catalog/connection-types";
  const RouteAdder add(context, router);
  add("POST", kAll, "connections.create", Rule::HavingOnMetastore("CREATE_CONNECTION"),
      CreateConnection);
  add("GET", kAll, "connections.list", Rule::Anyone(), ListConnections);
  add("GET", kOne, "connections.get", Rule::Seeing(Kind::kConnection), GetConnection);
  add("PATCH", kOne, "connections.update", Rule::Having("MANAGE", Kind::kConnection),
      AlterConnection);
  add("DELETE", kOne, "connections.delete", Rule::Having("MANAGE", Kind::kConnection),
      DropConnection);
  add.Visiting("POST", kTest, "connections.test", Rule::Having("USE_CONNECTION", Kind::kConnection),
               TestConnection);
  add.Visiting("POST", kDiscover, "connections.discover",
               Rule::Having("USE_CONNECTION", Kind::kConnection), DiscoverTables);
  add("GET", kTypes, "connections.list_types", Rule::Anyone(), ListTypes);
}

}  // namespace freshet::api
