// SPDX-License-Identifier: Apache-2.0
#include "staging/state.h"

#include <algorithm>
#include <limits>

#include "base/json.h"
#include "base/limits.h"
#include "base/random.h"
#include "staging/layout.h"

namespace freshet::staging {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;
constexpr int kStagingIdBytes = 16;
/// How often an object whose outcome is unknown is put.
constexpr int kPutsMax = 3;

Result<std::string> IdentityIn(const std::string& text) {
  json in = ParseJson<json>(text);
  bool readable =
      in.is_object() && in.value("format", json()) == kFormat && in.value("id", json()).is_string();
  if (!readable)
    return Error(ErrorClass::STAGING_CORRUPT, "the staging's identity is not readable: {}",
                 kIdentityPath);
  return in["id"].get<std::string>();
}

/// The numbers of a folder's manifests, growing.
Result<std::vector<SegmentNumber>> ListManifests(store::FileStore& store, int64_t folder) {
  FRESHET_TRY(auto files, store.List(FolderPath(kSegmentsFolder, folder), "",
                                     static_cast<int>(limits::kManifestsPerFolder) + 1));
  std::vector<SegmentNumber> numbers;
  for (const auto& file : files) {
    std::optional<SegmentNumber> number = NumberInPath(file.path);
    if (number && file.path == ManifestPath(*number)) numbers.push_back(*number);
  }
  return numbers;
}

/// Advance through the folder's manifests; its first carries the state before it.
Result<Checkpoint> FoldFolder(store::FileStore& store, std::string_view staging_id,
                              const std::vector<SegmentNumber>& numbers) {
  Checkpoint checkpoint;
  for (size_t i = 0; i < numbers.size(); ++i) {
    FRESHET_TRY(auto manifest, ReadManifest(store, staging_id, numbers[i]));
    if (i == 0) {
      if (!manifest->checkpoint)
        return Error(ErrorClass::STAGING_CORRUPT, "a folder's first manifest has no checkpoint: {}",
                     numbers[i].value());
      checkpoint = *manifest->checkpoint;
    }
    if (numbers[i].value() != checkpoint.through.value() + 1) {
      return Error(ErrorClass::STAGING_CORRUPT, "a manifest is missing before segment {}",
                   numbers[i].value());
    }
    Advance(*manifest, &checkpoint);
  }
  return checkpoint;
}

}  // namespace

Result<std::string> ReadIdentity(store::FileStore& store) {
  FRESHET_TRY(auto text, store.Get(kIdentityPath, 0, -1));
  return IdentityIn(*text);
}

Result<std::string> MakeIdentity(store::FileStore& store) {
  auto known = ReadIdentity(store);
  if (known.ok() || !known.status().Is(ErrorClass::NOT_FOUND)) return known;
  const std::string text = JsonText(json{{"format", kFormat}, {"id", RandomHex(kStagingIdBytes)}});
  Status put;
  for (int attempt = 0; attempt < kPutsMax; ++attempt) {
    put = store.Put(kIdentityPath, text, store::If::kAbsent);
    if (!put.outcome_unknown()) break;
  }
  // Whoever won: what lies there now is the identity.
  if (put.ok() || put.Is(ErrorClass::ALREADY_EXISTS)) return ReadIdentity(store);
  return put;
}

Result<std::shared_ptr<const Manifest>> ReadManifest(store::FileStore& store,
                                                     std::string_view staging_id,
                                                     SegmentNumber number) {
  FRESHET_TRY(auto text, store.Get(ManifestPath(number), 0, -1));
  auto manifest = FromJson(*text);
  if (!manifest.ok()) return manifest.status().With("segment", std::to_string(number.value()));
  if (manifest->number != number || manifest->staging_id != staging_id) {
    return Error(ErrorClass::STAGING_CORRUPT, "a manifest lies where another should: {}",
                 ManifestPath(number));
  }
  return std::shared_ptr<const Manifest>(std::make_shared<Manifest>(std::move(*manifest)));
}

Result<std::vector<int64_t>> ListFolders(store::FileStore& store, std::string_view top) {
  FRESHET_TRY(auto infos, store.List(top, "", std::numeric_limits<int>::max()));
  std::vector<int64_t> folders;
  for (const auto& info : infos) {
    std::optional<int64_t> number = LeadingNumber(info.path);
    if (info.path.ends_with('/') && number) folders.push_back(*number);
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

Result<Checkpoint> ReadState(store::FileStore& store, std::string_view staging_id) {
  FRESHET_TRY(auto folders, ListFolders(store, kSegmentsFolder));
  for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) {
    FRESHET_TRY(auto numbers, ListManifests(store, *folder));
    if (!numbers.empty()) return FoldFolder(store, staging_id, numbers);
  }
  return Checkpoint();
}

}  // namespace freshet::staging
