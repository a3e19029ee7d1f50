// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/pgoutput.h"

namespace freshet::sources::postgres {
namespace {

/// The server counts microseconds from 2000-01-01.
constexpr int64_t kEpochMicros = 946'684'800'000'000;

int64_t ReadTime(ByteReader* reader) {
  int64_t micros = 0;
  return __builtin_add_overflow(reader->Number<int64_t>(), kEpochMicros, &micros) ? 0 : micros;
}

bool ReadTuple(ByteReader* reader, Tuple* tuple) {
  size_t count = reader->Number<uint16_t>();
  tuple->clear();
  for (size_t i = 0; i < count && reader->good(); ++i) {
    TupleColumn column{reader->Character(), {}};
    if (column.kind == 't') {
      column.text = reader->Bytes(reader->Number<uint32_t>());
    } else if (column.kind != 'n' && column.kind != 'u') {
      return false;
    }
    tuple->push_back(column);
  }
  return reader->good();
}

template <typename Message>
std::optional<Message> IfFinished(const ByteReader& reader, Message message) {
  if (!reader.finished()) return std::nullopt;
  return message;
}

}  // namespace

std::optional<BeginMessage> ParseBegin(std::string_view body) {
  ByteReader reader(body);
  BeginMessage message;
  message.commit_lsn = reader.Number<uint64_t>();
  message.committed_at = ReadTime(&reader);
  reader.Number<uint32_t>();  // the transaction's number
  return IfFinished(reader, message);
}

std::optional<CommitMessage> ParseCommit(std::string_view body) {
  ByteReader reader(body);
  CommitMessage message;
  reader.Character();         // flags, unused
  reader.Number<uint64_t>();  // the commit's own place, which Begin said
  message.end_lsn = reader.Number<uint64_t>();
  message.committed_at = ReadTime(&reader);
  return IfFinished(reader, message);
}

std::optional<RelationMessage> ParseRelation(std::string_view body) {
  ByteReader reader(body);
  RelationMessage message;
  message.oid = reader.Number<uint32_t>();
  message.schema = reader.Text();
  message.table = reader.Text();
  message.identity = reader.Character();
  size_t count = reader.Number<uint16_t>();
  for (size_t i = 0; i < count && reader.good(); ++i) {
    RelationColumn column;
    column.key = (reader.Number<uint8_t>() & 1) != 0;
    column.name = reader.Text();
    column.type = reader.Number<uint32_t>();
    column.modifier = reader.Number<int32_t>();
    message.columns.push_back(std::move(column));
  }
  return IfFinished(reader, std::move(message));
}

std::optional<TruncateMessage> ParseTruncate(std::string_view body) {
  ByteReader reader(body);
  TruncateMessage message;
  uint32_t count = reader.Number<uint32_t>();
  reader.Character();  // CASCADE, RESTART IDENTITY: the tables it reached are all listed
  for (uint32_t i = 0; i < count && reader.good(); ++i)
    message.oids.push_back(reader.Number<uint32_t>());
  return IfFinished(reader, std::move(message));
}

std::optional<StreamStartMessage> ParseStreamStart(std::string_view body) {
  ByteReader reader(body);
  StreamStartMessage message;
  message.transaction = reader.Number<uint32_t>();
  message.first = reader.Character() == 1;
  return IfFinished(reader, message);
}

std::optional<StreamCommitMessage> ParseStreamCommit(std::string_view body) {
  ByteReader reader(body);
  StreamCommitMessage message;
  message.transaction = reader.Number<uint32_t>();
  reader.Character();  // flags, unused
  message.begin.commit_lsn = reader.Number<uint64_t>();
  message.commit.end_lsn = reader.Number<uint64_t>();
  message.begin.committed_at = message.commit.committed_at = ReadTime(&reader);
  return IfFinished(reader, message);
}

std::optional<StreamAbortMessage> ParseStreamAbort(std::string_view body) {
  constexpr size_t kPlainBytes = 8;
  ByteReader reader(body);
  StreamAbortMessage message;
  message.transaction = reader.Number<uint32_t>();
  message.aborted = reader.Number<uint32_t>();
  // Sent to those who apply in parallel: where and when.
  if (body.size() > kPlainBytes) {
    reader.Number<uint64_t>();
    reader.Number<uint64_t>();
  }
  return IfFinished(reader, message);
}

std::optional<Keepalive> ParseKeepalive(std::string_view body) {
  ByteReader reader(body);
  Keepalive message;
  message.end_lsn = reader.Number<uint64_t>();
  reader.Number<int64_t>();
  message.reply_requested = reader.Character() != 0;
  return IfFinished(reader, message);
}

std::optional<uint32_t> ParseOid(std::string_view body) {
  ByteReader reader(body);
  auto oid = reader.Number<uint32_t>();
  if (!reader.good()) return std::nullopt;
  return oid;
}

bool ParseRow(char tag, std::string_view body, RowMessage* row) {
  ByteReader reader(body);
  row->oid = reader.Number<uint32_t>();
  row->old_kind = 0;
  row->before.clear();
  row->after.clear();
  char kind = reader.Character();
  if (kind == 'K' || kind == 'O') {
    if (tag == 'I') return false;
    row->old_kind = kind;
    if (!ReadTuple(&reader, &row->before)) return false;
    if (tag == 'D') return reader.finished();
    kind = reader.Character();
  }
  return tag != 'D' && kind == 'N' && ReadTuple(&reader, &row->after) && reader.finished();
}

std::optional<std::string_view> ParseXLogData(std::string_view body) {
  constexpr size_t kHeaderBytes = 24;  // start, end, clock
  if (body.size() <= kHeaderBytes) return std::nullopt;
  return body.substr(kHeaderBytes);
}

std::string FormatStatusUpdate(Lsn received, Lsn flushed, int64_t now_micros,
                               bool reply_requested) {
  std::string message = "r";
  auto put = [&message](uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8)
      message += static_cast<char>(value >> shift & 0xFF);
  };
  put(received);
  put(flushed);
  put(flushed);  // applied
  put(static_cast<uint64_t>(now_micros - kEpochMicros));
  message += reply_requested ? '\1' : '\0';
  return message;
}

}  // namespace freshet::sources::postgres
