// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/secret.h"
#include "base/status.h"
#include "store/database.h"

namespace freshet::catalog {

/// Return `prefix` and 32 random bytes as hex digits: what a client proves itself with.
Secret NewToken(std::string_view prefix);
/// Return what is kept of a token: its BLAKE2b hash as hex digits. A token is as random as a key,
/// so that no salt and no slow hash is needed.
std::string HashOf(std::string_view token);

/// Seals secrets with a master key (XChaCha20-Poly1305 with a random nonce). `about` names what the
/// secret is of, and is sealed with it: a sealed secret that was moved elsewhere does not open.
/// Thread-safe; immutable.
class SecretBox {
 public:
  /// A key of 64 hex digits. Errors: INVALID_ARGUMENT.
  static Result<SecretBox> FromKey(const Secret& key);

  store::Blob Seal(std::string_view about, const Secret& secret) const;
  /// Errors: DATA_CORRUPT (another key, another `about`, or other bytes).
  Result<Secret> Open(std::string_view about, std::string_view sealed) const;

 private:
  explicit SecretBox(Secret key) : key_(std::move(key)) {}
  Secret key_;  // 32 bytes
};

/// Where the master key comes from: the text itself (from the environment), or a file, which is
/// made with a new key where it is missing and `make_missing` says so.
struct KeySource {
  Secret key;        // empty: from the file
  std::string path;  // its folder is there
  bool make_missing = true;
};

/// Open the box of this database. The first time, what proves the key is written to it.
/// A rotation that was cut short is finished or undone: of the two keys the one that the database
/// was sealed with holds.
/// Errors: INVALID_ARGUMENT, DATA_CORRUPT (not the key of this database), STORE_*.
Result<SecretBox> OpenBox(const KeySource& source, store::Database& database);

/// Seal every secret anew with a new key, which takes the place of the file's. After any crash one
/// of the two keys is there and fits. REQUIRES: no other process uses the database.
/// Errors: INVALID_ARGUMENT (the key comes from the environment), as OpenBox.
Status RotateKey(const KeySource& source, store::Database& database);

}  // namespace freshet::catalog
