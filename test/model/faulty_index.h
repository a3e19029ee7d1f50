// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apply/key_index.h"

namespace freshet::model {

/// A key index whose n-th Ingest never returns: the process is gone between the commit and its
/// index. 0: never.
class FaultyIndex final : public apply::KeyIndex {
 public:
  FaultyIndex(std::unique_ptr<apply::KeyIndex> index, int64_t* crash_at, bool* crashed)
      : index_(std::move(index)), crash_at_(crash_at), crashed_(crashed) {}

  Result<std::optional<Mark>> Version(const record::FlowId& flow) override {
    return index_->Version(flow);
  }
  Status Ingest(const record::FlowId& flow, bool keyless, std::vector<apply::IndexEntry> entries,
                const Mark& mark) override {
    FRESHET_CHECK_OK(Count());
    return index_->Ingest(flow, keyless, std::move(entries), mark);
  }
  Status IngestRuns(const record::FlowId& flow, apply::EntryRuns* entries, const Mark& mark,
                    const std::stop_token& stop) override {
    FRESHET_CHECK_OK(Count());
    return index_->IngestRuns(flow, entries, mark, stop);
  }
  Result<std::vector<std::vector<apply::RowAddress>>> Find(
      const record::FlowId& flow, bool keyless, std::span<const apply::KeyHash> keys) override {
    return index_->Find(flow, keyless, keys);
  }
  Status Forget(const record::FlowId& flow, std::span<const apply::IndexEntry> entries) override {
    return *crashed_ ? Status::Ok() : index_->Forget(flow, entries);
  }
  Status Reset(const record::FlowId& flow) override { return index_->Reset(flow); }

 private:
  Status Count() {
    if (*crash_at_ > 0 && --*crash_at_ == 0) *crashed_ = true;
    if (!*crashed_) return Status::Ok();
    return Error(ErrorClass::STORE_UNAVAILABLE, "the process is gone").OutcomeUnknown();
  }

  const std::unique_ptr<apply::KeyIndex> index_;
  int64_t* const crash_at_;
  bool* const crashed_;
};

}  // namespace freshet::model
