// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/receiver.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstring>

#include "base/clock.h"
#include "sources/postgres/pgoutput.h"
#include "sources/postgres/slot.h"

namespace freshet::sources::postgres {
namespace {

using std::chrono::steady_clock;

}  // namespace

Receiver::Receiver(std::unique_ptr<Connection> connection,
                   std::chrono::milliseconds status_interval, std::chrono::milliseconds silence_max,
                   Lsn acknowledged)
    : connection_(std::move(connection)),
      status_interval_(status_interval),
      silence_max_(silence_max),
      acknowledged_(acknowledged),
      received_(acknowledged) {}

Receiver::~Receiver() {
  Stop();
  if (wake_descriptor_ >= 0) close(wake_descriptor_);
}

Status Receiver::Start() {
  wake_descriptor_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_descriptor_ < 0) return Error(ErrorClass::INTERNAL, "eventfd: {}", std::strerror(errno));
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
  return Status::Ok();
}

void Receiver::Stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  queue_.Close();
  Wake();
  thread_.join();
}

std::optional<WireBlock> Receiver::Pop(Deadline deadline) { return queue_.Pop(deadline, {}); }

Status Receiver::status() const {
  if (!queue_.closed_and_empty()) return Status::Ok();
  std::lock_guard lock(mutex_);
  return status_;
}

void Receiver::Confirm(Lsn lsn) {
  acknowledged_ = lsn;
  Wake();
}

void Receiver::RequestPosition() {
  position_requested_ = true;
  Wake();
}

void Receiver::Wake() {
  uint64_t one = 1;
  // A full counter wakes as well.
  (void)!write(wake_descriptor_, &one, sizeof one);
}

void Receiver::Run(const std::stop_token& stop) {
  Status status = Receive(stop);
  // What came before the end counts: the next session may end at the same place.
  if (const size_t bytes = block_.size(); bytes > 0) queue_.Push(std::move(block_), bytes, stop);
  {
    std::lock_guard lock(mutex_);
    status_ = std::move(status);
  }
  queue_.Close();
}

Status Receiver::Receive(const std::stop_token& stop) {
  bool ended = false;
  silent_since_ = steady_clock::now();
  while (!stop.stop_requested() && !ended) {
    FRESHET_CHECK_OK(SendStatusIfDue());
    FRESHET_CHECK_OK(TakeAvailable(stop, &ended));
    const bool takes_more = !ended && block_.size() < limits::kWireBlockBytes;
    if (takes_more && block_.size() == 0) LetGather();
    if (takes_more && Readable()) {
      if (PQconsumeInput(connection_->handle()) == 0) return connection_->ErrorOf(nullptr);
    } else if (block_.size() > 0) {
      FRESHET_CHECK_OK(Hand(stop));
    } else if (!ended) {
      FRESHET_CHECK_OK(WaitForWire());
      if (PQconsumeInput(connection_->handle()) == 0) return connection_->ErrorOf(nullptr);
    }
  }
  // What was acknowledged last is told before the session ends, or the log up to there would stay
  // pinned until the next one.
  if (!ended) return SendStatusIfDue();
  return Error(ErrorClass::SOURCE_UNREACHABLE, "the source ended the replication stream");
}

Status Receiver::TakeAvailable(const std::stop_token& stop, bool* ended) {
  while (!stop.stop_requested()) {
    char* buffer = nullptr;
    int size = PQgetCopyData(connection_->handle(), &buffer, /*async=*/1);
    if (size == 0) {
      // Some of it may wait behind the socket.
      FRESHET_TRY(bool more, connection_->ReadPending([&] {
        size = PQgetCopyData(connection_->handle(), &buffer, /*async=*/1);
        return size != 0;
      }));
      if (!more) return Status::Ok();
    }
    if (size == -2) return connection_->ErrorOf(nullptr);
    if (size == -1) {
      *ended = true;
      Rows result(PQgetResult(connection_->handle()));
      if (result.failed()) return StreamError(connection_->ErrorOf(result.handle()), *connection_);
      return Status::Ok();
    }
    std::unique_ptr<char, decltype(&PQfreemem)> owner(buffer, &PQfreemem);
    std::string_view message(buffer, static_cast<size_t>(size));
    Look(message);
    block_.Add(message);
    if (reply_due_) FRESHET_CHECK_OK(SendStatus(false));
    if (block_.size() >= limits::kWireBlockBytes) return Status::Ok();
  }
  return Status::Ok();
}

