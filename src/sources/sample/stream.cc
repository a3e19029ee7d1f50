// SPDX-License-Identifier: Apache-2.0
#include "sources/sample/stream.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <set>

namespace freshet::sources::sample {
namespace {

/// How often the file is looked at while nothing comes: works on every file system.
constexpr std::chrono::milliseconds kLookInterval{10};

bool IsRow(const std::string& op) { return op == "insert" || op == "update" || op == "delete"; }

}  // namespace

record::Cursor ToCursor(const Position& position) {
  return {fmt::format("{} mark={} journal={}", position.number, position.mark, position.journal)};
}

Result<Position> FromCursor(const record::Cursor& cursor) {
  Position position;
  std::string_view text = cursor.text;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), position.number);
  std::string_view rest(end, static_cast<size_t>(text.data() + text.size() - end));
  size_t journal = rest.find(" journal=");
  if (error != std::errc() || !rest.starts_with(" mark=") || journal == std::string_view::npos)
    return Error(ErrorClass::SLOT_LOST, "not a position in a journal: {}", text);
  position.mark = rest.substr(6, journal - 6);
  position.journal = rest.substr(journal + 9);
  return position;
}

Status SampleStream::Fence() {
  FRESHET_TRY(fence_, journal_.Size());
  return Status::Ok();
}

Result<std::set<record::TableId>> SampleStream::Watch(
    std::vector<std::shared_ptr<const record::TableShape>> shapes) {
  std::set<record::TableId> watched;
  for (auto& shape : shapes) {
    watched.insert(shape->id);
    Table& table = tables_[shape->id];
    if (table.shape != nullptr && table.shape->SameColumns(*shape) &&
        table.shape->version == shape->version)
      continue;
    FRESHET_CHECK_OK(Flush(&table));
    table.changes.reset();
    table.shape = std::move(shape);
    table.failed = false;
  }
  for (auto& [id, table] : tables_) {
    if (!watched.contains(id)) FRESHET_CHECK_OK(Flush(&table));
  }
  std::erase_if(tables_, [&](const auto& each) { return !watched.contains(each.first); });
  // Nobody locks a table of a journal.
  return std::set<record::TableId>();
}

/// Nothing here is freed by it: it says how far the journal may be compacted.
Status SampleStream::Acknowledge(const record::Cursor& durable) {
  if (config_.reader.empty()) return Status::Ok();
  FRESHET_TRY(Position position, FromCursor(durable));
  std::string path = config_.position_file(), beside = path + ".new";
  store::OpenFile file(open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!file.ok()) return store::FromErrno(errno, "cannot write", beside);
  FRESHET_CHECK_OK(store::WriteAll(file.get(), std::to_string(position.number) + "\n", beside));
  if (std::rename(beside.c_str(), path.c_str()) != 0)
    return store::FromErrno(errno, "cannot replace", path);
  return Status::Ok();
}

int64_t SampleStream::BytesBehind() const {
  auto size = journal_.Size();
  return size.ok() ? *size - journal_.offset() : -1;
}

int64_t SampleStream::values_nulled() const {
  int64_t sum = nulled_before_;
  for (const auto& [id, table] : tables_) {
    if (table.changes != nullptr) sum += table.changes->values_nulled();
  }
  return sum;
}

Result<record::StreamEvent> SampleStream::Next(Deadline deadline) {
  while (true) {
    if (!ready_.empty()) {
      record::StreamEvent event = std::move(ready_.front());
      ready_.pop_front();
      return event;
    }
    bool fenced = fence_ && journal_.offset() >= *fence_;
    bool full = open_bytes_ >= static_cast<int64_t>(limits::kBatchBytesMax);
    FRESHET_TRY(bool more, fenced || full ? Result<bool>(false) : TakeLine());
    if (more) continue;
    if (commit_open_) {
      FRESHET_CHECK_OK(CloseCommit());
      continue;
    }
    auto now = std::chrono::steady_clock::now();
    // One Idle at once; more of them only as often as the caller's deadline, so that nobody spins.
    if (fence_ || !was_idle_ || now >= deadline) {
      fence_.reset();
      was_idle_ = true;
      return record::StreamEvent(record::Idle{});
    }
    FRESHET_CHECK_OK(journal_.StillThere());
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
    poll(nullptr, 0, static_cast<int>(std::min(left, kLookInterval).count()));
  }
}

