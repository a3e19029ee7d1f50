// SPDX-License-Identifier: Apache-2.0
// One of everything, and a request for every route.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "api/pipeline_access.h"
#include "api/service_fixture_test.h"

namespace freshet::api {

/// Somebody without any right, one who may read, one who may make and run things, the owner of what
/// there is, an administrator. By their first letters in the lines below.
inline constexpr std::array<std::string_view, 5> kRoles{"stranger", "reader", "writer", "owner",
                                                        "admin"};

struct Line {
  std::string operation, method, target;
  std::string may;  // of the roles
  Json body = Json::object();
};

/// One of everything, owned by the owner; the reader's rights come by a group.
class World : public ServiceFixture {
 public:
  World() {
    Make(catalog::Kind::kCatalog, {"main"});
    Make(catalog::Kind::kSchema, {"main", "sales"});
    Make(catalog::Kind::kTable, {"main", "sales", "orders"});
    Make(catalog::Kind::kVolume, {"main", "sales", "raw"});
    Make(catalog::Kind::kConnection, {"shop"});
    std::map<std::string_view, int64_t> ids;
    for (auto role : kRoles) {
      if (role == "admin") continue;
      ids[role] = principals_->Create({.name = std::string(role)})->id;
      tokens_[role] = TokenOf(ids[role]);
    }
    tokens_["admin"] = token_;
    auto readers = principals_->Create({.kind = catalog::PrincipalKind::kGroup, .name = "readers"},
                                       {ids["reader"]});
    robot_ = principals_->Create({.kind = catalog::PrincipalKind::kService, .name = "robot"})->id;
    std::vector<std::string> reading{"USE_CATALOG", "USE_SCHEMA", "SELECT", "READ_VOLUME"};
    auto writing = reading;
    writing.insert(writing.end(),
                   {"CREATE_SCHEMA", "CREATE_TABLE", "CREATE_VOLUME", "MODIFY", "WRITE_VOLUME"});
    Grant(catalog_->Get(catalog::Kind::kCatalog, {"main"})->id, "Readers", reading);
    Grant(catalog_->Get(catalog::Kind::kCatalog, {"main"})->id, "writer", writing);
    for (const auto* who : {"readers", "writer"})
      Grant(catalog_->Get(catalog::Kind::kConnection, {"shop"})->id, who, {"USE_CONNECTION"});
    Grant("metastore", "writer", {"CREATE_CATALOG", "CREATE_CONNECTION"});
    EXPECT_TRUE(workspace_->MakeFolders("/Users/owner", "owner").ok());
    EXPECT_TRUE(workspace_->Put("/Users/owner/x", "x", false, "owner").ok());
    pipeline::PipelineRecord pipeline{.id = "p",
                                      .name = "p",
                                      .spec = JsonText(Pipeline()),
                                      .parameters = "{}",
                                      .run_as = "owner",
                                      .creator = "owner"};
    EXPECT_TRUE(book_->Add(pipeline, false).ok());
    EXPECT_TRUE(
        permissions_
            ->Set(
                PermissionObjectOf(pipeline),
                {{ids["owner"], "IS_OWNER"}, {readers->id, "CAN_VIEW"}, {ids["writer"], "CAN_RUN"}},
                true)
            .ok());
  }

  static Json Pipeline(const std::string& name = "p") {
    return {{"name", name},
            {"ingestion_definition",
             {{"connection_name", "shop"},
              {"connector_type", "CDC"},
              {"objects", Json::array({{{"schema",
                                         {{"source_catalog", "shop"},
                                          {"source_schema", "public"},
                                          {"destination_catalog", "main"},
                                          {"destination_schema", "sales"}}}}})}}}};
  }
  Response By(std::string_view role, const Line& line) {
    return SendAs(tokens_[role], line.method, line.target, line.body);
  }
  Json Seen(std::string_view role, const std::string& target) {
    return ParseJsonOrThrow<Json>(SendAs(tokens_[role], "GET", target).body);
  }

  int64_t robot_ = 0;
  std::map<std::string_view, Secret> tokens_;