/// Hand the block over; while the queue is full, go on telling the server that we live.
Status Receiver::Hand(const std::stop_token& stop) {
  size_t bytes = block_.size();
  while (!queue_.PushUntil(&block_, bytes, status_sent_ + status_interval_, stop)) {
    if (stop.stop_requested()) return Status::Ok();
    FRESHET_CHECK_OK(SendStatusIfDue());
  }
  block_ = WireBlock();
  handed_at_ = steady_clock::now();
  // Nobody listened meanwhile.
  silent_since_ = steady_clock::now();
  return Status::Ok();
}

/// Keep up with what the server needs an answer for. A message of changes tells where it stands in
/// its first number.
void Receiver::Look(std::string_view message) {
  silent_since_ = steady_clock::now();
  answer_wanted_ = false;
  if (message.empty()) return;
  std::string_view body = message.substr(1);
  if (message[0] == 'w' && body.size() >= 8)
    received_ = std::max(received_, LoadBigEndian<uint64_t>(body.data()));
  if (message[0] != 'k') return;
  if (auto keepalive = ParseKeepalive(body)) {
    received_ = std::max(received_, keepalive->end_lsn);
    reply_due_ = reply_due_ || keepalive->reply_requested;
  }
}

Status Receiver::SendStatusIfDue() {
  bool requested = position_requested_.exchange(false);
  bool due = requested || reply_due_ || acknowledged_ != told_ ||
             steady_clock::now() - status_sent_ >= status_interval_;
  return due ? SendStatus(requested) : Status::Ok();
}

Status Receiver::SendStatus(bool reply_requested) {
  told_ = acknowledged_;
  reply_due_ = false;
  status_sent_ = steady_clock::now();
  answer_wanted_ = answer_wanted_ || reply_requested;
  std::string message =
      FormatStatusUpdate(received_, told_, SystemClock().WallNow(), reply_requested);
  if (PQputCopyData(connection_->handle(), message.data(), static_cast<int>(message.size())) != 1 ||
      PQflush(connection_->handle()) != 0) {
    return connection_->ErrorOf(nullptr);
  }
  return Status::Ok();
}

/// libpq takes 16 KiB at a time, and more may wait at the socket.
bool Receiver::Readable() const {
  pollfd wire{PQsocket(connection_->handle()), POLLIN, 0};
  return poll(&wire, 1, 0) > 0;
}

void Receiver::LetGather() {
  const auto left = handed_at_ + kGatherTime - steady_clock::now();
  if (left <= left.zero()) return;
  pollfd wake{wake_descriptor_, POLLIN, 0};
  const timespec time{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(left).count()};
  ppoll(&wake, 1, &time, nullptr);
}

Status Receiver::WaitForWire() {
  FRESHET_CHECK_OK(CheckSilence());
  auto until = std::min(status_sent_ + status_interval_,
                        silent_since_ + (answer_wanted_ ? silence_max_ : silence_max_ / 2));
  auto left = std::chrono::ceil<std::chrono::milliseconds>(until - steady_clock::now());
  pollfd descriptors[2] = {{PQsocket(connection_->handle()), POLLIN, 0},
                           {wake_descriptor_, POLLIN, 0}};
  poll(descriptors, 2, static_cast<int>(std::max<int64_t>(0, left.count())));
  uint64_t ignored = 0;
  (void)!read(wake_descriptor_, &ignored, sizeof ignored);
  return Status::Ok();
}

/// TCP tells of a host that is gone, not of what stands in between and keeps the connection.
Status Receiver::CheckSilence() {
  auto silence = steady_clock::now() - silent_since_;
  if (silence >= silence_max_ && answer_wanted_) {
    FRESHET_CHECK_OK(connection_->CheckAlive());
    silent_since_ = steady_clock::now();
    answer_wanted_ = false;
  } else if (silence >= silence_max_ / 2 && !answer_wanted_) {
    FRESHET_CHECK_OK(SendStatus(/*reply_requested=*/true));
  }
  return Status::Ok();
}

}  // namespace freshet::sources::postgres
