// SPDX-License-Identifier: Apache-2.0
#include "catalog/catalog.h"

#include <algorithm>

#include "base/json.h"
#include "base/random.h"
#include "base/server_limits.h"

namespace freshet::catalog {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kColumns[] =
    "id, kind, path, owner, comment, properties, options, facts, created_at, created_by, "
    "updated_at, "
    "updated_by";

std::string ToText(const Texts& texts) {
  auto json = Json::object();
  for (const auto& [name, value] : texts) json[name] = value;
  return JsonText(json);
}

Texts FromText(const std::string& text) {
  Texts texts;
  auto json = ParseJson<Json>(text);
  if (!json.is_object()) return texts;
  for (const auto& [name, value] : json.items()) {
    if (value.is_string()) texts[name] = value.get<std::string>();
  }
  return texts;
}

/// A path as it is kept: its own spelling, one part a line.
std::string PathText(const Path& path) {
  std::string text;
  for (const auto& part : path) text += (text.empty() ? "" : "\n") + part;
  return text;
}

Path PathFrom(const std::string& text) {
  Path path(1);
  for (char c : text) {
    if (c == '\n') {
      path.emplace_back();
    } else {
      path.back() += c;
    }
  }
  return path;
}

Securable FromRow(const store::Row& row) {
  return {.id = row.text(0),
          .kind = static_cast<Kind>(row.number(1)),
          .path = PathFrom(row.text(2)),
          .owner = row.text(3),
          .comment = row.text(4),
          .properties = FromText(row.text(5)),
          .options = FromText(row.text(6)),
          .facts = FromText(row.text(7)),
          .created_at = row.number(8),
          .updated_at = row.number(10),
          .created_by = row.text(9),
          .updated_by = row.text(11)};
}

int64_t Number(Kind kind) { return static_cast<int64_t>(kind); }

/// Of what it is in, by the number of parts of its parent's name.
Kind ParentKind(size_t parts) { return parts == 1 ? Kind::kCatalog : Kind::kSchema; }

Result<Securable> Find(store::Session& session, Kind kind, const Path& path) {
  FRESHET_TRY(
      auto rows,
      session.Query(fmt::format("SELECT {} FROM securables WHERE kind = ? AND key = ?", kColumns),
                    {Number(kind), KeyOf(path)}));
  if (rows.empty()) return DoesNotExist(kind, path);
  return FromRow(rows[0]);
}

Status CheckParent(store::Session& session, const Path& parent) {
  if (parent.empty()) return Status::Ok();
  return Find(session, ParentKind(parent.size()), parent).status();
}

/// Keys of what is in something: behind its own key and the separator, before anything else.
std::pair<std::string, std::string> KeysWithin(const Path& path) {
  return {KeyOf(path) + '\x1f', KeyOf(path) + '\x20'};
}

Status Taken(Kind kind, const Path& path) {
  return Error(ErrorClass::ALREADY_EXISTS, "{} '{}' already exists.", NameOf(kind), FullName(path))
      .WithRemedy("Choose another name; names differ by more than case.");
}

bool Holds(const std::string& outer, const std::string& inner) {
  return (inner + "/").starts_with(outer + "/");
}

/// Two that keep their tables in one place would write and remove each other's. What is in a
/// catalog may lie in its place.
Status CheckPlace(store::Session& session, const Securable& made) {
  bool has_place = made.kind == Kind::kCatalog || made.kind == Kind::kSchema;
  auto place = made.fact("storage_location");
  if (!has_place || place.empty()) return Status::Ok();
  FRESHET_TRY(auto rows,
              session.Query(fmt::format("SELECT {} FROM securables WHERE kind IN (?, ?)", kColumns),
                            {Number(Kind::kCatalog), Number(Kind::kSchema)}));
  for (const auto& row : rows) {
    auto other = FromRow(row);
    auto taken = other.fact("storage_location");
    bool parent = made.path.size() == 2 && other.path.size() == 1 &&
                  KeyOf(other.path) == KeyOf({made.path[0]}) && place != taken;
    if (taken.empty() || (parent && Holds(taken, place))) continue;
    if (!Holds(taken, place) && !Holds(place, taken)) continue;
    return Error(ErrorClass::INVALID_ARGUMENT,
                 "the place {} is, is in or holds that of {} '{}': {}", place,
                 Lower(NameOf(other.kind)), FullName(other.path), taken)
        .WithRemedy("Give a storage_root of its own.");
  }
  return Status::Ok();
}

/// A page's end goes to the client as hex digits: it is a name's key, not a promise.
std::string ToHex(const std::string& text) {
  std::string hex;
  for (char c : text) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return hex;
}

Result<std::string> FromHex(const std::string& hex) {
  std::string text;
  auto digit = [](char c) { return c >= 'a' ? c - 'a' + 10 : c - '0'; };
  bool good = hex.size() % 2 == 0 && std::ranges::all_of(hex, [](char c) {
                return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
              });
  if (!good) return Error(ErrorClass::INVALID_ARGUMENT, "page_token is of no list: '{}'", hex);
  for (size_t i = 0; i < hex.size(); i += 2)
    text += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  return text;
}

}  // namespace