/// Decode the next line; false when none waits.
Result<bool> SampleStream::TakeLine() {
  FRESHET_TRY(auto transaction, journal_.Next());
  if (!transaction) return false;
  uint64_t ordinal = 1;
  for (const auto& change : transaction->changes) {
    FRESHET_CHECK_OK(TakeChange(change, *transaction, ordinal));
    ordinal += 2;  // a changed key takes two
  }
  position_.number = transaction->number;
  position_.mark = std::move(transaction->mark);
  committed_at_ = transaction->committed_at;
  open_bytes_ += transaction->bytes;
  commit_open_ = true;
  was_idle_ = false;
  return true;
}

Status SampleStream::TakeChange(const Json& change, const Transaction& transaction,
                                uint64_t ordinal) {
  std::string op = TextOf(change, "op"), name = TextOf(change, "table");
  const JournalTable* known = catalog_.Find(name);
  record::TableId id = known == nullptr ? record::TableId() : known->shape.id;
  FRESHET_CHECK_OK(catalog_.Apply(change));
  auto found = tables_.find(id);
  if (known == nullptr || found == tables_.end() || found->second.failed) return Status::Ok();
  Table& table = found->second;
  auto at = record::Sequence::Of(0, transaction.number, ordinal);
  if (IsRow(op)) return TakeRow(change, transaction, ordinal, known->shape.width(), &table);
  if (op == "add") return TakeAddedColumn(known->shape, at, &table);
  FRESHET_CHECK_OK(Flush(&table));
  auto kind = op == "drop" ? record::TableEnd::Kind::kDropped : record::TableEnd::Kind::kTruncated;
  ready_.emplace_back(record::TableEvent(record::TableEnd{kind, id, at, transaction.committed_at}));
  return Status::Ok();
}

Status SampleStream::TakeRow(const Json& change, const Transaction& transaction, uint64_t ordinal,
                             int width, Table* table) {
  auto row = ReadRowChange(change, *table->shape, width);
  if (!row.ok()) {
    Fail(table, row.status().With("transaction", std::to_string(transaction.number)));
    return Status::Ok();
  }
  if (table->changes == nullptr) {
    FRESHET_TRY(table->changes, TableChanges::Make(table->shape));
  }
  FRESHET_CHECK_OK(table->changes->Add(*row, transaction, ordinal));
  return table->changes->rows() >= limits::kBatchRowsMax ? Flush(table) : Status::Ok();
}

/// The watched shape may be newer than this line and have the column already.
Status SampleStream::TakeAddedColumn(const record::TableShape& now, const record::Sequence& at,
                                     Table* table) {
  if (table->shape->width() >= now.width()) return Status::Ok();
  FRESHET_CHECK_OK(Flush(table));
  if (table->changes != nullptr) nulled_before_ += table->changes->values_nulled();
  table->changes.reset();
  auto after = std::make_shared<record::TableShape>(now);
  after->version = table->shape->version + 1;
  Status problem = record::CheckShape(*after);
  if (!problem.ok()) {
    Fail(table, std::move(problem));
    return Status::Ok();
  }
  ready_.emplace_back(record::TableEvent(record::ShapeChange{table->shape, after, at}));
  table->shape = std::move(after);
  return Status::Ok();
}

void SampleStream::Fail(Table* table, Status why) {
  table->failed = true;
  if (table->changes != nullptr) nulled_before_ += table->changes->values_nulled();
  table->changes.reset();
  ready_.emplace_back(record::TableEvent(record::TableFailed{table->shape->id, std::move(why)}));
}

Status SampleStream::Flush(Table* table) {
  if (table->changes == nullptr || table->changes->rows() == 0) return Status::Ok();
  FRESHET_TRY(record::ChangeBatch batch, table->changes->Finish());
  ready_.emplace_back(record::TableEvent(std::move(batch)));
  return Status::Ok();
}

Status SampleStream::CloseCommit() {
  for (auto& [id, table] : tables_) FRESHET_CHECK_OK(Flush(&table));
  ready_.emplace_back(record::Commit{ToCursor(position_), committed_at_});
  commit_open_ = false;
  open_bytes_ = 0;
  return Status::Ok();
}

}  // namespace freshet::sources::sample
