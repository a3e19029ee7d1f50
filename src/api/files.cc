// SPDX-License-Identifier: Apache-2.0
// Files on volumes. Source: the published Files API, 2.0.
#include <algorithm>

#include "api/securables.h"
#include "base/server_limits.h"
#include "store/folder_tree.h"

namespace freshet::api {
namespace {

using catalog::Kind;
using store::FolderTree;

/// The parts of a path before those within the volume: `Volumes`, catalog, schema, volume.
constexpr size_t kVolumeParts = 4;

/// Read `Volumes/catalog/schema/volume` of the path. Errors: INVALID_ARGUMENT.
Result<catalog::Path> VolumeOf(const Request& request) {
  const auto& rest = request.rest;
  if (rest.size() >= kVolumeParts && rest[0] == "Volumes")
    return catalog::Path(rest.begin() + 1, rest.begin() + kVolumeParts);
  return Error(ErrorClass::INVALID_ARGUMENT,
               "a path is /Volumes/<catalog>/<schema>/<volume>, and what is in it");
}

FolderTree::Path Within(const Request& request) {
  return {request.rest.begin() + kVolumeParts, request.rest.end()};
}

Rule OnVolume(std::string_view privilege) {
  return Rule::Of([privilege](const Context& context, const Request& request) -> Result<Verdict> {
    FRESHET_TRY(auto volume, VolumeOf(request));
    return CheckPrivilege(context, request.user, privilege, Kind::kVolume, volume);
  });
}

Result<FolderTree> TreeOf(const Context& context, const Request& request) {
  FRESHET_TRY(auto path, VolumeOf(request));
  FRESHET_TRY(auto volume, context.catalog->Get(Kind::kVolume, path));
  return FolderTree(volume.folder());
}

/// A volume that nothing was put into yet has no folder.
Result<store::TreeEntry> Stat(const FolderTree& tree, const FolderTree::Path& path) {
  if (path.empty()) return store::TreeEntry{.folder = true};
  return tree.Stat(path);
}

std::string HttpDate(int64_t milliseconds) {
  std::chrono::sys_time<std::chrono::milliseconds> at{std::chrono::milliseconds(milliseconds)};
  auto day = std::chrono::floor<std::chrono::days>(at);
  std::chrono::year_month_day date{day};
  std::chrono::hh_mm_ss time{std::chrono::floor<std::chrono::seconds>(at - day)};
  constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return fmt::format(
      "{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[std::chrono::weekday{day}.c_encoding()],
      static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
      static_cast<int>(date.year()), time.hours().count(), time.minutes().count(),
      time.seconds().count());
}

Result<Response> GetFile(const Context& context, const Request& request) {
  FRESHET_TRY(auto tree, TreeOf(context, request));
  auto path = Within(request);
  FRESHET_TRY(auto entry, Stat(tree, path));
  FRESHET_TRY(auto file, tree.Open(path));
  Response response{.content_type = "application/octet-stream"};
  response.headers.emplace_back("Last-Modified", HttpDate(entry.modified_at));
  response.file = std::make_shared<store::OpenFile>(std::move(file));
  response.file_bytes = entry.size;
  return response;
}

/// The bytes go into place as they come.
Result<Response> PutFile(const Context& context, const Request& request, const BringBody& bring) {
  FRESHET_TRY(auto overwrite, request.FlagParameter("overwrite", true));
  if (!request.parameter("action").empty())
    return Error(ErrorClass::UNSUPPORTED_FIELD, "uploads in parts are not supported yet");
  FRESHET_TRY(auto tree, TreeOf(context, request));
  auto path = Within(request);
  // What cannot be put into place is not received either.
  auto former = tree.Stat(path);
  if (former.ok() && (former->folder || !overwrite))
    return Error(ErrorClass::ALREADY_EXISTS, "The resource already exists: {}", path.back());
  FRESHET_TRY(auto incoming, tree.Create(path));
  Status written;
  auto refusal = bring([&](std::string_view bytes) {
    written = incoming->Write(bytes);
    return written.ok();
  });
  if (!written.ok()) return written;
  if (refusal) return std::move(*refusal);
  FRESHET_CHECK_OK(incoming->Commit(overwrite));
  return Response{.status = 204};
}

Result<Response> DeleteFile(const Context& context, const Request& request) {
  FRESHET_TRY(auto tree, TreeOf(context, request));
  FRESHET_CHECK_OK(tree.RemoveFile(Within(request)));
  return Response{.status = 204};
}

Result<Response> ListFolder(const Context& context, const Request& request) {
  FRESHET_TRY(auto tree, TreeOf(context, request));
  FRESHET_TRY(auto rows, request.NumberParameter("page_size", limits::kPageRowsMax));
  rows = rows == 0 ? limits::kPageRowsMax : std::min(rows, limits::kPageRowsMax);
  auto path = Within(request);
  FRESHET_TRY(auto folder, Stat(tree, path));
  if (!folder.folder) return Error(ErrorClass::NOT_FOUND, "not a directory: {}", path.back());
  auto found = tree.List(path, request.parameter("page_token"), static_cast<size_t>(rows) + 1);
  std::vector<store::TreeEntry> entries;
  if (found.ok()) entries = std::move(*found);
  bool nothing_yet = path.empty() && found.status().Is(ErrorClass::NOT_FOUND);
  if (!found.ok() && !nothing_yet) return found.status();
  bool more = static_cast<int64_t>(entries.size()) > rows;
  if (more) entries.pop_back();
  std::string place;
  for (const auto& part : request.rest) place += "/" + part;
  auto list = Json::array();
  for (const auto& entry : entries) {
    Json each{{"path", place + "/" + entry.name},
              {"name", entry.name},
              {"is_directory", entry.folder},
              {"last_modified", entry.modified_at}};
    if (!entry.folder) each["file_size"] = entry.size;
    list.push_back(std::move(each));
  }
  Json json{{"contents", list}};
  if (more) json["next_page_token"] = entries.back().name;
  return Response{.body = JsonText(json)};
}

Result<Response> MakeFolder(const Context& context, const Request& request) {
  FRESHET_TRY(auto tree, TreeOf(context, request));
  FRESHET_CHECK_OK(tree.MakeFolders(Within(request)));
  return Response{.status = 204};
}

Result<Response> DeleteFolder(const Context& context, const Request& request) {
  FRESHET_TRY(auto tree, TreeOf(context, request));
  FRESHET_CHECK_OK(tree.RemoveFolder(Within(request)));
  return Response{.status = 204};
}

/// As description.h says.
constexpr std::string_view kDescription = R"(
FolderEntry = {path: text, name: text, is_directory: flag, last_modified: number, file_size?: count}

files.download(): bytes -- Gives a file of a volume, or a range of it.
files.upload(overwrite?: flag, action?: text, bytes): nothing -- Puts a file.
files.delete(): nothing -- Removes a file.
files.list_directory_contents(page_size?: count, page_token?: text): {contents: [FolderEntry], ...Page} -- Lists what is in a folder.
files.create_directory(): nothing -- Makes a folder and those that it is in.
files.delete_directory(): nothing -- Removes an empty folder.
)";

}  // namespace

void AddFiles(const Context& context, Router* router) {
  router->Describe(kDescription);
  constexpr std::string_view kFile = "/api/2.0/fs/files/{*path}",
                             kFolder = "/api/2.0/fs/directories/{*path}";
  constexpr std::string_view kRead = "READ_VOLUME", kWrite = "WRITE_VOLUME";
  const RouteAdder add(context, router);
  add("GET", kFile, "files.download", OnVolume(kRead), GetFile);
  add.Streamed("PUT", kFile, "files.upload", OnVolume(kWrite), PutFile);
  add("DELETE", kFile, "files.delete", OnVolume(kWrite), DeleteFile);
  add("GET", kFolder, "files.list_directory_contents", OnVolume(kRead), ListFolder);
  add("PUT", kFolder, "files.create_directory", OnVolume(kWrite), MakeFolder);
  add("DELETE", kFolder, "files.delete_directory", OnVolume(kWrite), DeleteFolder);
}

}  // namespace freshet::api