std::string_view NameOf(Kind kind) {
  switch (kind) {
    case Kind::kCatalog:
      return "Catalog";
    case Kind::kSchema:
      return "Schema";
    case Kind::kTable:
      return "Table";
    case Kind::kVolume:
      return "Volume";
    case Kind::kConnection:
      return "Connection";
  }
  return "";
}

size_t PartsOf(Kind kind) {
  if (kind == Kind::kCatalog || kind == Kind::kConnection) return 1;
  return kind == Kind::kSchema ? 2 : 3;
}

std::string Securable::fact(const std::string& name) const {
  auto found = facts.find(name);
  return found == facts.end() ? "" : found->second;
}

std::string FileUri(const std::string& folder) { return std::string(kFileScheme) + folder; }

std::string Securable::folder() const {
  const auto place = fact("storage_location");
  return place.starts_with(kFileScheme) ? place.substr(kFileScheme.size()) : std::string();
}

Status DoesNotExist(Kind kind, const Path& path) {
  return Error(ErrorClass::NOT_FOUND, "{} '{}' does not exist.", NameOf(kind), FullName(path));
}

Result<Securable> Catalog::Create(Securable securable, const Secrets& secrets,
                                  const std::string& actor) {
  FRESHET_ASSERT(securable.path.size() == PartsOf(securable.kind));
  FRESHET_CHECK_OK(CheckName(NameOf(securable.kind), securable.name()));
  // Source: the published API returns schemas' names in lower case.
  if (securable.kind == Kind::kSchema) securable.path.back() = Lower(securable.name());
  securable.id = RandomUuid();
  securable.created_at = securable.updated_at = NowMs();
  securable.created_by = securable.updated_by = actor;
  if (securable.owner.empty()) securable.owner = actor;
  Path parent(securable.path.begin(), std::prev(securable.path.end()));
  auto worked = database_->Write([&](store::Session& session) -> Status {
    if (!parent.empty()) {
      // The parent's own spelling, whatever the caller's.
      FRESHET_TRY(auto above, Find(session, ParentKind(parent.size()), parent));
      std::copy(above.path.begin(), above.path.end(), securable.path.begin());
    }
    // A name that is taken is the plainer word, also where the place follows from it.
    auto same = Find(session, securable.kind, securable.path);
    if (same.ok()) return Taken(securable.kind, securable.path);
    FRESHET_CHECK_OK(CheckPlace(session, securable));
    auto made = session.Execute(
        "INSERT INTO securables VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        {securable.id, Number(securable.kind), KeyOf(securable.path), KeyOf(parent),
         PathText(securable.path), securable.owner, securable.comment, ToText(securable.properties),
         ToText(securable.options), ToText(securable.facts), securable.created_at, actor,
         securable.updated_at, actor});
    if (made.status().Is(ErrorClass::ALREADY_EXISTS)) return Taken(securable.kind, securable.path);
    FRESHET_CHECK_OK(made);
    return Seal(session, securable.id, secrets);
  });
  FRESHET_CHECK_OK(worked);
  return securable;
}

