// SPDX-License-Identifier: Apache-2.0
#include "catalog/secret_box.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/random.h"
#include "store/local_file.h"

namespace freshet::catalog {
namespace {

constexpr size_t kKeyBytes = crypto_aead_xchacha20poly1305_ietf_KEYBYTES;
constexpr size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::string_view kProofAbout = "freshet/key";
constexpr std::string_view kProof = "this key opens the secrets of this database";

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

std::string NextPath(const std::string& path) { return path + ".next"; }

/// Nothing: there is no such file.
Result<std::optional<Secret>> ReadKey(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (errno == ENOENT) return std::optional<Secret>();
    return store::FromErrno(errno, "cannot read the master key", path);
  }
  std::stringstream text;
  text << file.rdbuf();
  auto key = text.str();
  while (!key.empty() && (key.back() == '\n' || key.back() == '\r' || key.back() == ' '))
    key.pop_back();
  return std::optional(Secret(std::move(key)));
}

/// Written whole beside its place: half a key would keep the server from ever starting again.
Status WriteKey(const std::string& path, const Secret& key) {
  auto beside = path + ".new";
  unlink(beside.c_str());
  store::OpenFile file(open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.ok()) return store::FromErrno(errno, "cannot write the master key", beside);
  FRESHET_CHECK_OK(store::WriteAll(file.get(), key.Reveal() + "\n", beside));
  if (fsync(file.get()) != 0) return store::FromErrno(errno, "cannot sync the master key", beside);
  if (std::rename(beside.c_str(), path.c_str()) != 0)
    return store::FromErrno(errno, "cannot put the master key in its place", path);
  return store::SyncFolder(std::filesystem::path(path).parent_path().string());
}

Status Promote(const std::string& path) {
  if (std::rename(NextPath(path).c_str(), path.c_str()) != 0)
    return store::FromErrno(errno, "cannot replace the master key", path);
  return store::SyncFolder(std::filesystem::path(path).parent_path().string());
}

Secret NewKey() { return Secret(RandomHex(static_cast<int>(kKeyBytes))); }

/// Whether the database was sealed with this key; nothing: with none yet.
Result<std::optional<bool>> Fits(const SecretBox& box, store::Database& database) {
  FRESHET_TRY(auto rows, database.Query("SELECT value FROM settings WHERE name = 'key_proof'"));
  if (rows.empty()) return std::optional<bool>();
  return std::optional<bool>(box.Open(kProofAbout, rows[0].text(0)).ok());
}

Status WriteProof(const SecretBox& box, store::Session& session) {
  FRESHET_CHECK_OK(session.Execute("INSERT OR REPLACE INTO settings VALUES ('key_proof', ?)",
                                   {box.Seal(kProofAbout, Secret(std::string(kProof)))}));
  return Status::Ok();
}

Status WrongKey() {
  return Error(ErrorClass::DATA_CORRUPT,
               "the master key is not the one this database is sealed with")
      .WithRemedy("Give the key that was used before: its file, or FRESHET_MASTER_KEY.");
}

/// The file's key, or the next one where the database was sealed with that before a crash.
Result<SecretBox> OpenFromFile(const KeySource& source, store::Database& database) {
  FRESHET_TRY(auto key, ReadKey(source.path));
  FRESHET_TRY(auto next, ReadKey(NextPath(source.path)));
  if (next) {
    auto box = SecretBox::FromKey(*next);
    bool fits = false;
    if (box.ok()) {
      FRESHET_TRY(auto found, Fits(*box, database));
      fits = found.value_or(false);
    }
    if (fits) {
      FRESHET_CHECK_OK(Promote(source.path));
      return box;
    }
    std::remove(NextPath(source.path).c_str());
  }
  if (!key) {
    FRESHET_TRY(auto rows, database.Query("SELECT 1 FROM settings WHERE name = 'key_proof'"));
    if (!rows.empty() || !source.make_missing) {
      return Error(ErrorClass::NOT_FOUND, "the master key is not there: {}", source.path)
          .WithRemedy("Put the file back, or give the key by FRESHET_MASTER_KEY.");
    }
    key = NewKey();
    FRESHET_CHECK_OK(WriteKey(source.path, *key));
  }
  return SecretBox::FromKey(*key);
}

Status SealAnew(const SecretBox& from, const SecretBox& to, store::Session& session) {
  FRESHET_TRY(auto rows, session.Query("SELECT owner, name, sealed FROM secrets"));
  for (const auto& row : rows) {
    auto about = row.text(0) + "/" + row.text(1);
    FRESHET_TRY(auto secret, from.Open(about, row.text(2)));
    FRESHET_CHECK_OK(session.Execute("UPDATE secrets SET sealed = ? WHERE owner = ? AND name = ?",
                                     {to.Seal(about, secret), row.text(0), row.text(1)}));
  }
  return WriteProof(to, session);
}

}  // namespace

