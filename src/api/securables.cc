// SPDX-License-Identifier: Apache-2.0
#include "api/securables.h"

#include <filesystem>

namespace freshet::api {

void AddCommon(const Context& context, const catalog::Securable& securable, Json* json) {
  auto& out = *json;
  out["full_name"] = catalog::FullName(securable.path);
  out["owner"] = securable.owner;
  if (!securable.comment.empty()) out["comment"] = securable.comment;
  if (!securable.properties.empty()) out["properties"] = ToJson(securable.properties);
  out["metastore_id"] = context.metastore_id;
  out["created_at"] = securable.created_at;
  out["created_by"] = securable.created_by;
  out["updated_at"] = securable.updated_at;
  out["updated_by"] = securable.updated_by;
}

Result<catalog::PageRequest> PageOf(const Request& request) {
  catalog::PageRequest page;
  FRESHET_TRY(page.rows, request.NumberParameter("max_results", 0));
  page.after = request.parameter("page_token");
  return page;
}

Json PageToJson(const Context& context, const catalog::Page& page, const char* name,
                Json (*to_json)(const Context&, const catalog::Securable&)) {
  auto items = Json::array();
  for (const auto& item : page.items) items.push_back(to_json(context, item));
  Json json{{name, items}};
  if (!page.next.empty()) json["next_page_token"] = page.next;
  return json;
}

catalog::Change ReadChange(Fields* fields) {
  catalog::Change change;
  change.new_name = fields->Text("new_name");
  change.owner = fields->Text("owner");
  change.comment = fields->Text("comment");
  change.properties = fields->Texts("properties");
  return change;
}

Result<std::string> StoragePath(const Context& context, std::string_view field,
                                const std::string& uri) {
  if (!uri.starts_with(catalog::kFileScheme)) {
    if (uri.find("://") == std::string::npos)
      return Error(ErrorClass::INVALID_ARGUMENT, "{} is not a URI: '{}'", field, uri);
    return Error(ErrorClass::UNSUPPORTED_FIELD, "{} is not supported yet but for file://: '{}'",
                 field, uri);
  }
  auto text = uri.substr(catalog::kFileScheme.size());
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  std::filesystem::path path(text);
  if (!path.is_absolute() || path.lexically_normal() != path ||
      text.find('%') != std::string::npos || text == "/") {
    return Error(ErrorClass::INVALID_ARGUMENT,
                 "{} is not an absolute path without '..', '//' and '%': '{}'", field, uri);
  }
  // As it will be once its folders are there, whatever links lead to it.
  std::error_code error;
  auto real = std::filesystem::weakly_canonical(path, error).string() + "/";
  auto own = std::filesystem::weakly_canonical(context.data, error).string() + "/";
  if (error || real.starts_with(own) || own.starts_with(real)) {
    return Error(ErrorClass::INVALID_ARGUMENT, "{} lies in the server's own directory: '{}'", field,
                 uri);
  }
  return real.substr(0, real.size() - 1);
}

}  // namespace freshet::api
