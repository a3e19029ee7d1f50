// SPDX-License-Identifier: Apache-2.0
// Workspace files: what bundles keep of themselves, and what people put beside it. Source: the
// published Workspace API, 2.0, and what its clients send.
#include <algorithm>

#include "api/base64.h"
#include "api/object_levels.h"
#include "api/workspace_access.h"

namespace freshet::api {
namespace {

using catalog::WorkspaceObject;

/// With the prefix that the client said, if it did.
Json ObjectToJson(const std::string& said, const WorkspaceObject& object) {
  constexpr std::string_view kPrefix = "/Workspace";
  auto path = said.starts_with(kPrefix) ? std::string(kPrefix) + object.path : object.path;
  Json json{{"object_type", object.folder ? "DIRECTORY" : "FILE"},
            {"path", path},
            {"object_id", object.id},
            {"resource_id", std::to_string(object.id)}};
  if (object.folder) return json;
  json["size"] = object.size;
  json["created_at"] = object.created_at;
  json["modified_at"] = object.modified_at;
  return json;
}

Result<std::string> SaidPath(const Request& request) {
  auto said = request.parameter("path");
  if (said.empty()) return Error(ErrorClass::INVALID_ARGUMENT, "path is missing");
  return said;
}

Result<Json> GetStatus(const Context& context, const Request& request) {
  FRESHET_TRY(auto said, SaidPath(request));
  FRESHET_TRY(auto path, catalog::WorkspacePath(said));
  FRESHET_TRY(auto object, context.workspace->Get(path));
  auto json = ObjectToJson(said, object);
  FRESHET_TRY(auto how_exported, request.FlagParameter("return_export_info", false));
  if (how_exported && !object.folder) json["export_format"] = "AUTO";
  return json;
}

Result<Json> ListObjects(const Context& context, const Request& request) {
  FRESHET_TRY(auto said, SaidPath(request));
  FRESHET_TRY(auto path, catalog::WorkspacePath(said));
  FRESHET_TRY(auto object, context.workspace->Get(path));
  auto list = Json::array();
  std::vector<WorkspaceObject> objects{object};
  if (object.folder) {
    FRESHET_TRY(objects, context.workspace->List(path));
  }
  for (const auto& each : objects) {
    FRESHET_TRY(auto hidden, CheckWorkspace(context, request.user, each.path, "CAN_READ"));
    if (!hidden) list.push_back(ObjectToJson(said, each));
  }
  return Json{{"objects", list}};
}

Result<Json> MakeFolders(const Context& context, const Request& request) {
  FRESHET_TRY(auto body, ParseBody(request.body));
  Fields fields(body);
  auto said = fields.Required("path");
  FRESHET_CHECK_OK(fields.Finish());
  FRESHET_TRY(auto path, catalog::WorkspacePath(said));
  FRESHET_CHECK_OK(context.workspace->MakeFolders(path, request.user.name));
  return Json::object();
}

Result<Json> Delete(const Context& context, const Request& request) {
  FRESHET_TRY(auto body, ParseBody(request.body));
  Fields fields(body);
  auto said = fields.Required("path");
  auto recursive = fields.Flag("recursive").value_or(false);
  FRESHET_CHECK_OK(fields.Finish());
  FRESHET_TRY(auto path, catalog::WorkspacePath(said));
  FRESHET_CHECK_OK(context.workspace->Remove(path, recursive));
  return Json::object();
}

/// Notebooks are kept as the files they come as; their formats are not taken apart.
Status CheckFormat(const std::string& format) {
  for (const auto* known : {"", "AUTO", "RAW", "SOURCE"}) {
    if (format == known) return Status::Ok();
  }
  return Error(ErrorClass::UNSUPPORTED_FIELD, "format {} is not supported yet", format)
      .WithRemedy("AUTO, RAW and SOURCE are kept as they are.");
}

/// The parts of a form are texts.
Result<Json> BodyOf(const Request& request) {
  if (request.form.empty()) return ParseBody(request.body);
  auto body = ToJson(request.form);
  if (auto flag = body.find("overwrite");
      flag != body.end() && (*flag == "true" || *flag == "false"))
    *flag = *flag == "true";
  return body;
}

Result<Json> Import(const Context& context, const Request& request) {
  FRESHET_TRY(auto body, BodyOf(request));
  Fields fields(body);
  auto said = fields.Required("path");
  auto format = fields.Text("format").value_or("");
  auto overwrite = fields.Flag("overwrite").value_or(false);
  auto content = fields.Text("content").value_or("");
  fields.Ignore({"language"});
  FRESHET_CHECK_OK(fields.Finish());
  if (request.form.empty()) {
    auto bytes = FromBase64(content);
    if (!bytes) return Error(ErrorClass::INVALID_ARGUMENT, "content is not base64");
    content = std::move(*bytes);
  }
  FRESHET_CHECK_OK(CheckFormat(format));
  FRESHET_TRY(auto path, catalog::WorkspacePath(said));
  FRESHET_CHECK_OK(context.workspace->Put(path, content, overwrite, request.user.name));
  return Json::object();
}

/// The path is one part, or several: with and without its first '/'.
std::string ImportPathOf(const Request& request) {
  std::string path;
  for (const auto& part : request.rest) path += (part.starts_with('/') ? "" : "/") + part;
  return path;
}

Result<Json> ImportFile(const Context& context, const Request& request) {
  FRESHET_TRY(auto overwrite, request.FlagParameter("overwrite", false));
  FRESHET_TRY(auto path, catalog::WorkspacePath(ImportPathOf(request)));
  FRESHET_CHECK_OK(context.workspace->Put(path, request.body, overwrite, request.user.name));
  return Json::object();
}

Result<Response> Export(const Context& context, const Request& request) {
  FRESHET_TRY(auto said, SaidPath(request));
  FRESHET_CHECK_OK(CheckFormat(request.parameter("format")));
  FRESHET_TRY(auto direct, request.FlagParameter("direct_download", false));
  FRESHET_TRY(auto path, catalog::WorkspacePath(said));
  FRESHET_TRY(auto object, context.workspace->Get(path));
  if (object.folder)
    return Error(ErrorClass::UNSUPPORTED_FIELD, "the export of a folder is not supported yet");
  FRESHET_TRY(auto content, context.workspace->Read(object));
  if (direct)
    return Response{.body = std::move(content), .content_type = "application/octet-stream"};
  return Response{.body = JsonText(Json{{"content", ToBase64(content)}, {"file_type", "file"}})};
}

Result<Response> Download(const Context& context, const Request& request) {
  FRESHET_TRY(auto path, catalog::WorkspacePath(ImportPathOf(request)));
  FRESHET_TRY(auto object, context.workspace->Get(path));
  FRESHET_TRY(auto content, context.workspace->Read(object));
  return Response{.body = std::move(content), .content_type = "application/octet-stream"};
}

/// Rules by where the path stands.
Rule InQuery(std::string_view level) {
  return Rule::Of([level](const Context& context, const Request& request) -> Result<Verdict> {
    FRESHET_TRY(auto said, SaidPath(request));
    FRESHET_TRY(auto path, catalog::WorkspacePath(said));
    return CheckWorkspace(context, request.user, path, level);
  });
}

Rule InBody(std::string_view level) {
  return Rule::Of([level](const Context& context, const Request& request) -> Result<Verdict> {
    auto form = request.form.find("path");
    std::string said = form == request.form.end() ? "" : form->second;
    if (request.form.empty()) {
      FRESHET_TRY(auto body, ParseBody(request.body));
      auto found = body.find("path");
      if (found != body.end() && found->is_string()) said = found->get<std::string>();
    }
    FRESHET_TRY(auto path, catalog::WorkspacePath(said));
    return CheckWorkspace(context, request.user, path, level);
  });
}

Rule InPath(std::string_view level) {
  return Rule::Of([level](const Context& context, const Request& request) -> Result<Verdict> {
    FRESHET_TRY(auto path, catalog::WorkspacePath(ImportPathOf(request)));
    return CheckWorkspace(context, request.user, path, level);
  });
}

/// As description.h says.
constexpr std::string_view kDescription = R"(
WorkspaceObject = {object_type: "DIRECTORY" | "FILE", path: text, object_id: number, resource_id: text, size?: count,
  created_at?: number, modified_at?: number, export_format?: text}

workspace.get_status(path: text, return_export_info?: flag): WorkspaceObject -- Tells of a folder or file.
workspace.list(path: text): {objects: [WorkspaceObject]} -- Lists what is in a folder.
workspace.export(path: text, format?: "AUTO" | "RAW" | "SOURCE", direct_download?: flag):
  {content: text, file_type: text} | bytes -- Gives a file, in base64 or directly.
workspace.mkdirs({path: text}): {} -- Makes a folder and those that it is in.
workspace.import({path: text, format?: text, overwrite?: flag, content?: text, language?: any}): {} -- Puts a file, in base64.
workspace.delete({path: text, recursive?: flag}): {} -- Removes a file or folder.
workspace_files.import(overwrite?: flag, bytes): {} -- Puts a file.
workspace_files.get(): bytes -- Gives a file.
)";

}  // namespace

void AddWorkspace(const Context& context, Router* router) {
  router->Describe(kDescription);
  const RouteAdder add(context, router);
  add("GET", "/api/2.0/workspace/get-status", "workspace.get_status", InQuery("CAN_READ"),
      GetStatus);
  add("GET", "/api/2.0/workspace/list", "workspace.list", InQuery("CAN_READ"), ListObjects);
  add("GET", "/api/2.0/workspace/export", "workspace.export", InQuery("CAN_READ"), Export);
  add("POST", "/api/2.0/workspace/mkdirs", "workspace.mkdirs", InBody("CAN_EDIT"), MakeFolders);
  add.WithForm("/api/2.0/workspace/import", "workspace.import", InBody("CAN_EDIT"), Import);
  add("POST", "/api/2.0/workspace/delete", "workspace.delete", InBody("CAN_MANAGE"), Delete);
  add("POST", "/api/2.0/workspace-files/import-file/{*path}", "workspace_files.import",
      InPath("CAN_EDIT"), ImportFile);
  add("GET", "/api/2.0/workspace-files/{*path}", "workspace_files.get", InPath("CAN_READ"),
      Download);
}

}  // namespace freshet::api
