// SPDX-License-Identifier: Apache-2.0
#include "pipeline/destination.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/json.h"
#include "pipeline/flow_book.h"

namespace freshet::pipeline {
namespace {

using Json = nlohmann::json;
/// PostgreSQL's NAMEDATALEN - 1.
constexpr size_t kNameBytesMax = 63;
constexpr auto kLockInterval = std::chrono::milliseconds(50);

/// As the store's, but a file where a folder should be is somebody else's.
Status FromErrno(int number, std::string_view what, std::string_view path) {
  if (number == ENOTDIR || number == EEXIST) {
    return Error(ErrorClass::DESTINATION_FOREIGN, "{} {}: {}", what, path, std::strerror(number));
  }
  return store::FromErrno(number, what, path);
}

std::string LockPath(const Destination& destination) { return destination.own() + "/lock"; }
std::string SourcePath(const Destination& destination) {
  return destination.own() + "/source.json";
}

/// Absolute, and without a trailing '/'.
Result<std::string> Absolute(std::string_view directory) {
  if (directory.empty())
    return Error(ErrorClass::INVALID_ARGUMENT, "the destination is an empty name");
  std::error_code error;
  auto path = std::filesystem::absolute(std::filesystem::path(directory), error).lexically_normal();
  if (error) return FromErrno(error.value(), "cannot resolve", directory);
  if (!path.has_filename()) path = path.parent_path();
  return path.string();
}

}  // namespace

std::string EncodeName(std::string_view name) {
  std::string encoded;
  for (size_t i = 0; i < name.size(); ++i) {
    auto c = name[i];
    bool special = c == '/' || c == '\0' || c == '%' || (i == 0 && (c == '.' || c == '_'));
    if (special) {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      encoded += c;
    }
  }
  return encoded;
}

std::string FolderOf(const record::TableName& name) {
  return EncodeName(name.schema) + "/" + EncodeName(name.table);
}

std::string SlotNameFor(std::string_view directory, std::string_view staging_id) {
  std::string word;
  for (char c : directory.substr(directory.rfind('/') + 1)) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    word += plain ? c : '_';
  }
  auto id = staging_id.substr(0, 8);
  word = word.substr(0, kNameBytesMax - std::strlen("freshet__") - id.size());
  return fmt::format("freshet_{}_{}", word, id);
}

Result<Destination> Destination::Make(std::string_view directory) {
  FRESHET_TRY(auto root, Absolute(directory));
  Destination destination(root);
  std::error_code error;
  for (std::filesystem::path path = destination.own(); !std::filesystem::exists(path, error);
       path = path.parent_path()) {
    destination.made_.insert(destination.made_.begin(), path.string());
  }
  for (const auto& folder : {destination.own(), destination.log(), destination.status()}) {
    std::filesystem::create_directories(folder, error);
    if (error) return FromErrno(error.value(), "cannot make the folder", folder);
  }
  // What lies within is no more durable than they are.
  for (const auto& made : destination.made_) {
    FRESHET_CHECK_OK(store::SyncFolder(std::filesystem::path(made).parent_path().string()));
  }
  return destination;
}

Result<Destination> Destination::Open(std::string_view directory) {
  FRESHET_TRY(auto root, Absolute(directory));
  Destination destination(root);
  std::error_code error;
  if (!std::filesystem::is_directory(destination.own(), error)) {
    return Error(ErrorClass::NOT_FOUND, "there is no Freshet destination in {}", root)
        .WithRemedy("Name the directory that 'freshet ingest' was given with --to.");
  }
  return destination;
}

void Destination::Unmake() const {
  auto record = ReadSource();
  if (made_.empty() || !record.ok() || *record) return;
  // What cannot be removed stays: an empty folder harms nobody, and the run's own error is told.
  std::error_code ignored;
  std::filesystem::remove_all(own(), ignored);
  for (auto folder = std::next(made_.rbegin()); folder != made_.rend(); ++folder)
    std::filesystem::remove(*folder, ignored);  // fails unless empty
}

Result<DestinationLock> Destination::Lock(Clock& clock, Deadline deadline) const {
  auto path = LockPath(*this);
  store::OpenFile file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (file.get() < 0) return FromErrno(errno, "cannot open", path);
  while (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return FromErrno(errno, "cannot lock", path);
    if (clock.Now() >= deadline)
      return Error(ErrorClass::DESTINATION_BUSY, "another Freshet process uses {}", root_);
    clock.WaitUntil(std::min(deadline, clock.Now() + kLockInterval), {});
  }
  return DestinationLock(std::move(file));
}

bool Destination::Busy() const {
  store::OpenFile file(open(LockPath(*this).c_str(), O_RDONLY | O_CLOEXEC));
  return file.get() >= 0 && flock(file.get(), LOCK_SH | LOCK_NB) != 0;
}

Result<std::optional<SourceRecord>> Destination::ReadSource() const {
  auto path = SourcePath(*this);
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (errno == ENOENT) return std::optional<SourceRecord>();
    return FromErrno(errno, "cannot read", path);
  }
  std::stringstream text;
  text << file.rdbuf();
  try {
    auto json = ParseJsonOrThrow<Json>(text.str());
    SourceRecord record{.connector = json.at("connector"),
                        .identity = json.at("identity"),
                        .slot = json.at("slot"),
                        .publication = json.at("publication"),
                        .type_mapping = json.value("type_mapping", "lossless"),
                        .profile = json.value("profile", "portable"),
                        .slot_given = json.at("slot_given"),
                        .publication_given = json.at("publication_given"),
                        .staging_id = json.at("staging_id"),
                        .pipeline = json.value("pipeline", kOnlyPipeline)};
    for (const auto& [name, value] : json.at("parameters").items())
      record.parameters.emplace_back(name, value);
    return std::optional(std::move(record));
  } catch (const std::exception& error) {
    return Error(ErrorClass::DATA_CORRUPT, "{} is not readable: {}", path, error.what());
  }
}

Status Destination::WriteSource(const SourceRecord& record) const {
  auto parameters = Json::object();
  for (const auto& [name, value] : record.parameters) parameters[name] = value;
  Json json{{"format", 1},
            {"connector", record.connector},
            {"identity", record.identity},
            {"parameters", parameters},
            {"slot", record.slot},
            {"publication", record.publication},
            {"type_mapping", record.type_mapping},
            {"profile", record.profile},
            {"slot_given", record.slot_given},
            {"publication_given", record.publication_given},
            {"staging_id", record.staging_id},
            {"pipeline", record.pipeline}};
  return ReplaceFile(SourcePath(*this), IndentedJsonText(json) + "\n", true);
}

Status ReplaceFile(const std::string& path, std::string_view text, bool durable) {
  auto beside = path + ".new";
  store::OpenFile file(open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (file.get() < 0) return FromErrno(errno, "cannot write", beside);
  FRESHET_CHECK_OK(store::WriteAll(file.get(), text, beside));
  if (durable && fsync(file.get()) != 0) return FromErrno(errno, "cannot sync", beside);
  if (std::rename(beside.c_str(), path.c_str()) != 0)
    return FromErrno(errno, "cannot replace", path);
  if (!durable) return Status::Ok();
  return store::SyncFolder(std::filesystem::path(path).parent_path().string());
}

}  // namespace freshet::pipeline
