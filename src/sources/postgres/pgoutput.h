// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sources/postgres/lsn.h"
#include "sources/postgres/values.h"

// The messages of pgoutput, protocol versions 1 to 4 without prepared transactions, and of the
// replication stream around it. The parsers never read beyond the bytes they are given; a message
// that is cut or has bytes left over is not parsed (nullopt).
// Source: PostgreSQL, "Logical Replication Message Formats" and "Streaming Replication Protocol".

namespace freshet::sources::postgres {

/// Reads a message from front to back; once it would read too far it only gives zeros and `good()`
/// is false.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}
  bool good() const { return good_; }
  /// Whether everything was read, and no more.
  bool finished() const { return good_ && bytes_.empty(); }
  template <typename T>
  T Number() {
    if (bytes_.size() < sizeof(T)) return Fail(), T{};
    T value = LoadBigEndian<T>(bytes_.data());
    bytes_.remove_prefix(sizeof(T));
    return value;
  }
  char Character() { return static_cast<char>(Number<uint8_t>()); }
  std::string_view Bytes(size_t size) {
    if (bytes_.size() < size) return Fail(), std::string_view();
    std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  /// Text up to a zero byte, which is taken too.
  std::string_view Text() {
    size_t size = bytes_.find('\0');
    if (size == std::string_view::npos) return Fail(), std::string_view();
    std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size + 1);
    return taken;
  }

 private:
  void Fail() {
    good_ = false;
    bytes_ = {};
  }
  std::string_view bytes_;
  bool good_ = true;
};

struct BeginMessage {
  Lsn commit_lsn = 0;
  /// Microseconds since 1970-01-01.
  int64_t committed_at = 0;
};
struct CommitMessage {
  /// The next transaction begins at or after this: where to resume.
  Lsn end_lsn = 0;
  int64_t committed_at = 0;
};
struct RelationColumn {
  bool key = false;
  std::string name;
  uint32_t type = 0;
  int32_t modifier = -1;
  bool operator==(const RelationColumn&) const = default;
};
struct RelationMessage {
  uint32_t oid = 0;
  std::string schema, table;
  /// d default, n nothing, f full, i index.
  char identity = 'd';
  std::vector<RelationColumn> columns;
  bool operator==(const RelationMessage&) const = default;
};
/// One column of a row: n null, u unchanged and not sent (TOAST), t text.
struct TupleColumn {
  char kind = 'n';
  std::string_view text;
};
using Tuple = std::vector<TupleColumn>;
struct RowMessage {
  uint32_t oid = 0;
  /// Which old row came: K its key, O all of it, 0 none.
  char old_kind = 0;
  Tuple before, after;
};
struct TruncateMessage {
  std::vector<uint32_t> oids;
};
/// Messages of a transaction that has not ended follow, up to a Stream Stop.
struct StreamStartMessage {
  uint32_t transaction = 0;
  /// Nothing of it was sent before.
  bool first = false;
};
struct StreamCommitMessage {
  uint32_t transaction = 0;
  BeginMessage begin;
  CommitMessage commit;
};
struct StreamAbortMessage {
  uint32_t transaction = 0;
  /// What is undone: a subtransaction of it, or, the same number, all of it.
  uint32_t aborted = 0;
};
struct Keepalive {
  Lsn end_lsn = 0;
  bool reply_requested = false;
};

// Each takes the message without its first byte, the tag.
std::optional<BeginMessage> ParseBegin(std::string_view body);
std::optional<CommitMessage> ParseCommit(std::string_view body);
std::optional<RelationMessage> ParseRelation(std::string_view body);
std::optional<TruncateMessage> ParseTruncate(std::string_view body);
std::optional<StreamStartMessage> ParseStreamStart(std::string_view body);
std::optional<StreamCommitMessage> ParseStreamCommit(std::string_view body);
std::optional<StreamAbortMessage> ParseStreamAbort(std::string_view body);
std::optional<Keepalive> ParseKeepalive(std::string_view body);
/// Of an insert, update or delete only the oid, so that rows nobody follows cost nothing.
std::optional<uint32_t> ParseOid(std::string_view body);
/// Fill `row`, whose vectors are used again; its views point into `body`. Tag: I, U or D.
bool ParseRow(char tag, std::string_view body, RowMessage* row);
/// Return the payload of an XLogData message ('w').
std::optional<std::string_view> ParseXLogData(std::string_view body);
/// A standby status update: everything up to `flushed` is safe with us.
std::string FormatStatusUpdate(Lsn received, Lsn flushed, int64_t now_micros, bool reply_requested);

}  // namespace freshet::sources::postgres
