// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "store/file_store.h"

namespace freshet::model {

/// What a store may do to a call that writes. A read is answered or fails.
enum class Fault : uint8_t {
  kNone,
  kCrashBefore,  // the process is gone before the call took effect
  kCrashAfter,   // … after it took effect, before anybody heard of it
  kLostReply,    // took effect, answered with an error of unknown outcome; the process goes on
  kNoEffect,     // the same answer, but nothing happened
  kLate,         // the same answer, takes effect a few calls later if nothing else stands there
  kDoubled,      // sent twice: a put-if-absent finds itself
  // Against what a store promises: of an object that is put only the first half is there, or all
  // but its last line, and the process is gone.
  kTorn,
  kLineLost
};

/// One call that writes, as the store sees it.
struct WriteCall {
  enum class Kind : uint8_t { kPut, kCopy, kRemove } kind;
  std::string path;
};

/// Does a fault to one call, or to those a rule picks. After a crash every call fails until Revive:
/// what was in flight is lost. Thread-safe.
class FaultyStore final : public store::FileStore {
 public:
  /// Return the fault of the n-th writing call, n from 1.
  using Rule = std::function<Fault(int64_t number, const WriteCall& call)>;

  /// Whether the n-th reading call fails, n from 1.
  using ReadRule = std::function<bool(int64_t number)>;

  explicit FaultyStore(std::shared_ptr<store::FileStore> store) : store_(std::move(store)) {}

  /// A new process begins: count from 0, alive. Late calls of the old one are still on their way.
  void Restart(Rule rule, ReadRule read_rule = nullptr);
  /// Let everything arrive that is still on its way. Returns whether anything was.
  bool Settle();
  int64_t writes() const;
  bool crashed() const;
  /// The calls made since Restart.
  std::vector<WriteCall> calls() const;
  const std::shared_ptr<store::FileStore>& whole() const { return store_; }

  Status Put(std::string_view path, std::span<const std::string_view> pieces,
             store::If condition) override;
  Result<std::shared_ptr<const std::string>> Get(std::string_view path, int64_t offset,
                                                 int64_t length) override;
  Result<store::FileInfo> Stat(std::string_view path) override;
  Result<std::vector<store::FileInfo>> List(std::string_view folder, std::string_view after,
                                            int limit, bool recursive) override;
  Status Copy(std::string_view from, std::string_view to) override;
  Status Remove(std::string_view path) override;

 private:
  Status Write(WriteCall call, std::function<Status()> effect,
               const std::function<Status(Fault)>& torn = nullptr);
  Status BeforeRead();
  Fault Next(const WriteCall& call);
  Status Dead() const;
  bool Arrive(bool all);

  struct Late {
    int64_t due;
    std::function<Status()> effect;
  };
  const std::shared_ptr<store::FileStore> store_;
  mutable std::mutex mutex_;
  // State below is protected by mutex_.
  Rule rule_;
  ReadRule read_rule_;
  int64_t reads_ = 0;
  std::vector<WriteCall> calls_;
  std::vector<Late> late_;
  int64_t sent_ = 0;
  bool crashed_ = false;
};

}  // namespace freshet::model