 private:
  void Make(catalog::Kind kind, catalog::Path path) {
    catalog::Securable securable{.kind = kind, .path = std::move(path), .owner = "owner"};
    auto place = catalog::FullName(securable.path);
    if (kind == catalog::Kind::kCatalog || kind == catalog::Kind::kSchema)
      securable.facts["storage_location"] = "file://" + folder_ + "/tables/" + place;
    if (kind == catalog::Kind::kTable)
      securable.facts["storage_location"] = "file://" + folder_ + "/t";
    if (kind == catalog::Kind::kVolume) {
      securable.facts["volume_type"] = "MANAGED";
      securable.facts["storage_location"] = "file://" + folder_ + "/raw";
    }
    if (kind == catalog::Kind::kConnection) securable.facts["connection_type"] = "POSTGRESQL";
    EXPECT_TRUE(catalog_->Create(securable, {}, "admin").ok()) << place;
  }
  void Grant(const std::string& id, const std::string& who,
             const std::vector<std::string>& privileges) {
    EXPECT_TRUE(grants_->Apply(id, {{who, privileges, {}}}).ok());
  }
};

inline std::vector<Line> OfTheCatalog() {
  const std::string uc = "/api/2.1/unity-catalog/";
  Json change{{"changes", {{{"principal", "x"}, {"add", {"SELECT"}}}}}};
  Json volume{{"catalog_name", "main"}, {"schema_name", "sales"}, {"name", "v"}};
  Json shop{{"name", "n"},
            {"connection_type", "POSTGRESQL"},
            {"options", {{"host", "h"}, {"user", "u"}, {"password", "p"}}}};
  return {
      {"catalogs.create", "POST", uc + "catalogs", "wa", {{"name", "n"}}},
      {"catalogs.list", "GET", uc + "catalogs", "srwoa"},
      {"catalogs.get", "GET", uc + "catalogs/main", "rwoa"},
      {"catalogs.update", "PATCH", uc + "catalogs/main", "oa", {{"comment", "c"}}},
      {"catalogs.delete", "DELETE", uc + "catalogs/main", "oa"},
      {"schemas.create", "POST", uc + "schemas", "woa", {{"catalog_name", "main"}, {"name", "n"}}},
      {"schemas.list", "GET", uc + "schemas?catalog_name=main", "srwoa"},
      {"schemas.get", "GET", uc + "schemas/main.sales", "rwoa"},
      {"schemas.update", "PATCH", uc + "schemas/main.sales", "oa", {{"comment", "c"}}},
      {"schemas.delete", "DELETE", uc + "schemas/main.sales", "oa"},
      {"volumes.create", "POST", uc + "volumes", "woa", volume},
      {"volumes.list", "GET", uc + "volumes?catalog_name=main&schema_name=sales", "srwoa"},
      {"volumes.read", "GET", uc + "volumes/main.sales.raw", "rwoa"},
      {"volumes.update", "PATCH", uc + "volumes/main.sales.raw", "oa", {{"comment", "c"}}},
      {"volumes.delete", "DELETE", uc + "volumes/main.sales.raw", "oa"},
      {"tables.list", "GET", uc + "tables?catalog_name=main&schema_name=sales", "srwoa"},
      {"tables.get", "GET", uc + "tables/main.sales.orders", "rwoa"},
      {"tables.exists", "GET", uc + "tables/main.sales.orders/exists", "rwoa"},
      {"lineage.table", "GET",
       "/api/2.0/lineage-tracking/table-lineage?table_name=main.sales.orders", "rwoa"},
      {"lineage.column", "GET",
       "/api/2.0/lineage-tracking/column-lineage?table_name=main.sales.orders&column_name=id",
       "rwoa"},
      {"grants.get", "GET", uc + "permissions/schema/main.sales", "rwoa"},
      {"grants.update", "PATCH", uc + "permissions/schema/main.sales", "oa", change},
      {"grants.get_effective", "GET", uc + "effective-permissions/schema/main.sales", "rwoa"},
      {"connections.create", "POST", uc + "connections", "wa", shop},
      {"connections.list", "GET", uc + "connections", "srwoa"},
      {"connections.get", "GET", uc + "connections/shop", "rwoa"},
      {"connections.update", "PATCH", uc + "connections/shop", "oa", {{"comment", "c"}}},
      {"connections.delete", "DELETE", uc + "connections/shop", "oa"},
      {"connections.test", "POST", uc + "connections/shop/test", "rwoa"},
      {"connections.discover", "POST", uc + "connections/shop/discover", "rwoa"},
      {"connections.list_types", "GET", uc + "connection-types", "srwoa"},
      {"metastores.current", "GET", uc + "current-metastore-assignment", "srwoa"},
      {"metastores.summary", "GET", uc + "metastore_summary", "srwoa"},
      {"metastores.get", "GET", uc + "metastores/m", "srwoa"},
  };
}

inline std::vector<Line> OfPipelines() {
  const std::string p = "/api/2.0/pipelines/p", permissions = "/api/2.0/permissions/pipelines/p";
  Json acl{{"access_control_list", {{{"user_name", "reader"}, {"permission_level", "CAN_RUN"}}}}};
  return {
      {"pipelines.create", "POST", "/api/2.0/pipelines", "woa", World::Pipeline("n")},
      {"pipelines.list_pipelines", "GET", "/api/2.0/pipelines", "srwoa"},
      {"pipelines.get", "GET", p, "rwoa"},
      {"pipelines.update", "PUT", p, "oa", World::Pipeline()},
      {"pipelines.delete", "DELETE", p + "?force=true", "oa"},
      {"pipelines.start_update", "POST", p + "/updates", "woa"},
      {"pipelines.list_updates", "GET", p + "/updates", "rwoa"},
      {"pipelines.get_update", "GET", p + "/updates/u", "rwoa"},
      {"pipelines.stop", "POST", p + "/stop", "woa"},
      {"pipelines.list_pipeline_events", "GET", p + "/events", "rwoa"},
      {"pipelines.list_logs", "GET", p + "/logs", "rwoa"},
      {"pipelines.get_log", "GET", p + "/logs/u.log", "rwoa"},
      {"pipelines.get_permissions", "GET", permissions, "rwoa"},
      {"pipelines.set_permissions", "PUT", permissions, "oa", acl},
      {"pipelines.update_permissions", "PATCH", permissions, "oa", acl},
      {"pipelines.get_permission_levels", "GET", permissions + "/permissionLevels", "rwoa"},
  };
}

inline std::vector<Line> OfPrincipals() {
  const std::string scim = "/api/2.0/preview/scim/v2/", managed = "/api/2.0/token-management/";
  const std::string secrets = "/api/2.0/accounts/servicePrincipals/1/credentials/secrets";
  std::vector<Line> lines{
      {"current_user.me", "GET", scim + "Me", "srwoa"},
      {"tokens.create", "POST", "/api/2.0/token/create", "srwoa"},
      {"tokens.list", "GET", "/api/2.0/token/list", "srwoa"},
      {"tokens.delete", "POST", "/api/2.0/token/delete", "srwoa", {{"token_id", "x"}}},
      {"tokens.update", "PATCH", "/api/2.0/token/x", "srwoa"},
      {"token_management.create_obo_token",
       "POST",
       managed + "on-behalf-of/tokens",
       "a",
       {{"application_id", "robot"}}},
      {"token_management.list", "GET", managed + "tokens", "a"},
      {"token_management.get", "GET", managed + "tokens/x", "a"},
      {"token_management.delete", "DELETE", managed + "tokens/x", "a"},
      {"service_principal_secrets.create", "POST", secrets, "a"},
      {"service_principal_secrets.list", "GET", secrets, "a"},
      {"service_principal_secrets.delete", "DELETE", secrets + "/x", "a"},
  };
  for (const auto& [plural, name, body] : std::vector<std::array<std::string, 3>>{
           {"Users", "users", "userName"},
           {"Groups", "groups", "displayName"},
           {"ServicePrincipals", "service_principals", "applicationId"}}) {
    auto all = scim + plural, one = all + "/99";
    Json named{{body, "new"}};
    lines.push_back({name + ".list", "GET", all, "srwoa"});
    lines.push_back({name + ".create", "POST", all, "a", named});
    lines.push_back({name + ".get", "GET", one, "srwoa"});
    lines.push_back({name + ".patch", "PATCH", one, "a"});
    lines.push_back({name + ".update", "PUT", one, "a", named});
    lines.push_back({name + ".delete", "DELETE", one, "a"});
  }
  return lines;
}

inline std::vector<Line> OfFiles() {
  const std::string ws = "/api/2.0/workspace/", files = "/api/2.0/workspace-files/";
  const std::string raw = "/Volumes/main/sales/raw", fs = "/api/2.0/fs/";
  // The owner is whose folder it is.
  const std::string mine = "/Users/owner/x";
  Json path{{"path", mine}}, content{{"path", mine}, {"content", "eA=="}};
  // The two that the world has, after the three roots.
  const std::string folder = "/api/2.0/permissions/directories/4";
  const std::string file = "/api/2.0/permissions/files/5", levels = "/permissionLevels";
  return {
      {"directories.get_permissions", "GET", folder, "oa"},
      {"directories.set_permissions", "PUT", folder, "oa"},
      {"directories.update_permissions", "PATCH", folder, "oa"},
      {"directories.get_permission_levels", "GET", folder + levels, "oa"},
      {"workspace_files.get_permissions", "GET", file, "oa"},
      {"workspace_files.set_permissions", "PUT", file, "oa"},
      {"workspace_files.update_permissions", "PATCH", file, "oa"},
      {"workspace_files.get_permission_levels", "GET", file + levels, "oa"},
      {"workspace.get_status", "GET", ws + "get-status?path=" + mine, "oa"},
      {"workspace.list", "GET", ws + "list?path=/Users", "srwoa"},
      {"workspace.export", "GET", ws + "export?path=" + mine, "oa"},
      {"workspace.mkdirs", "POST", ws + "mkdirs", "oa", path},
      {"workspace.import", "POST", ws + "import", "oa", content},
      {"workspace.delete", "POST", ws + "delete", "oa", path},
      {"workspace_files.import", "POST", files + "import-file/%2FUsers%2Fowner%2Fx", "oa"},
      {"workspace_files.get", "GET", files + "Users/owner/x", "oa"},
      {"files.download", "GET", fs + "files" + raw + "/x", "rwoa"},
      {"files.upload", "PUT", fs + "files" + raw + "/x", "woa"},
      {"files.delete", "DELETE", fs + "files" + raw + "/x", "woa"},
      {"files.list_directory_contents", "GET", fs + "directories" + raw, "rwoa"},
      {"files.create_directory", "PUT", fs + "directories" + raw + "/f", "woa"},
      {"files.delete_directory", "DELETE", fs + "directories" + raw + "/f", "woa"},
  };
}

inline std::vector<Line> AllLines() {
  std::vector<Line> lines{{"audit.list", "GET", "/api/2.0/audit-log", "a"}};
  for (const auto& some : {OfTheCatalog(), OfPipelines(), OfPrincipals(), OfFiles()})
    lines.insert(lines.end(), some.begin(), some.end());
  return lines;
}

}  // namespace freshet::api
