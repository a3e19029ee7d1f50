// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/streamed.h"

#include <algorithm>
#include <cstring>

#include "base/limits.h"

namespace freshet::sources::postgres {
namespace {

// A message in scratch: its length, then its bytes.
constexpr size_t kLengthBytes = sizeof(uint32_t);
/// The tag, then the number of the (sub)transaction.
constexpr size_t kHeadBytes = 1 + sizeof(uint32_t);

}  // namespace

Result<std::optional<WireBlock>> StreamedReplay::Next() {
  if (at_ == bytes_.size) return std::optional<WireBlock>();
  WireBlock block;
  size_t taken = 0;
  while (taken == 0) {
    std::string window(std::min(bytes_.size - at_, std::max(limits::kWireBlockBytes, next_bytes_)),
                       '\0');
    FRESHET_CHECK_OK(scratch_->Read(bytes_, at_, window));
    taken = TakeMessages(window, &block);
  }
  at_ += taken;
  next_bytes_ = 0;
  return std::optional(std::move(block));
}

/// Take the whole messages at the window's beginning; returns how far they go.
size_t StreamedReplay::TakeMessages(std::string_view window, WireBlock* block) {
  size_t taken = 0;
  while (window.size() - taken >= kLengthBytes) {
    uint32_t length = 0;
    std::memcpy(&length, window.data() + taken, kLengthBytes);
    next_bytes_ = kLengthBytes + length;
    if (window.size() - taken < next_bytes_) break;
    std::string_view message = window.substr(taken + kLengthBytes, length);
    if (Counts(LoadBigEndian<uint32_t>(message.data() + 1))) {
      block->Add(message);
    } else if (message[0] == 'R') {
      block->Add(std::string(1, 'R') + std::string(sizeof(uint32_t), '\0') +
                 std::string(message.substr(kHeadBytes)));
    }
    taken += next_bytes_;
  }
  return taken;
}

/// No transaction has the number 0. Source: PostgreSQL, src/include/access/transam.h.
bool StreamedReplay::Counts(std::string_view message) {
  return LoadBigEndian<uint32_t>(message.data() + 1) != 0;
}

bool StreamedReplay::Counts(uint32_t transaction) {
  if (!last_ || last_->first != transaction) {
    last_.emplace(transaction, !aborted_.contains(transaction));
  }
  return last_->second;
}

Status StreamedTransactions::Start(const StreamStartMessage& start) {
  auto [found, fresh] = transactions_.try_emplace(start.transaction);
  if (open() || fresh != start.first) {
    return Error(ErrorClass::SOURCE_PROTOCOL, "a streamed transaction does not begin where it was");
  }
  // A map's elements stay where they are.
  open_ = {.transaction = &found->second, .number = start.transaction};
  return Status::Ok();
}

Status StreamedTransactions::Take(std::string_view message) {
  FRESHET_ASSERT(open() && !message.empty());
  switch (message[0]) {
    case 'I':
    case 'U':
    case 'D':
    case 'R':
    case 'T':
      if (message.size() >= kHeadBytes) return Keep(message);
      break;
    case 'E':
      FRESHET_CHECK_OK(Flush());
      open_ = {};
      return Status::Ok();
    // Types, origins and logical messages say nothing that we need.
    case 'Y':
    case 'O':
    case 'M':
      return Status::Ok();
    default:
      break;
  }
  return Error(ErrorClass::SOURCE_PROTOCOL, "bad message within a streamed transaction");
}

Status StreamedTransactions::Keep(std::string_view message) {
  auto length = static_cast<uint32_t>(message.size());
  char prefix[kLengthBytes];
  std::memcpy(prefix, &length, kLengthBytes);
  Note(LoadBigEndian<uint32_t>(message.data() + 1));
  buffer_.append(prefix, kLengthBytes).append(message);
  return buffer_.size() < limits::kWireBlockBytes ? Status::Ok() : Flush();
}

/// Messages of one come one after the other, so few numbers come again.
void StreamedTransactions::Note(uint32_t subtransaction) {
  auto& transaction = *open_.transaction;
  if (subtransaction == open_.number || subtransaction == transaction.noted) return;
  transaction.noted = subtransaction;
  transaction.subtransactions.add(subtransaction);
}

Status StreamedTransactions::Flush() {
  FRESHET_CHECK_OK(scratch_.Append(buffer_, &open_.transaction->bytes));
  // One large message makes it large.
  if (buffer_.capacity() > 2 * limits::kWireBlockBytes) buffer_ = std::string();
  buffer_.clear();
  return Status::Ok();
}

void StreamedTransactions::Abort(const StreamAbortMessage& abort) {
  FRESHET_ASSERT(!open());
  auto found = transactions_.find(abort.transaction);
  // Nothing of it is here, which is what was asked for.
  if (found == transactions_.end()) return;
  if (abort.aborted != abort.transaction) {
    found->second.aborted.add(abort.aborted);
    return;
  }
  scratch_.Free(&found->second.bytes);
  transactions_.erase(found);
}

Result<StreamedTransactions::Committed> StreamedTransactions::Commit(uint32_t transaction) {
  FRESHET_ASSERT(!open());
  auto found = transactions_.find(transaction);
  if (found == transactions_.end()) {
    return Error(ErrorClass::SOURCE_PROTOCOL, "a streamed transaction committed that never began");
  }
  Committed committed = std::move(found->second);
  transactions_.erase(found);
  return committed;
}

}  // namespace freshet::sources::postgres
