// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <roaring/roaring.hh>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/status.h"
#include "sources/postgres/pgoutput.h"
#include "sources/postgres/wire_block.h"
#include "store/scratch.h"

namespace freshet::sources::postgres {

/// Numbers of transactions, a bit each where they lie close: a loop that catches its errors makes a
/// subtransaction a row.
using TransactionSet = Roaring;

/// The messages of one streamed transaction that committed, in order and without what was rolled
/// back to a savepoint; of that only the descriptions of relations, for the server may not send
/// them again. Lives shorter than the scratch it reads. One thread.
class StreamedReplay {
 public:
  /// `aborted`: its subtransactions that count no more.
  StreamedReplay(store::Scratch* scratch, store::Scratch::Bytes bytes, TransactionSet aborted)
      : scratch_(scratch), bytes_(std::move(bytes)), aborted_(std::move(aborted)) {}
  ~StreamedReplay() { scratch_->Free(&bytes_); }
  StreamedReplay(const StreamedReplay&) = delete;
  StreamedReplay& operator=(const StreamedReplay&) = delete;

  /// Return the next messages, as they came: a tag, the (sub)transaction's number, the body. None
  /// may be among them, where all were rolled back; nothing at the end.
  /// Errors: STORE_UNAVAILABLE.
  Result<std::optional<WireBlock>> Next();
  /// Whether a message that Next returned is not of what was rolled back: there the number is 0.
  static bool Counts(std::string_view message);

 private:
  bool Counts(uint32_t transaction);
  size_t TakeMessages(std::string_view window, WireBlock* block);

  store::Scratch* const scratch_;
  store::Scratch::Bytes bytes_;
  const TransactionSet aborted_;
  size_t at_ = 0;
  size_t next_bytes_ = 0;  // of the message at `at_`, once it is known to be a large one
  std::optional<std::pair<uint32_t, bool>> last_;
};

/// Keeps what the server sends of transactions before they end, for the moment they commit. Only
/// what came since a Stream Start is in memory, and of that limits::kWireBlockBytes and one
/// message; the rest is in scratch. Several may be open, their pieces in turns. One thread.
///
///   Stream Start → Start; each message up to Stream Stop → Take
///   Stream Abort → Abort: of a savepoint, what is not to be replayed; of the whole, it is
///     forgotten
///   Stream Commit → Commit: what to replay
///
/// Source: PostgreSQL, "Logical Replication Message Formats" and "Streaming of Large Transactions
/// for Logical Decoding".
class StreamedTransactions {
 public:
  /// `folder`: on a disk with room for transactions of any size.
  explicit StreamedTransactions(std::string folder) : scratch_(std::move(folder)) {}

  /// Whether a Stream Start came and its Stream Stop did not.
  bool open() const { return open_.transaction != nullptr; }
  /// Errors: SOURCE_PROTOCOL.
  Status Start(const StreamStartMessage& start);
  /// Take a message as it came, its tag first. REQUIRES: open(). Errors: SOURCE_PROTOCOL, STORE_*.
  Status Take(std::string_view message);
  /// REQUIRES: not open().
  void Abort(const StreamAbortMessage& abort);
  /// Hand over a transaction; it is known no longer. REQUIRES: not open(). Errors: SOURCE_PROTOCOL.
  struct Committed {
    store::Scratch::Bytes bytes;
    TransactionSet aborted;
    /// Its subtransactions that messages are of.
    TransactionSet subtransactions;
    uint32_t noted = 0;  // the last of them that one came of
  };
  Result<Committed> Commit(uint32_t transaction);
  store::Scratch* scratch() { return &scratch_; }

 private:
  struct Open {
    Committed* transaction = nullptr;
    uint32_t number = 0;
  };
  Status Keep(std::string_view message);
  void Note(uint32_t subtransaction);
  Status Flush();

  store::Scratch scratch_;
  std::unordered_map<uint32_t, Committed> transactions_;
  Open open_;
  std::string buffer_;  // of the open one, not in scratch yet
};

}  // namespace freshet::sources::postgres
