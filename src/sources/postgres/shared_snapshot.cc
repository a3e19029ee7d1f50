// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/shared_snapshot.h"

#include <charconv>

namespace freshet::sources::postgres {
namespace {

/// Take ` name=value` off the front of `text`; an empty name takes what comes before the first
/// space.
std::string_view TakeField(std::string_view name, std::string_view* text) {
  if (!name.empty()) {
    if (!text->starts_with(name)) return {};
    text->remove_prefix(name.size());
  }
  std::string_view value = text->substr(0, text->find(' '));
  text->remove_prefix(value.size());
  return value;
}

template <typename T>
bool ParseNumber(std::string_view text, T* value) {
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, *value);
  return error == std::errc() && stop == end && !text.empty();
}

Status Gone(const SharedSnapshot& snapshot) {
  return Error(ErrorClass::SNAPSHOT_STALE, "the snapshot itself is gone: {}", snapshot.name);
}

}  // namespace

std::string ToHandle(const SharedSnapshot& snapshot) {
  return fmt::format("{} at={} epoch={} taken={} sees={}", snapshot.name,
                     FormatLsn(snapshot.position), snapshot.epoch, snapshot.taken_at,
                     snapshot.sees);
}

Result<SharedSnapshot> FromHandle(const std::string& handle) {
  SharedSnapshot snapshot;
  std::string_view text = handle;
  snapshot.name = TakeField("", &text);
  auto position = ParseLsn(TakeField(" at=", &text));
  bool good = !snapshot.name.empty() && position.ok();
  good = good && ParseNumber(TakeField(" epoch=", &text), &snapshot.epoch);
  good = good && ParseNumber(TakeField(" taken=", &text), &snapshot.taken_at);
  good = good && ParseNumber(TakeField(" sees=", &text), &snapshot.sees) && text.empty();
  if (!good) return Error(ErrorClass::SNAPSHOT_STALE, "not a snapshot of PostgreSQL: {}", handle);
  snapshot.position = *position;
  return snapshot;
}

Status Join(Connection* connection, const SharedSnapshot& snapshot) {
  // One message, one round trip; the answer is the last statement's.
  auto rows = connection->Query(
      fmt::format("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}; "
                  "SELECT {}",
                  QuoteLiteral(snapshot.name), kSees));
  if (rows.ok()) return rows->number(0, 0) == snapshot.sees ? Status::Ok() : Gone(snapshot);
  // The session that held it is gone: 22023 invalid snapshot identifier, 42704 no such snapshot,
  // 55000 its transaction is over.
  const std::string& state = connection->sql_state();
  bool gone = state == "22023" || state == "55000" || state == "42704";
  return rows.status().Is(ErrorClass::SOURCE_QUERY) && gone ? Gone(snapshot) : rows.status();
}

}  // namespace freshet::sources::postgres
