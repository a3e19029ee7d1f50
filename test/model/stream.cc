// SPDX-License-Identifier: Apache-2.0
#include "model/stream.h"

#include <arrow/builder.h>

#include <algorithm>
#include <charconv>
#include <deque>

#include "record/arrow_status.h"

namespace freshet::model {
namespace {

using record::Op;

/// One row of a batch that is being made.
struct PendingRow {
  Op op;
  record::Sequence sequence;
  UtcMicros committed_at;
  Row row;  // the shape's width
};

Result<std::shared_ptr<arrow::RecordBatch>> ChangeRows(const record::TableShape& shape,
                                                       const std::vector<PendingRow>& pending) {
  arrow::Int8Builder op;
  arrow::FixedSizeBinaryBuilder sequence(arrow::fixed_size_binary(24));
  arrow::TimestampBuilder at(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                             arrow::default_memory_pool());
  arrow::BinaryBuilder missing;
  std::vector<Row> rows;
  for (const PendingRow& row : pending) {
    FRESHET_CHECK_OK(op.Append(static_cast<int8_t>(row.op)));
    FRESHET_CHECK_OK(sequence.Append(row.sequence.view()));
    FRESHET_CHECK_OK(at.Append(row.committed_at));
    std::string bits((row.row.size() + 7) / 8, '\0');
    bool any = false;
    for (size_t i = 0; i < row.row.size(); ++i) {
      if (row.row[i].kind != Cell::Kind::kUnsent) continue;
      bits[i / 8] = static_cast<char>(bits[i / 8] | (1 << (i % 8)));
      any = true;
    }
    FRESHET_CHECK_OK(any ? missing.Append(bits) : missing.AppendNull());
    rows.push_back(row.row);
  }
  FRESHET_TRY(auto batch, BatchOf(rows, shape.schema));
  arrow::ArrayVector columns = batch->columns();
  for (arrow::ArrayBuilder* builder :
       std::initializer_list<arrow::ArrayBuilder*>{&op, &sequence, &at, &missing}) {
    FRESHET_TRY(auto array, builder->Finish());
    columns.push_back(std::move(array));
  }
  return arrow::RecordBatch::Make(record::ChangeSchema(*shape.schema), std::ssize(rows),
                                  std::move(columns));
}

/// Loop: take transactions, turn their steps into events (rows of one table and shape share a batch
/// until something else of that table comes), then a Commit; at the log's end Idle.
class ModelStream final : public sources::ChangeStream {
 public:
  ModelStream(ModelSource* source, std::vector<std::shared_ptr<const record::TableShape>> shapes,
              uint64_t position)
      : source_(source), start_(position), position_(position) {
    Follow(std::move(shapes));
  }

  record::Cursor Start() const override { return CursorAt(start_); }

