// SPDX-License-Identifier: Apache-2.0
// Users, groups and service principals. Source: the published SCIM API, 2.0; RFC 7643 and 7644.
#include <algorithm>

#include "api/context.h"
#include "api/scim_filter.h"
#include "base/random.h"
#include "base/server_limits.h"

namespace freshet::api {
namespace {

using catalog::Principal;
using catalog::PrincipalChange;
using catalog::PrincipalKind;

/// What is particular to one kind.
struct Resource {
  PrincipalKind kind;
  std::string_view plural, schema, name_field;
};
constexpr Resource kUsers{PrincipalKind::kUser, "Users",
                          "urn:ietf:params:scim:schemas:core:2.0:User", "userName"};
constexpr Resource kGroups{PrincipalKind::kGroup, "Groups",
                           "urn:ietf:params:scim:schemas:core:2.0:Group", "displayName"};
constexpr Resource kServices{PrincipalKind::kService, "ServicePrincipals",
                             "urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal",
                             "applicationId"};

const Resource& ResourceOf(PrincipalKind kind) {
  if (kind == PrincipalKind::kUser) return kUsers;
  return kind == PrincipalKind::kGroup ? kGroups : kServices;
}

ScimFields FieldsOf(const Resource& resource) {
  ScimFields fields{{"id", "id"}, {"externalid", "external_id"}};
  if (resource.kind != PrincipalKind::kGroup) fields["displayname"] = "display_name";
  fields[catalog::Lower(resource.name_field)] = "name";
  return fields;
}

/// As a member of something, or as a group that somebody is in.
Json ReferenceTo(const Principal& principal) {
  bool group = principal.kind == PrincipalKind::kGroup;
  return {{"display",
           group || principal.display_name.empty() ? principal.name : principal.display_name},
          {"value", std::to_string(principal.id)},
          {"type", "direct"},
          {"$ref", fmt::format("{}/{}", ResourceOf(principal.kind).plural, principal.id)}};
}

Json ReferencesTo(const std::vector<Principal>& principals) {
  auto list = Json::array();
  for (const auto& each : principals) list.push_back(ReferenceTo(each));
  return list;
}

Result<Json> PrincipalToJson(const Context& context, const Principal& principal) {
  const auto& resource = ResourceOf(principal.kind);
  Json json{{"schemas", Json::array({resource.schema})},
            {"id", std::to_string(principal.id)},
            {resource.name_field, principal.name}};
  if (!principal.external_id.empty()) json["externalId"] = principal.external_id;
  if (principal.kind == PrincipalKind::kGroup) {
    FRESHET_TRY(auto members, context.principals->Members(principal.id));
    json["members"] = ReferencesTo(members);
    json["meta"] = {{"resourceType", "WorkspaceGroup"}};
  } else {
    json["displayName"] = principal.display_name;
    json["active"] = principal.active;
  }
  auto details = ParseJson<Json>(principal.details);
  if (details.is_object()) json.update(details);
  if (principal.kind == PrincipalKind::kUser && !json.contains("emails")) {
    json["emails"] =
        Json::array({{{"value", principal.name}, {"type", "work"}, {"primary", true}}});
  }
  FRESHET_TRY(auto groups, context.principals->GroupsOf(principal));
  json["groups"] = ReferencesTo(groups);
  return json;
}

/// Keep what is asked for by name; what a resource is found by always stays.
void Project(const Request& request, Json* json) {
  auto names_of = [&](const char* parameter) {
    std::vector<std::string> names;
    auto text = catalog::Lower(request.parameter(parameter)) + ",";
    for (size_t comma = text.find(','); comma != std::string::npos; comma = text.find(',')) {
      if (comma > 0) names.push_back(text.substr(0, text.find_first_of(".,")));
      text.erase(0, comma + 1);
    }
    return names;
  };
  auto wanted = names_of("attributes"), unwanted = names_of("excludedAttributes");
  Json kept = Json::object();
  for (const auto& [name, value] : json->items()) {
    auto lower = catalog::Lower(name);
    bool keep = wanted.empty() || std::ranges::find(wanted, lower) != wanted.end();
    keep &= std::ranges::find(unwanted, lower) == unwanted.end();
    if (keep || name == "id" || name == "schemas") kept[name] = value;
  }
  *json = std::move(kept);
}

Result<std::vector<int64_t>> ReadMembers(const Json& list, std::string_view place) {
  std::vector<int64_t> members;
  // One alone comes without its list.
  for (const auto& each : list.is_array() ? list : Json::array({list})) {
    Fields fields(each, std::string(place));
    auto value = fields.Required("value");
    fields.Ignore({"display", "type", "$ref", "primary", "ref"});
    FRESHET_CHECK_OK(fields.Finish());
    FRESHET_TRY(auto id, NumberOf(value));
    members.push_back(id);
  }
  return members;
}

/// What was said of a user besides what we know: told again as it came.
std::string ReadDetails(Fields* fields) {
  auto details = Json::object();
  if (const auto* name = fields->Object("name"); name != nullptr) details["name"] = *name;
  if (const auto* emails = fields->Array("emails"); emails != nullptr) details["emails"] = *emails;
  return JsonText(details);
}

/// What a create or a replacement says.
struct Authored {
  Principal principal{};
  std::vector<int64_t> members{};
};

Result<Authored> ReadPrincipal(const Resource& resource, const Json& body) {
  Authored authored;
  auto& principal = authored.principal;
  Fields fields(body);
  principal.kind = resource.kind;
  principal.name = fields.Text(resource.name_field).value_or("");
  principal.external_id = fields.Text("externalId").value_or("");
  const Json* members = nullptr;
  if (resource.kind == PrincipalKind::kGroup) {
    members = fields.Any("members");
  } else {
    principal.display_name = fields.Text("displayName").value_or("");
    principal.active = fields.Flag("active").value_or(true);
  }
  if (resource.kind == PrincipalKind::kUser) principal.details = ReadDetails(&fields);
  if (resource.kind == PrincipalKind::kService && principal.name.empty())
    principal.name = RandomUuid();
  // A user's groups are said by the groups; whoever can log in may use all that he has rights on.
  fields.Ignore({"schemas", "id", "meta"});
  fields.NotBuilt({"groups", "roles", "entitlements"});
  if (principal.name.empty()) fields.Fail(resource.name_field, "is missing");
  if (principal.display_name.size() > limits::kNameBytesMax)
    fields.Fail("displayName", fmt::format("is longer than {} bytes", limits::kNameBytesMax));
  FRESHET_CHECK_OK(fields.Finish());
  if (members != nullptr) {
    FRESHET_TRY(authored.members, ReadMembers(*members, "members"));
  }
  return authored;
}

template <const Resource& resource>
Result<Json> Create(const Context& context, const Request& request) {
  FRESHET_TRY(auto body, ParseBody(request.body));
  FRESHET_TRY(auto authored, ReadPrincipal(resource, body));
  FRESHET_TRY(auto made, context.principals->Create(authored.principal, authored.members));
  return PrincipalToJson(context, made);
}

template <const Resource& resource>
Result<Principal> Named(const Context& context, const Request& request) {
  auto id = NumberOf(request.part("id"));
  if (id.ok()) return context.principals->Get(resource.kind, *id);
  return Error(ErrorClass::NOT_FOUND, "{} with id {} not found.", NameOf(resource.kind),
               request.part("id"));
}

template <const Resource& resource>
Result<Json> Get(const Context& context, const Request& request) {
  FRESHET_TRY(auto found, Named<resource>(context, request));
  FRESHET_TRY(auto json, PrincipalToJson(context, found));
  Project(request, &json);
  return json;
}

template <const Resource& resource>
Result<Json> List(const Context& context, const Request& request) {
  auto fields = FieldsOf(resource);
  catalog::PrincipalRequest wanted;
  FRESHET_TRY(wanted.any_of, ParseScimFilter(request.parameter("filter"), fields));
  if (auto by = catalog::Lower(request.parameter("sortBy")); !by.empty()) {
    if (!fields.contains(by))
      return Error(ErrorClass::INVALID_ARGUMENT, "sortBy is none of its attributes: '{}'", by);
    wanted.order = fields[by];
  }
  auto way = catalog::Lower(request.parameter("sortOrder"));
  wanted.descending = way == "descending";
  if (request.query.contains("sortOrder") && way != "ascending" && !wanted.descending)
    return Error(ErrorClass::INVALID_ARGUMENT, "sortOrder is not ascending or descending: '{}'",
                 way);
  FRESHET_TRY(auto start, request.NumberParameter("startIndex", 1));
  FRESHET_TRY(auto count, request.NumberParameter("count", limits::kPageRowsMax));
  wanted.skip = std::max<int64_t>(start, 1) - 1;
  wanted.rows = std::min(count, limits::kPageRowsMax);
  FRESHET_TRY(auto page, context.principals->List(resource.kind, wanted));
  auto items = Json::array();
  for (const auto& each : page.items) {
    FRESHET_TRY(auto json, PrincipalToJson(context, each));
    Project(request, &json);
    items.push_back(std::move(json));
  }
  return Json{{"schemas", {"urn:ietf:params:scim:api:messages:2.0:ListResponse"}},
              {"totalResults", page.total},
              {"startIndex", wanted.skip + 1},
              {"itemsPerPage", page.items.size()},
              {"Resources", items}};
}

/// `true`, or its text: clients send both.
std::optional<bool> FlagOf(const Json& value) {
  if (value.is_boolean()) return value.get<bool>();
  auto text = value.is_string() ? catalog::Lower(value.get<std::string>()) : "";
  if (text == "true" || text == "false") return text == "true";
  return std::nullopt;
}

Status Unusable(std::string_view what, const std::string& path) {
  return Error(ErrorClass::INVALID_ARGUMENT, "Operations: {} is not supported for the path '{}'",
               what, path);
}

/// Set one attribute that is no list.
Status SetAttribute(const Resource& resource, const std::string& path, const Json& value,
                    PrincipalChange* change) {
  auto name = catalog::Lower(path);
  if (name == "active" && resource.kind != PrincipalKind::kGroup) {
    change->active = FlagOf(value);
    return change->active ? Status::Ok() : Unusable("a value that is not true or false", path);
  }
  if (!value.is_string()) return Unusable("a value that is no text", path);
  auto text = value.get<std::string>();
  if (text.size() > limits::kNameBytesMax) return Unusable("a value of this length", path);
  if (name == "externalid") {
    change->external_id = text;
  } else if (name == catalog::Lower(resource.name_field)) {
    change->name = text;
  } else if (name == "displayname") {
    change->display_name = text;
  } else {
    return Unusable("a change", path);
  }
  return Status::Ok();
}

Status ReadMemberOperation(const std::string& op, const std::string& path, const Json* value,
                           PrincipalChange* change) {
  if (path != "members") {
    if (op != "remove") return Unusable(op, path);
    FRESHET_TRY(auto member, ParseMemberPath(path));
    change->remove_members.push_back(member);
    return Status::Ok();
  }
  std::vector<int64_t> members;
  if (value != nullptr) {
    FRESHET_TRY(members, ReadMembers(*value, "Operations.value"));
  }
  if (op == "replace" || (op == "remove" && value == nullptr)) {
    change->set_members = members;
  } else {
    auto& to = op == "add" ? change->add_members : change->remove_members;
    to.insert(to.end(), members.begin(), members.end());
  }
  return Status::Ok();
}

Status ReadOperation(const Resource& resource, const Json& operation, PrincipalChange* change) {
  Fields fields(operation, "Operations");
  auto op = catalog::Lower(fields.Required("op"));
  auto path = fields.Text("path").value_or("");
  const auto* value = fields.Any("value");
  if (op != "add" && op != "remove" && op != "replace")
    fields.Fail("op", "is not add, remove or replace");
  FRESHET_CHECK_OK(fields.Finish());
  bool group = resource.kind == PrincipalKind::kGroup;
  if (group && path.starts_with("members")) return ReadMemberOperation(op, path, value, change);
  if (op == "remove" || value == nullptr) return Unusable(op, path);
  if (!path.empty()) return SetAttribute(resource, path, *value, change);
  if (!value->is_object()) return Unusable("a value that is no object", path);
  for (const auto& [name, each] : value->items()) {
    if (group && name == "members") {
      FRESHET_CHECK_OK(ReadMemberOperation(op, name, &each, change));
    } else if (name != "schemas") {
      FRESHET_CHECK_OK(SetAttribute(resource, name, each, change));
    }
  }
  return Status::Ok();
}

template <const Resource& resource>
Result<Json> Patch(const Context& context, const Request& request) {
  FRESHET_TRY(auto found, Named<resource>(context, request));
  FRESHET_TRY(auto body, ParseBody(request.body));
  Fields fields(body);
  const auto* operations = fields.Array("Operations");
  fields.Ignore({"schemas", "id"});
  FRESHET_CHECK_OK(fields.Finish());
  PrincipalChange change;
  if (operations != nullptr) {
    for (const auto& operation : *operations)
      FRESHET_CHECK_OK(ReadOperation(resource, operation, &change));
  }
  FRESHET_TRY(auto altered, context.principals->Alter(resource.kind, found.id, change));
  return PrincipalToJson(context, altered);
}

template <const Resource& resource>
Result<Json> Replace(const Context& context, const Request& request) {
  FRESHET_TRY(auto found, Named<resource>(context, request));
  FRESHET_TRY(auto body, ParseBody(request.body));
  // Clients leave out what cannot change.
  if (!body.contains(std::string(resource.name_field)))
    body[std::string(resource.name_field)] = found.name;
  FRESHET_TRY(auto authored, ReadPrincipal(resource, body));
  const auto& principal = authored.principal;
  PrincipalChange change{.name = principal.name,
                         .display_name = principal.display_name,
                         .external_id = principal.external_id,
                         .details = principal.details,
                         .active = principal.active};
  bool fixed = resource.kind != PrincipalKind::kGroup || found.name == catalog::kEverybody;
  if (!fixed) change.set_members = authored.members;
  FRESHET_TRY(auto altered, context.principals->Alter(resource.kind, found.id, change));
  return PrincipalToJson(context, altered);
}

template <const Resource& resource>
Result<Json> Remove(const Context& context, const Request& request) {
  FRESHET_TRY(auto found, Named<resource>(context, request));
  FRESHET_CHECK_OK(context.principals->Remove(resource.kind, found.id));
  return Json::object();
}

Result<Json> Me(const Context& context, const Request& request) {
  FRESHET_TRY(auto found, context.principals->Get(request.user.kind, request.user.id));
  FRESHET_TRY(auto json, PrincipalToJson(context, found));
  // A service principal calls itself so too.
  json["userName"] = found.name;
  Project(request, &json);
  return json;
}

template <const Resource& resource>
void AddResource(const RouteAdder& add, std::string_view all, std::string_view one,
                 const std::array<std::string_view, 6>& operations) {
  // Whoever is in a group, or may be granted something, is no secret among those who are in.
  add("GET", all, operations[0], Rule::Anyone(), List<resource>);
  add("POST", all, operations[1], Rule::Admins(), Create<resource>);
  add("GET", one, operations[2], Rule::Anyone(), Get<resource>);
  add("PATCH", one, operations[3], Rule::Admins(), Patch<resource>);
  add("PUT", one, operations[4], Rule::Admins(), Replace<resource>);
  add("DELETE", one, operations[5], Rule::Admins(), Remove<resource>);
}

/// As description.h says.
constexpr std::string_view kDescription = R"(
# A group's member, or a group that somebody is in.
Reference = {value: text, display?: any, type?: any, $ref?: any, primary?: any, ref?: any}
SentPrincipal = {externalId?: text, schemas?: any, id?: any, meta?: any,
  groups?: unbuilt, roles?: unbuilt, entitlements?: unbuilt}
UserDetails = {displayName?: text, active?: flag, name?: {*: any}, emails?: [any]}
NewUser = {userName: text, ...UserDetails, ...SentPrincipal}
SentUser = {userName?: text, ...UserDetails, ...SentPrincipal}
SentService = {applicationId?: text, displayName?: text, active?: flag, ...SentPrincipal}
GroupMembers = {members?: [Reference] | Reference}
NewGroup = {displayName: text, ...GroupMembers, ...SentPrincipal}
SentGroup = {displayName?: text, ...GroupMembers, ...SentPrincipal}
PrincipalPatch = {Operations?: [{op: text, path?: text, value?: any}], schemas?: any, id?: any}

# What is asked for by `attributes` is told; these two always are.
Principal = {schemas: [text], id: text, externalId?: text, groups?: [Reference]}
User = {...Principal, userName?: text, ...UserDetails}
ServicePrincipal = {...Principal, applicationId?: text, displayName?: text, active?: flag}
Group = {...Principal, displayName?: text, members?: [Reference], meta?: {resourceType: text}}
Listed = {schemas: [text], totalResults: count, startIndex: count, itemsPerPage: count}

current_user.me(attributes?: text, excludedAttributes?: text): {...User, applicationId?: text} -- Tells who asks.

users.list(attributes?: text, count?: count, excludedAttributes?: text, filter?: text, sortBy?: text,
  sortOrder?: "ascending" | "descending", startIndex?: count): {...Listed, Resources: [User]} -- Lists users.
users.create(NewUser): User -- Makes a user.
users.get(attributes?: text, excludedAttributes?: text): User -- Tells of a user.
users.patch(PrincipalPatch): User -- Changes some of a user.
users.update(SentUser): User -- Replaces what is said of a user.
users.delete(): {} -- Removes a user.

groups.list(attributes?: text, count?: count, excludedAttributes?: text, filter?: text, sortBy?: text,
  sortOrder?: "ascending" | "descending", startIndex?: count): {...Listed, Resources: [Group]} -- Lists groups.
groups.create(NewGroup): Group -- Makes a group.
groups.get(attributes?: text, excludedAttributes?: text): Group -- Tells of a group.
groups.patch(PrincipalPatch): Group -- Changes some of a group.
groups.update(SentGroup): Group -- Replaces what is said of a group.
groups.delete(): {} -- Removes a group.

service_principals.list(attributes?: text, count?: count, excludedAttributes?: text, filter?: text, sortBy?: text,
  sortOrder?: "ascending" | "descending", startIndex?: count): {...Listed, Resources: [ServicePrincipal]} -- Lists service principals.
service_principals.create(SentService): ServicePrincipal -- Makes a service principal.
service_principals.get(attributes?: text, excludedAttributes?: text): ServicePrincipal -- Tells of a service principal.
service_principals.patch(PrincipalPatch): ServicePrincipal -- Changes some of a service principal.
service_principals.update(SentService): ServicePrincipal -- Replaces what is said of a service principal.
service_principals.delete(): {} -- Removes a service principal.
)";

}  // namespace

void AddPrincipals(const Context& context, Router* router) {
  router->Describe(kDescription);
  const RouteAdder add(context, router);
  add("GET", "/api/2.0/preview/scim/v2/Me", "current_user.me", Rule::Anyone(), Me);
  AddResource<kUsers>(
      add, "/api/2.0/preview/scim/v2/Users", "/api/2.0/preview/scim/v2/Users/{id}",
      {"users.list", "users.create", "users.get", "users.patch", "users.update", "users.delete"});
  AddResource<kGroups>(add, "/api/2.0/preview/scim/v2/Groups",
                       "/api/2.0/preview/scim/v2/Groups/{id}",
                       {"groups.list", "groups.create", "groups.get", "groups.patch",
                        "groups.update", "groups.delete"});
  AddResource<kServices>(
      add, "/api/2.0/preview/scim/v2/ServicePrincipals",
      "/api/2.0/preview/scim/v2/ServicePrincipals/{id}",
      {"service_principals.list", "service_principals.create", "service_principals.get",
       "service_principals.patch", "service_principals.update", "service_principals.delete"});
}

}  // namespace freshet::api
