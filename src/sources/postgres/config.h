// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/secret.h"
#include "base/status.h"
#include "sources/postgres/column_selection.h"

namespace freshet::sources::postgres {

class CursorRules;

/// What types become: as near as Delta can hold them, or the tables of Lakeflow Connect.
/// TYPES.md has both.
enum class TypeMapping : uint8_t {
  kLossless,
  kLosslessUtc,  // but that times without a zone are taken as UTC
  kDatabricks
};

/// How to reach one database and what Freshet uses there.
struct Config {
  /// libpq's parameters by its own keywords (host, port, dbname, user, sslmode, sslrootcert …),
  /// secrets left out.
  std::vector<std::pair<std::string, std::string>> parameters;
  /// Empty: libpq looks in PGPASSWORD, then in the password file.
  Secret password;
  /// Of the client's TLS key.
  Secret tls_key_password;
  /// The replication slot, and whether the user gave it: a given one is never made nor dropped.
  std::string slot;
  bool slot_given = false;
  /// The publication, likewise: a given one is never altered.
  std::string publication;
  bool publication_given = false;
  TypeMapping type_mapping = TypeMapping::kLossless;
  /// The others are never read.
  ColumnSelection columns;
  /// Where transactions that have not ended are put aside; empty: the server keeps them.
  std::string scratch_folder;
  /// Tables are captured by queries on their cursor columns; null: from the log.
  std::shared_ptr<const CursorRules> rules;
  /// How long making a slot may wait for the source's running transactions.
  std::chrono::milliseconds slot_wait_max = limits::kSlotWaitMax;
  /// How long the server may say nothing before it is asked whether it is still there.
  std::chrono::milliseconds silence_max = limits::kSourceSilenceMax;
  /// How long a query may take; 0: for ever.
  std::chrono::milliseconds statement_timeout{0};

  /// Return a parameter's value, "" when it is not set.
  std::string_view parameter(std::string_view keyword) const;
};

/// Read a `postgresql://` URI or libpq's `keyword=value` text. Errors: INVALID_ARGUMENT; the text
/// itself is never quoted.
Result<Config> ParseUri(std::string_view uri);

/// Return `postgresql://user@host:port/database`, which holds no secret.
std::string Describe(const Config& config);

/// Whether the server asks for a password and none was found: the one case where asking a person
/// helps. Connects. Any other failure is false: Open reports it.
bool NeedsPassword(const Config& config);

}  // namespace freshet::sources::postgres