Status Catalog::Seal(store::Session& session, const std::string& id, const Secrets& secrets) {
  for (const auto& [name, secret] : secrets) {
    FRESHET_CHECK_OK(session.Execute("INSERT OR REPLACE INTO secrets VALUES (?, ?, ?)",
                                     {id, name, box_.Seal(id + "/" + name, secret)}));
  }
  return Status::Ok();
}

Result<Securable> Catalog::Get(Kind kind, const Path& path) {
  Securable found;
  auto worked = database_->Read([&](store::Session& session) -> Status {
    FRESHET_TRY(found, Find(session, kind, path));
    return Status::Ok();
  });
  FRESHET_CHECK_OK(worked);
  return found;
}

Result<Page> Catalog::List(Kind kind, const Path& parent, const PageRequest& request) {
  FRESHET_TRY(auto after, FromHex(request.after));
  auto rows_max =
      request.rows <= 0 ? limits::kPageRows : std::min(request.rows, limits::kPageRowsMax);
  Page page;
  auto worked = database_->Read([&](store::Session& session) -> Status {
    FRESHET_CHECK_OK(CheckParent(session, parent));
    FRESHET_TRY(auto rows,
                session.Query(fmt::format("SELECT {} FROM securables WHERE kind = ? AND parent = ? "
                                          "AND key > ? ORDER BY key LIMIT ?",
                                          kColumns),
                              {Number(kind), KeyOf(parent), after, rows_max + 1}));
    for (const auto& row : rows) page.items.push_back(FromRow(row));
    return Status::Ok();
  });
  FRESHET_CHECK_OK(worked);
  if (static_cast<int64_t>(page.items.size()) > rows_max) {
    page.items.pop_back();
    page.next = ToHex(KeyOf(page.items.back().path));
  }
  return page;
}

Result<std::vector<Securable>> Catalog::TablesOf(const std::string& pipeline) {
  return TablesWith({{"pipeline_id", pipeline}});
}

Result<std::vector<Securable>> Catalog::TablesWith(const Texts& facts) {
  auto sql = fmt::format("SELECT {} FROM securables WHERE kind = ?", kColumns);
  std::vector<store::Parameter> values{Number(Kind::kTable)};
  for (const auto& [name, value] : facts) {
    sql += " AND json_extract(facts, ?) = ?";
    values.emplace_back("$." + name);
    values.emplace_back(value);
  }
  FRESHET_TRY(auto rows, database_->Query(sql + " ORDER BY key", values));
  std::vector<Securable> tables;
  for (const auto& row : rows) tables.push_back(FromRow(row));
  return tables;
}

Result<std::vector<Securable>> Catalog::VolumesIn(const Path& path) {
  auto [from, to] = KeysWithin(path);
  FRESHET_TRY(auto rows,
              database_->Query(fmt::format("SELECT {} FROM securables WHERE kind = ? AND key > ? "
                                           "AND key < ? ORDER BY key",
                                           kColumns),
                               {Number(Kind::kVolume), from, to}));
  std::vector<Securable> volumes;
  for (const auto& row : rows) volumes.push_back(FromRow(row));
  return volumes;
}

