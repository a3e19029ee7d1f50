// SPDX-License-Identifier: Apache-2.0
#include "staging/writer.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>
#include <vector>

#include "base/random.h"
#include "staging/expiry.h"
#include "staging/layout.h"
#include "staging/leftovers.h"
#include "staging/pack.h"
#include "staging/state.h"

namespace freshet::staging {
namespace {

constexpr int kWriterIdBytes = 8;
/// How often an object whose outcome is unknown is put.
constexpr int kPutsMax = 3;

class StoreWriter final : public StagingWriter {
 public:
  StoreWriter(std::shared_ptr<store::FileStore> store, Clock* clock, std::string staging_id,
              Checkpoint state)
      : store_(std::move(store)),
        clock_(clock),
        staging_id_(std::move(staging_id)),
        writer_id_(RandomHex(kWriterIdBytes)),
        leftovers_(LeftoversOf(state)),
        sealed_(std::move(state)),
        current_(sealed_) {}

  const std::string& staging_id() const override { return staging_id_; }
  const Checkpoint& checkpoint() const override { return current_; }
  SegmentNumber next() const override { return SegmentNumber(sealed_.through.value() + 1); }
  bool dirty() const override { return first_unsealed_.has_value(); }

  size_t open_bytes() const override { return segment_bytes_ + pack_.bytes(); }

  Status Append(const record::ChangeBatch& batch) override {
    FRESHET_CHECK_OK(failed_);
    FRESHET_ASSERT(batch.shape->version > 0);
    if (batch.rows->num_rows() == 0) return Status::Ok();
    Touch();
    std::optional<int32_t> open = pack_.open_version(batch.shape->id);
    if (open && *open != batch.shape->version) FRESHET_CHECK_OK(Keep(CloseRun(batch.shape->id)));
    current_.tables[batch.shape->id].last_segment = next();
    pack_.Add(batch);
    if (pack_.bytes() < limits::kPackBytesMax) return Status::Ok();
    return Keep(PutPack());
  }

  void Note(Entry entry) override {
    FRESHET_ASSERT(!std::holds_alternative<ChangeRun>(entry));
    Touch();
    // What is said of a table stands after the rows that came before it.
    Keep(CloseRun(TableOf(entry))).ok();
    AdvanceBy(entry, next(), &current_);
    entries_.push_back(std::move(entry));
  }

  bool SealDue() const override {
    if (!dirty()) return false;
    return open_bytes() >= limits::kSegmentBytesMax ||
           clock_->Now() - *first_unsealed_ >= limits::kCommitDelayMax;
  }

  Result<SegmentNumber> Seal(const record::Cursor& cursor, UtcMicros committed_at) override {
    FRESHET_CHECK_OK(failed_);
    FRESHET_ASSERT(cursor.text.size() <= limits::kCursorBytesMax);
    FRESHET_CHECK_OK(Keep(PutPack()));
    Manifest manifest{.number = next(),
                      .staging_id = staging_id_,
                      .writer_id = writer_id_,
                      .sealed_at = clock_->WallNow(),
                      .cursor = cursor,
                      .committed_at = committed_at,
                      .packs = packs_,
                      .entries = entries_,
                      .checkpoint = {}};
    if (IsFirstOfFolder(manifest.number)) manifest.checkpoint = sealed_;
    FRESHET_CHECK_OK(Keep(PutManifest(manifest)));

    Advance(manifest, &sealed_);
    current_.through = sealed_.through;
    current_.cursor = sealed_.cursor;
    current_.committed_at = sealed_.committed_at;
    sealed_runs_.clear();
    for (Entry& entry : entries_) {
      if (auto* run = std::get_if<ChangeRun>(&entry)) sealed_runs_.push_back(std::move(*run));
    }
    entries_.clear();
    packs_.clear();
    segment_bytes_ = 0;
    first_unsealed_.reset();
    SweepOnce(manifest.number);
    return manifest.number;
  }

  const std::vector<ChangeRun>& sealed_runs() const override { return sealed_runs_; }

  std::string PartPath(const FlowId& flow, const TableId& table, Generation generation,
                       int64_t chunk) override {
    return fmt::format("{}/{:06}-{}-{:03}.parquet", GenerationPath(flow, table, generation), chunk,
                       writer_id_, parts_.fetch_add(1));
  }

  Result<Expired> Expire(const ExpiryRules& rules) override {
    FRESHET_CHECK_OK(failed_);
    return ExpireSegments(*store_, staging_id_, rules, clock_->WallNow());
  }