  Result<record::StreamEvent> Next(Deadline deadline) override {
    FRESHET_CHECK_OK(source_->Before("next"));
    if (events_.empty()) FRESHET_CHECK_OK(Refill());
    if (events_.empty()) {
      source_->clock()->WaitUntil(deadline, {});
      return record::StreamEvent(record::Idle{});
    }
    record::StreamEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

  Result<std::set<record::TableId>> Watch(
      std::vector<std::shared_ptr<const record::TableShape>> shapes) override {
    FRESHET_CHECK_OK(source_->Before("watch"));
    Follow(std::move(shapes));
    return std::set<record::TableId>();
  }

  Status Acknowledge(const record::Cursor& durable) override {
    FRESHET_CHECK_OK(source_->Before("acknowledge"));
    uint64_t position = 0;
    std::from_chars(durable.text.data(), durable.text.data() + durable.text.size(), position);
    if (source_->slot) source_->slot->confirmed = std::max(source_->slot->confirmed, position);
    if (source_->script.acknowledged) source_->script.acknowledged(position);
    return Status::Ok();
  }

  int64_t BytesBehind() const override { return -1; }
  int64_t values_nulled() const override { return 0; }

 private:
  /// What is known of a watched table. The caller's shape may be ahead of the stream, by what the
  /// catalog showed.
  struct Watched {
    std::shared_ptr<const record::TableShape> shape;  // rows are returned in it
    record::TableShape logged;                        // rows are in the log in it
    uint64_t ahead_until = 0;                         // changes of shape up to here are in `shape`
  };

  void Follow(std::vector<std::shared_ptr<const record::TableShape>> shapes) {
    std::map<std::string, Watched> watched;
    for (auto& shape : shapes) {
      auto name = source_->database()->NameOf(shape->id);
      if (!name) continue;
      auto before = watched_.find(*name);
      // A shape that the stream has seen change already is newer than the caller's.
      bool keep = before != watched_.end() && (before->second.shape->SameColumns(*shape) ||
                                               !(IsNow(*name, *shape) || IsAhead(*name, *shape)));
      watched.emplace(*name, keep ? before->second : AheadIn(*name, std::move(shape)));
    }
    watched_ = std::move(watched);
  }

  bool IsNow(const std::string& name, const record::TableShape& shape) const {
    return source_->Selected(source_->database()->At(name, position_)->shape).SameColumns(shape);
  }

  /// Whether the table takes this shape further on in the log.
  bool IsAhead(const std::string& name, const record::TableShape& shape) const {
    const auto& log = source_->database()->log();
    return std::any_of(log.upper_bound(position_), log.end(), [&](const auto& each) {
      return source_->Selected(source_->database()->At(name, each.first)->shape).SameColumns(shape);
    });
  }

  Watched AheadIn(const std::string& name, std::shared_ptr<const record::TableShape> shape) const {
    Watched watched{.shape = nullptr,
                    .logged = source_->database()->At(name, position_)->shape,
                    .ahead_until = position_};
    const auto& log = source_->database()->log();
    for (auto at = log.upper_bound(position_); at != log.end(); ++at) {
      if (source_->Selected(watched.logged).SameColumns(*shape)) break;
      const auto then = source_->database()->At(name, at->first)->shape;
      if (source_->Selected(then).SameColumns(*shape)) {
        watched.ahead_until = at->first;
        break;
      }
    }
    watched.shape = std::move(shape);
    return watched;
  }

  Status Refill() {
    const auto& log = source_->database()->log();
    int taken = 0;
    for (auto at = log.upper_bound(position_);
         at != log.end() && taken < source_->script.transactions_per_commit; ++at, ++taken) {
      uint64_t ordinal = 0;
      for (const Step& step : at->second) FRESHET_CHECK_OK(Take(at->first, &ordinal, step));
      position_ = at->first;
    }
    if (taken == 0) return Status::Ok();
    while (!pending_.empty()) FRESHET_CHECK_OK(Close(std::string(pending_.begin()->first)));
    events_.push_back(record::Commit{.cursor = CursorAt(position_),
                                     .committed_at = source_->CommittedAt(position_)});
    return Status::Ok();
  }

  Status Take(uint64_t position, uint64_t* ordinal, const Step& step) {
    auto found = watched_.find(step.table);
    if (found == watched_.end()) return Status::Ok();
    const Watched& watched = found->second;
    const record::TableShape* shape = &watched.logged;
    auto add = [&](Op op, const Row& row) {
      pending_[step.table].push_back({op, SequenceAt(position, ++*ordinal),
                                      source_->CommittedAt(position),
                                      InShape(row, watched.logged, *watched.shape)});
    };
    // The rows of another key are all in the snapshot that the caller's shape is for.
    const bool told = !Is<Truncate, Drop, LoseRow, JoinRow>(step.operation) &&
                      !Reshaped(watched.logged, step.operation);
    if (told && !SameKey(watched.logged, *watched.shape)) return Status::Ok();
    if (const auto* insert = std::get_if<InsertRow>(&step.operation)) {
      add(Op::kInsert, insert->row);
    } else if (const auto* update = std::get_if<UpdateRow>(&step.operation)) {
      if (update->old_key) {
        add(Op::kDelete, KeyRow(*shape, *update->old_key));
        add(Op::kInsert, update->row);
      } else {
        add(Op::kUpdate, update->row);
      }
    } else if (const auto* gone = std::get_if<DeleteRow>(&step.operation)) {
      add(Op::kDelete, KeyRow(*shape, gone->key));
    } else {
      FRESHET_CHECK_OK(Close(step.table));
      TakeOther(position, ++*ordinal, step);
    }
    return Status::Ok();
  }

  template <typename... T>
  static bool Is(const Operation& operation) {
    return (std::holds_alternative<T>(operation) || ...);
  }

  static bool SameKey(const record::TableShape& a, const record::TableShape& b) {
    return std::ranges::equal(
        a.key, b.key, {}, [&](int i) { return a.ids[static_cast<size_t>(i)]; },
        [&](int i) { return b.ids[static_cast<size_t>(i)]; });
  }

  void TakeOther(uint64_t position, uint64_t ordinal, const Step& step) {
    if (std::holds_alternative<JoinRow>(step.operation)) return;
    Watched& watched = watched_[step.table];
    auto& shape = watched.shape;
    record::Sequence sequence = SequenceAt(position, ordinal);
    if (std::holds_alternative<LoseRow>(step.operation)) {
      events_.push_back(record::TableEvent(record::RowsUntold{
          .table = shape->id, .at = sequence, .why = "a partition was truncated"}));
      return;
    }
    using Kind = record::TableEnd::Kind;
    if (std::holds_alternative<Truncate>(step.operation) ||
        std::holds_alternative<Drop>(step.operation)) {
      bool truncated = std::holds_alternative<Truncate>(step.operation);
      events_.push_back(
          record::TableEvent(record::TableEnd{.kind = truncated ? Kind::kTruncated : Kind::kDropped,
                                              .table = shape->id,
                                              .at = sequence,
                                              .committed_at = source_->CommittedAt(position)}));
      return;
    }
    watched.logged = *Reshaped(watched.logged, step.operation);
    if (position <= watched.ahead_until) return;
    record::TableShape after = source_->Selected(watched.logged);
    if (after.SameColumns(*shape)) return;
    after.version = 0;
    auto changed = std::make_shared<const record::TableShape>(std::move(after));
    events_.push_back(record::TableEvent(record::ShapeChange{shape, changed, sequence}));
    shape = changed;
  }

  /// A delete's row: the key's cells in their places, the rest null.
  static Row KeyRow(const record::TableShape& shape, const Row& key) {
    if (shape.keyless()) return key;
    Row row(static_cast<size_t>(shape.width()));
    for (size_t i = 0; i < key.size(); ++i) row[static_cast<size_t>(shape.key[i])] = key[i];
    return row;
  }

  Status Close(const std::string& table) {
    auto found = pending_.find(table);
    if (found == pending_.end()) return Status::Ok();
    const auto& shape = watched_[table].shape;
    FRESHET_TRY(auto rows, ChangeRows(*shape, found->second));
    events_.push_back(record::TableEvent(record::ChangeBatch{shape, std::move(rows)}));
    pending_.erase(found);
    return Status::Ok();
  }

  ModelSource* const source_;
  const uint64_t start_;
  uint64_t position_;
  std::map<std::string, Watched> watched_;
  std::map<std::string, std::vector<PendingRow>> pending_;
  std::deque<record::StreamEvent> events_;
};

}  // namespace

std::unique_ptr<sources::ChangeStream> MakeStream(
    ModelSource* source, std::vector<std::shared_ptr<const record::TableShape>> shapes,
    uint64_t position) {
  return std::make_unique<ModelStream>(source, std::move(shapes), position);
}

}  // namespace freshet::model