Result<Securable> Catalog::Alter(Kind kind, const Path& path, const Change& change,
                                 const std::string& actor) {
  if (change.new_name) {
    FRESHET_CHECK_OK(CheckName(NameOf(kind), *change.new_name));
    if (kind != Kind::kConnection && kind != Kind::kVolume) {
      return Error(ErrorClass::UNSUPPORTED_FIELD, "new_name of a {} is not supported yet",
                   Lower(NameOf(kind)));
    }
  }
  Securable altered;
  auto worked = database_->Write([&](store::Session& session) -> Status {
    FRESHET_TRY(altered, Find(session, kind, path));
    if (change.new_name) altered.path.back() = *change.new_name;
    if (change.owner) altered.owner = *change.owner;
    if (change.comment) altered.comment = *change.comment;
    if (change.properties) altered.properties = *change.properties;
    if (change.options) altered.options = *change.options;
    for (const auto& [name, value] : change.facts) altered.facts[name] = value;
    altered.updated_at = NowMs();
    altered.updated_by = actor;
    auto done = session.Execute(
        "UPDATE securables SET key = ?, path = ?, owner = ?, comment = ?, properties = ?, "
        "options = ?, facts = ?, updated_at = ?, updated_by = ? WHERE id = ?",
        {KeyOf(altered.path), PathText(altered.path), altered.owner, altered.comment,
         ToText(altered.properties), ToText(altered.options), ToText(altered.facts),
         altered.updated_at, actor, altered.id});
    if (done.status().Is(ErrorClass::ALREADY_EXISTS)) return Taken(kind, altered.path);
    FRESHET_CHECK_OK(done);
    return Seal(session, altered.id, change.secrets);
  });
  FRESHET_CHECK_OK(worked);
  return altered;
}

Status Catalog::Drop(Kind kind, const Path& path, bool force) {
  return database_->Write([&](store::Session& session) -> Status {
    FRESHET_TRY(auto found, Find(session, kind, path));
    auto [from, to] = KeysWithin(path);
    if (kind == Kind::kCatalog || kind == Kind::kSchema) {
      constexpr std::string_view kWithin =
          "FROM securables WHERE kind IN (2, 3, 4) AND key > ? AND key < ?";
      FRESHET_TRY(auto within,
                  session.Query(fmt::format("SELECT count(*) {}", kWithin), {from, to}));
      if (within[0].number(0) > 0 && !force) {
        return Error(ErrorClass::INVALID_ARGUMENT, "{} '{}' is not empty.", NameOf(kind),
                     FullName(found.path))
            .WithRemedy("Remove what is in it, or say force=true.");
      }
      FRESHET_CHECK_OK(session.Execute(
          fmt::format("DELETE FROM grants WHERE securable IN (SELECT id {})", kWithin),
          {from, to}));
      FRESHET_CHECK_OK(session.Execute(fmt::format("DELETE {}", kWithin), {from, to}));
    }
    FRESHET_CHECK_OK(session.Execute("DELETE FROM secrets WHERE owner = ?", {found.id}));
    FRESHET_CHECK_OK(session.Execute("DELETE FROM grants WHERE securable = ?", {found.id}));
    FRESHET_CHECK_OK(session.Execute("DELETE FROM securables WHERE id = ?", {found.id}));
    return Status::Ok();
  });
}

Result<Secrets> Catalog::SecretsOf(const Securable& connection) {
  FRESHET_TRY(auto rows, database_->Query("SELECT name, sealed FROM secrets WHERE owner = ?",
                                          {connection.id}));
  Secrets secrets;
  for (const auto& row : rows) {
    FRESHET_TRY(secrets[row.text(0)], box_.Open(connection.id + "/" + row.text(0), row.text(1)));
  }
  return secrets;
}

Result<std::string> Catalog::Setting(const std::string& name, const std::string& first) {
  FRESHET_CHECK_OK(
      database_->Execute("INSERT OR IGNORE INTO settings VALUES (?, ?)", {name, first}));
  FRESHET_TRY(auto rows, database_->Query("SELECT value FROM settings WHERE name = ?", {name}));
  return rows[0].text(0);
}

}  // namespace freshet::catalog
