// SPDX-License-Identifier: Apache-2.0
// The stream's part that takes transactions which the server sends before they end. Nothing of them
// counts until they commit: neither as a position nor as something that idleness waits for.
#include "sources/postgres/stream.h"

namespace freshet::sources::postgres {

Status PostgresStream::TakeStreamStart(std::string_view body) {
  auto start = ParseStreamStart(body);
  if (!start) return Error(ErrorClass::SOURCE_PROTOCOL, "bad Stream Start");
  return streamed_.Start(*start);
}

Status PostgresStream::TakeStreamAbort(std::string_view body) {
  auto abort = ParseStreamAbort(body);
  if (!abort) return Error(ErrorClass::SOURCE_PROTOCOL, "bad Stream Abort");
  streamed_.Abort(*abort);
  return Status::Ok();
}

/// From here until the replay's end its messages come before those that the wire brings.
Status PostgresStream::TakeStreamCommit(std::string_view body) {
  auto commit = ParseStreamCommit(body);
  if (!commit) return Error(ErrorClass::SOURCE_PROTOCOL, "bad Stream Commit");
  FRESHET_TRY(auto committed, streamed_.Commit(commit->transaction));
  replay_.emplace(streamed_.scratch(), std::move(committed.bytes), std::move(committed.aborted));
  replay_end_ = commit->commit;
  waiting_ = std::exchange(block_, WireBlock());
  Begin(commit->begin);
  return Status::Ok();
}

Status PostgresStream::TakeReplayed(std::string_view message) {
  // The number of the (sub)transaction has done its work.
  Status status = TakeChange(message[0], message.substr(1 + sizeof(uint32_t)));
  if (status.Is(ErrorClass::SOURCE_PROTOCOL))
    return std::move(status).With("message", message.substr(0, 1));
  return status;
}

/// REQUIRES: replay_, no block_.
Status PostgresStream::ReadOnReplay() {
  FRESHET_TRY(block_, replay_->Next());
  if (block_) return Status::Ok();
  replay_.reset();
  block_ = std::exchange(waiting_, std::nullopt);
  EndTransaction(replay_end_);
  return Status::Ok();
}

}  // namespace freshet::sources::postgres