 private:
  void Touch() {
    if (!first_unsealed_) first_unsealed_ = clock_->Now();
  }

  /// After a failure this writer's segment is in doubt: only opening again reads the truth.
  Status Keep(Status status) {
    if (!status.ok() && failed_.ok()) failed_ = status;
    return status;
  }

  int ordinal() const { return static_cast<int>(packs_.size()); }

  Status CloseRun(const TableId& table) {
    FRESHET_TRY(auto run, pack_.Close(table, ordinal()));
    if (run) entries_.emplace_back(std::move(*run));
    return Status::Ok();
  }

  Status PutPack() {
    if (pack_.empty()) return Status::Ok();
    FRESHET_TRY(auto runs, pack_.CloseAll(ordinal()));
    for (ChangeRun& run : runs) entries_.emplace_back(std::move(run));
    std::string path = PackPath(next(), writer_id_, ordinal());
    FRESHET_CHECK_OK(PutWhole(path));
    segment_bytes_ += pack_.bytes();
    packs_.push_back(std::move(path));
    pack_ = Pack();
    return Status::Ok();
  }

  /// Put the pack; its name is ours alone, so a put whose outcome is unknown may be done again. To
  /// find it there would not say that it is durable.
  Status PutWhole(const std::string& path) {
    Status put;
    for (int attempt = 0; attempt < kPutsMax; ++attempt) {
      put = store_->Put(path, pack_.pieces(), store::If::kAlways);
      if (!put.outcome_unknown()) break;
    }
    return put;
  }

  /// Put-if-absent, and read and compare where that is not the whole answer. Our own manifest that
  /// is seen after an unknown outcome may not be durable yet: only a put that finds it there says
  /// so. Source: docs/formats/staging.md, "The fence".
  Status PutManifest(const Manifest& manifest) {
    const std::string text = ToJson(manifest);
    const std::string path = ManifestPath(manifest.number);
    Status put;
    for (int attempt = 0; attempt < kPutsMax; ++attempt) {
      put = store_->Put(path, text, store::If::kAbsent);
      bool found = put.Is(ErrorClass::ALREADY_EXISTS);
      if (put.ok() || (!found && !put.outcome_unknown())) return put;
      auto there = ReadManifest(*store_, staging_id_, manifest.number);
      if (!there.ok() && !there.status().Is(ErrorClass::NOT_FOUND)) return there.status();
      if (!there.ok()) continue;
      if ((*there)->writer_id != writer_id_) {
        return Error(ErrorClass::STAGING_FENCED, "another gateway sealed segment {}",
                     manifest.number.value())
            .With("writer", (*there)->writer_id);
      }
      if (found) return Status::Ok();
    }
    return put;
  }

  /// Our first sealed segment fences every former writer: what it left behind can no longer be
  /// named by anyone.
  void SweepOnce(SegmentNumber number) {
    if (!leftovers_) return;
    Status swept = SweepLeftovers(*store_, staging_id_, writer_id_, number, *leftovers_);
    if (!swept.ok())
      spdlog::warn("leftovers stay in staging until they expire: {}", swept.ToString());
    leftovers_.reset();
  }

  const std::shared_ptr<store::FileStore> store_;
  Clock* const clock_;
  const std::string staging_id_;
  const std::string writer_id_;
  std::atomic<int64_t> parts_ = 0;
  std::optional<Leftovers> leftovers_;  // until the first seal
  Status failed_;
  Checkpoint sealed_;   // through the last sealed segment
  Checkpoint current_;  // and what the open segment says
  std::vector<ChangeRun> sealed_runs_;
  // The open segment.
  std::vector<Entry> entries_;
  std::vector<std::string> packs_;
  Pack pack_;
  size_t segment_bytes_ = 0;  // in packs put already
  std::optional<MonotonicTime> first_unsealed_;
};

}  // namespace

Result<std::unique_ptr<StagingWriter>> StagingWriter::Open(std::shared_ptr<store::FileStore> store,
                                                           Clock* clock) {
  FRESHET_TRY(std::string staging_id, MakeIdentity(*store));
  FRESHET_TRY(Checkpoint state, ReadState(*store, staging_id));
  return std::unique_ptr<StagingWriter>(std::make_unique<StoreWriter>(
      std::move(store), clock, std::move(staging_id), std::move(state)));
}

}  // namespace freshet::staging