Secret NewToken(std::string_view prefix) {
  return Secret(std::string(prefix) + RandomHex(static_cast<int>(kKeyBytes)));
}

std::string HashOf(std::string_view token) {
  std::array<unsigned char, crypto_generichash_BYTES> hash;
  crypto_generichash(hash.data(), hash.size(), Bytes(token), token.size(), nullptr, 0);
  std::string text;
  for (auto byte : hash) text += fmt::format("{:02x}", byte);
  return text;
}

Result<SecretBox> SecretBox::FromKey(const Secret& key) {
  FRESHET_ASSERT(sodium_init() >= 0);
  std::string raw(kKeyBytes, '\0');
  size_t length = 0;
  const char* end = nullptr;
  const auto& text = key.Reveal();
  int failed =
      sodium_hex2bin(Bytes(raw), raw.size(), text.data(), text.size(), nullptr, &length, &end);
  if (failed != 0 || length != kKeyBytes || end != text.data() + text.size()) {
    return Error(ErrorClass::INVALID_ARGUMENT, "the master key is not {} hex digits", 2 * kKeyBytes)
        .WithRemedy("Make one with: openssl rand -hex 32");
  }
  return SecretBox(Secret(std::move(raw)));
}

store::Blob SecretBox::Seal(std::string_view about, const Secret& secret) const {
  const auto& plain = secret.Reveal();
  std::string sealed(kNonceBytes + plain.size() + kTagBytes, '\0');
  randombytes_buf(sealed.data(), kNonceBytes);
  unsigned long long length = 0;
  crypto_aead_xchacha20poly1305_ietf_encrypt(Bytes(sealed) + kNonceBytes, &length, Bytes(plain),
                                             plain.size(), Bytes(about), about.size(), nullptr,
                                             Bytes(sealed), Bytes(key_.Reveal()));
  return {std::move(sealed)};
}

Result<Secret> SecretBox::Open(std::string_view about, std::string_view sealed) const {
  auto refuse = [] {
    return Error(ErrorClass::DATA_CORRUPT, "a secret does not open with this master key")
        .WithRemedy("Give the master key that it was stored with, or store the secret again.");
  };
  if (sealed.size() < kNonceBytes + kTagBytes) return refuse();
  std::string plain(sealed.size() - kNonceBytes - kTagBytes, '\0');
  unsigned long long length = 0;
  int failed = crypto_aead_xchacha20poly1305_ietf_decrypt(
      Bytes(plain), &length, nullptr, Bytes(sealed) + kNonceBytes, sealed.size() - kNonceBytes,
      Bytes(about), about.size(), Bytes(sealed), Bytes(key_.Reveal()));
  if (failed != 0) return refuse();
  return Secret(std::move(plain));
}

Result<SecretBox> OpenBox(const KeySource& source, store::Database& database) {
  auto box = source.key.empty() ? OpenFromFile(source, database) : SecretBox::FromKey(source.key);
  if (!box.ok()) return box;
  FRESHET_TRY(auto fits, Fits(*box, database));
  if (!fits) {
    FRESHET_CHECK_OK(
        database.Write([&](store::Session& session) { return WriteProof(*box, session); }));
  } else if (!*fits) {
    return WrongKey();
  }
  return box;
}

Status RotateKey(const KeySource& source, store::Database& database) {
  if (!source.key.empty()) {
    return Error(ErrorClass::INVALID_ARGUMENT, "the master key comes from the environment")
        .WithRemedy("Write it to the key's file and unset FRESHET_MASTER_KEY, then rotate.");
  }
  FRESHET_TRY(auto from, OpenBox(source, database));
  auto key = NewKey();
  FRESHET_TRY(auto to, SecretBox::FromKey(key));
  // First the new key, then what it opens, then its place: a crash between any two is seen by
  // OpenBox.
  FRESHET_CHECK_OK(WriteKey(NextPath(source.path), key));
  FRESHET_CHECK_OK(
      database.Write([&](store::Session& session) { return SealAnew(from, to, session); }));
  return Promote(source.path);
}

}  // namespace freshet::catalog
