// SPDX-License-Identifier: Apache-2.0
#include "model/faulty_store.h"

namespace freshet::model {
namespace {

/// How many calls later a late one takes effect.
constexpr int64_t kLateCalls = 3;

Status Unknown(std::string_view path) {
  return Error(ErrorClass::STORE_UNAVAILABLE, "no reply: {}", path).OutcomeUnknown();
}

}  // namespace

void FaultyStore::Restart(Rule rule, ReadRule read_rule) {
  std::lock_guard lock(mutex_);
  rule_ = std::move(rule);
  read_rule_ = std::move(read_rule);
  reads_ = 0;
  calls_.clear();
  crashed_ = false;
}

bool FaultyStore::Settle() { return Arrive(true); }

int64_t FaultyStore::writes() const {
  std::lock_guard lock(mutex_);
  return std::ssize(calls_);
}

bool FaultyStore::crashed() const {
  std::lock_guard lock(mutex_);
  return crashed_;
}

std::vector<WriteCall> FaultyStore::calls() const {
  std::lock_guard lock(mutex_);
  return calls_;
}

Status FaultyStore::Dead() const {
  std::lock_guard lock(mutex_);
  if (crashed_) return Error(ErrorClass::STORE_UNAVAILABLE, "the process is gone").OutcomeUnknown();
  return Status::Ok();
}

bool FaultyStore::Arrive(bool all) {
  std::vector<Late> due;
  {
    std::lock_guard lock(mutex_);
    std::erase_if(late_, [&](Late& late) {
      if (!all && late.due > sent_) return false;
      due.push_back(std::move(late));
      return true;
    });
  }
  for (Late& late : due) (void)late.effect();
  return !due.empty();
}

Fault FaultyStore::Next(const WriteCall& call) {
  Rule rule;
  int64_t number = 0;
  {
    std::lock_guard lock(mutex_);
    calls_.push_back(call);
    ++sent_;
    number = std::ssize(calls_);
    rule = rule_;
  }
  // A rule may let others use the store meanwhile, so it runs without the lock.
  Fault fault = rule ? rule(number, call) : Fault::kNone;
  std::lock_guard lock(mutex_);
  crashed_ = crashed_ || fault == Fault::kCrashBefore || fault == Fault::kCrashAfter ||
             fault == Fault::kTorn || fault == Fault::kLineLost;
  return fault;
}

Status FaultyStore::BeforeRead() {
  FRESHET_CHECK_OK(Dead());
  ReadRule rule;
  int64_t number = 0;
  {
    std::lock_guard lock(mutex_);
    rule = read_rule_;
    number = ++reads_;
  }
  if (!rule || !rule(number)) return Status::Ok();
  return Error(ErrorClass::STORE_UNAVAILABLE, "no answer");
}

Status FaultyStore::Write(WriteCall call, std::function<Status()> effect,
                          const std::function<Status(Fault)>& torn) {
  FRESHET_CHECK_OK(Dead());
  Arrive(false);
  Fault fault = Next(call);
  switch (fault) {
    case Fault::kNone:
      return effect();
    case Fault::kCrashBefore:
      return Dead();
    case Fault::kCrashAfter:
      (void)effect();
      return Dead();
    case Fault::kLostReply:
      (void)effect();
      return Unknown(call.path);
    case Fault::kNoEffect:
      return Unknown(call.path);
    case Fault::kLate: {
      std::lock_guard lock(mutex_);
      late_.push_back({sent_ + kLateCalls, std::move(effect)});
      return Unknown(call.path);
    }
    case Fault::kDoubled:
      (void)effect();
      return effect();
    case Fault::kTorn:
    case Fault::kLineLost:
      if (torn) (void)torn(fault);
      return Dead();
  }
  return Status::Ok();
}

Status FaultyStore::Put(std::string_view path, std::span<const std::string_view> pieces,
                        store::If condition) {
  std::string bytes;
  for (std::string_view piece : pieces) bytes.append(piece);
  auto torn = [this, path, bytes, condition](Fault fault) {
    const std::string_view whole(bytes);
    size_t left = whole.size() / 2;
    if (fault == Fault::kLineLost) {
      const size_t line = whole.find_last_of('\n', whole.size() < 2 ? 0 : whole.size() - 2);
      left = line == std::string_view::npos ? 0 : line + 1;
    }
    return store_->Put(path, whole.substr(0, left), condition);
  };
  return Write(
      {WriteCall::Kind::kPut, std::string(path)},
      [store = store_, name = std::string(path), bytes = std::move(bytes), condition] {
        return store->Put(name, std::string_view(bytes), condition);
      },
      torn);
}

Result<std::shared_ptr<const std::string>> FaultyStore::Get(std::string_view path, int64_t offset,
                                                            int64_t length) {
  FRESHET_CHECK_OK(BeforeRead());
  return store_->Get(path, offset, length);
}

Result<store::FileInfo> FaultyStore::Stat(std::string_view path) {
  FRESHET_CHECK_OK(BeforeRead());
  return store_->Stat(path);
}

Result<std::vector<store::FileInfo>> FaultyStore::List(std::string_view folder,
                                                       std::string_view after, int limit,
                                                       bool recursive) {
  FRESHET_CHECK_OK(BeforeRead());
  return store_->List(folder, after, limit, recursive);
}

Status FaultyStore::Copy(std::string_view from, std::string_view to) {
  return Write({WriteCall::Kind::kCopy, std::string(to)},
               [store = store_, source = std::string(from), target = std::string(to)] {
                 return store->Copy(source, target);
               });
}

Status FaultyStore::Remove(std::string_view path) {
  return Write({WriteCall::Kind::kRemove, std::string(path)},
               [store = store_, name = std::string(path)] { return store->Remove(name); });
}

}  // namespace freshet::model
