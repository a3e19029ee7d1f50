// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/bounded_queue.h"
#include "base/limits.h"
#include "sources/postgres/connection.h"
#include "sources/postgres/lsn.h"
#include "sources/postgres/wire_block.h"

namespace freshet::sources::postgres {

/// The thread that reads a replication stream's wire and keeps its session alive, so that a slow
/// reader is back-pressure and never a cut connection. The only user of its connection once
/// started.
///
///   loop: tell the server where we are, when due or asked
///         take what has come into a block; hand a full block, or what there is, to the queue
///         nothing more there: wait for the wire or for the reader's wish, where a block was just
///           handed over a moment first, so that the next is not of one message
class Receiver {
 public:
  /// What comes so soon after a block makes one with what follows it. A server that decodes slower
  /// than we read sends a few messages at a time, and taking them one by one woke two threads for
  /// each: a third of all the engine's time where pages were first written since a checkpoint.
  static constexpr std::chrono::milliseconds kGatherTime{4};

  /// REQUIRES: `connection` is in copy-both mode. `status_interval`: well below the server's
  /// wal_sender_timeout. `silence_max`: how long the server may say nothing, asked for an answer
  /// halfway, before another session is asked whether it works for this one.
  Receiver(std::unique_ptr<Connection> connection, std::chrono::milliseconds status_interval,
           std::chrono::milliseconds silence_max, Lsn acknowledged);
  ~Receiver();
  Status Start();
  /// End the thread and the session.
  void Stop();

  /// Return the next block; nothing at the deadline or at the stream's end: `status` says which.
  std::optional<WireBlock> Pop(Deadline deadline);
  /// Why the stream ended; OK while it goes on or blocks are left.
  Status status() const;
  /// Tell the server that everything up to here is safe. Thread-safe.
  void Confirm(Lsn lsn);
  /// Ask the server for a keepalive with its position. Thread-safe.
  void RequestPosition();

 private:
  void Run(const std::stop_token& stop);
  Status Receive(const std::stop_token& stop);
  Status TakeAvailable(const std::stop_token& stop, bool* ended);
  Status Hand(const std::stop_token& stop);
  Status SendStatus(bool reply_requested);
  Status SendStatusIfDue();
  void Look(std::string_view message);
  bool Readable() const;
  void LetGather();
  Status WaitForWire();
  Status CheckSilence();
  void Wake();

  const std::unique_ptr<Connection> connection_;
  const std::chrono::milliseconds status_interval_, silence_max_;
  BoundedQueue<WireBlock> queue_{limits::kWireQueueBytesMax};
  std::atomic<Lsn> acknowledged_;
  std::atomic<bool> position_requested_ = false;
  int wake_descriptor_ = -1;
  // The thread's own.
  WireBlock block_;
  Lsn received_ = 0;
  Lsn told_ = 0;
  bool reply_due_ = false;
  MonotonicTime status_sent_{};
  MonotonicTime handed_at_{};
  /// Since when the server has said nothing, and whether an answer was asked for since.
  MonotonicTime silent_since_{};
  bool answer_wanted_ = false;
  mutable std::mutex mutex_;
  // Protected by mutex_.
  Status status_;
  std::jthread thread_;
};

}  // namespace freshet::sources::postgres
