// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/secret.h"
#include "base/status.h"
#include "catalog/names.h"
#include "catalog/secret_box.h"
#include "store/database.h"

namespace freshet::catalog {

/// The tables that this module keeps in the server's database.
extern const store::Migrations kMigrations;

/// What can be named and granted. The numbers are in the database.
enum class Kind : uint8_t { kCatalog = 1, kSchema = 2, kTable = 3, kVolume = 4, kConnection = 5 };
/// `Catalog`, as it stands in a sentence.
std::string_view NameOf(Kind kind);
/// Parts of its full name.
size_t PartsOf(Kind kind);

using Texts = std::map<std::string, std::string>;
using Secrets = std::map<std::string, Secret>;

/// How every place begins that something is stored at.
inline constexpr std::string_view kFileScheme = "file://";
std::string FileUri(const std::string& folder);

/// One entry of the catalog. A value; it never holds a secret.
struct Securable {
  std::string id{};
  Kind kind = Kind::kCatalog;
  Path path{};
  std::string owner{}, comment{};
  Texts properties{}, options{};
  /// What only its kind has: `connection_type`, `storage_location`, `volume_type`, `pipeline_id` …
  Texts facts{};
  int64_t created_at = 0, updated_at = 0;  // milliseconds since 1970, UTC
  std::string created_by{}, updated_by{};

  const std::string& name() const { return path.back(); }
  /// Empty: it has no such fact.
  std::string fact(const std::string& name) const;
  /// Return the folder that `storage_location` names; empty: it has none.
  std::string folder() const;
};

/// What becomes other; what is not given stays.
struct Change {
  std::optional<std::string> new_name, owner, comment;
  std::optional<Texts> properties, options;
  /// Set or replaced; facts and secrets that are not named stay.
  Texts facts;
  Secrets secrets;
};

/// A part of a list, in the order of the names without case.
struct Page {
  std::vector<Securable> items;
  std::string next;  // empty: nothing follows
};
struct PageRequest {
  int64_t rows = 0;     // 0: as many as we like
  std::string after{};  // a former page's `next`
};

/// The catalog of everything that the server names, in its database; secrets are sealed. Names
/// differ by more than case. Thread-safe.
class Catalog {
 public:
  Catalog(store::Database* database, SecretBox box, const Clock* clock)
      : database_(database), box_(std::move(box)), clock_(clock) {}

  /// Add an entry below one that is there; `actor` becomes its owner where none is said.
  /// Errors: INVALID_ARGUMENT (a name that is none; a place that is, is in or holds that of another
  /// catalog or schema), NOT_FOUND (what it would be in), ALREADY_EXISTS.
  Result<Securable> Create(Securable securable, const Secrets& secrets, const std::string& actor);
  /// Errors: NOT_FOUND.
  Result<Securable> Get(Kind kind, const Path& path);
  /// Return the entries of one kind in `parent` (empty: those that are in nothing).
  /// Errors: NOT_FOUND (the parent), INVALID_ARGUMENT (a page that no list gave).
  Result<Page> List(Kind kind, const Path& parent, const PageRequest& request);
  /// Return every table that the pipeline made, whatever it is in.
  Result<std::vector<Securable>> TablesOf(const std::string& pipeline);
  /// Return every table that has these facts, whatever it is in. The names are not a client's.
  Result<std::vector<Securable>> TablesWith(const Texts& facts);
  /// Return every volume in a catalog or schema, however deep.
  Result<std::vector<Securable>> VolumesIn(const Path& path);
  /// Errors: NOT_FOUND, ALREADY_EXISTS (the new name), UNSUPPORTED_FIELD (a new name of what others
  /// are in).
  Result<Securable> Alter(Kind kind, const Path& path, const Change& change,
                          const std::string& actor);
  /// Remove the entry, and with `force` those in it; what they name elsewhere stays.
  /// Errors: NOT_FOUND, INVALID_ARGUMENT (there is something in it).
  Status Drop(Kind kind, const Path& path, bool force);

  /// Return what a connection was given and never tells again. Errors: DATA_CORRUPT.
  Result<Secrets> SecretsOf(const Securable& connection);

  /// A value of the server's own, made by the first call. Errors: STORE_*.
  Result<std::string> Setting(const std::string& name, const std::string& first);

 private:
  Status Seal(store::Session& session, const std::string& id, const Secrets& secrets);
  int64_t NowMs() const { return clock_->WallNow() / 1000; }

  store::Database* const database_;
  const SecretBox box_;
  const Clock* const clock_;
};

/// `Catalog 'main' does not exist.`
Status DoesNotExist(Kind kind, const Path& path);

}  // namespace freshet::catalog
