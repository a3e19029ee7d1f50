// SPDX-License-Identifier: Apache-2.0
#include "sources/sample/journal.h"

#include <arrow/scalar.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace freshet::sources::sample {
namespace {

constexpr size_t kReadBytes = limits::kMiB;

/// FNV-1a, 64 bits: tells another history from ours, nothing more.
std::string MarkOf(std::string_view line) {
  uint64_t hash = 14695981039346656037ULL;
  for (char c : line) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211ULL;
  return fmt::format("{:016x}", hash);
}

Status CannotRead(int error, const std::string& path) {
  if (error == EACCES || error == EPERM) {
    return Error(ErrorClass::SOURCE_PRIVILEGE, "the journal may not be read: {}", path)
        .WithRemedy("chmod +r " + path);
  }
  return Error(ErrorClass::SOURCE_UNREACHABLE, "the journal cannot be read: {}: {}", path,
               std::strerror(error));
}

/// Whether an object has a value for each column of the key; adds their text to `key`.
bool TakeKey(const Json& values, const record::TableShape& shape, std::string* key) {
  Json parts = Json::array();
  for (int ordinal : shape.key) {
    auto found = values.find(shape.schema->field(ordinal)->name());
    if (found == values.end() || found->is_null()) return false;
    parts.push_back(*found);
  }
  *key = JsonText(parts);
  return true;
}

uint64_t NumberOf(const Json& object, const char* field) {
  auto found = object.find(field);
  return found != object.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
}

}  // namespace

std::string TextOf(const Json& object, const char* field) {
  auto found = object.find(field);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

Result<JournalReader> JournalReader::Open(const Config& config) {
  std::string path = config.journal();
  auto file = std::make_shared<store::OpenFile>(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file->ok()) return CannotRead(errno, path);
  JournalReader reader(std::move(file), std::move(path));
  FRESHET_CHECK_OK(reader.ReadHeader());
  return reader;
}

Result<JournalReader> JournalReader::Again() const {
  JournalReader reader(file_, path_);
  FRESHET_CHECK_OK(reader.ReadHeader());
  return reader;
}

Status JournalReader::ReadHeader() {
  FRESHET_TRY(auto line, NextLine());
  Json header = line ? ParseJson<Json>(*line) : Json();
  if (header.is_object()) id_ = TextOf(header, "journal");
  if (id_.empty()) {
    return Error(ErrorClass::DATA_CORRUPT, "the first line does not name the journal: {}", path_)
        .WithRemedy(R"(Begin the file with a line like {"journal": "shop-1", "base": 0}.)");
  }
  base_ = NumberOf(header, "base");
  base_lines_ = NumberOf(header, "base_lines");
  return Status::Ok();
}

Result<std::optional<std::string_view>> JournalReader::NextLine() {
  size_t searched = taken_;
  while (true) {
    size_t end = buffer_.find('\n', searched);
    if (end != std::string::npos) {
      auto line = std::string_view(buffer_).substr(taken_, end - taken_);
      taken_ = end + 1;
      ++line_;
      return std::optional(line);
    }
    buffer_.erase(0, std::exchange(taken_, 0));
    searched = buffer_.size();
    if (searched > kLineBytesMax) {
      return Error(ErrorClass::DATA_CORRUPT, "line {} of {} is longer than {} bytes", line_ + 1,
                   path_, kLineBytesMax);
    }
    buffer_.resize(searched + kReadBytes);
    ssize_t count = pread(file_->get(), buffer_.data() + searched, kReadBytes, end_);
    buffer_.resize(searched + static_cast<size_t>(std::max<ssize_t>(count, 0)));
    if (count < 0) return CannotRead(errno, path_);
    if (count == 0) return std::optional<std::string_view>();
    end_ += count;
  }
}

Result<Transaction> JournalReader::Parse(std::string_view line) {
  Json json = ParseJson<Json>(line);
  auto corrupt = [&](std::string_view why) {
    return Error(ErrorClass::DATA_CORRUPT, "line {} of {} {}", line_, path_, why);
  };
  if (!json.is_object()) return corrupt("is not a JSON object");
  auto changes = json.find("changes");
  if (changes == json.end() || !changes->is_array()) return corrupt("has no list of changes");
  for (const auto& change : *changes) {
    if (!change.is_object() || TextOf(change, "op").empty() || TextOf(change, "table").empty())
      return corrupt("has a change without op or table");
  }
  Transaction transaction;
  uint64_t lines = line_ - 1;  // but for the header
  transaction.number = base_ + (lines > base_lines_ ? lines - base_lines_ : 0);
  if (json.contains("at")) {
    auto at =
        arrow::Scalar::Parse(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), TextOf(json, "at"));
    if (!at.ok()) return corrupt("has an `at` that is no time like 2026-01-02T03:04:05.678901Z");
    transaction.committed_at = static_cast<const arrow::TimestampScalar&>(**at).value;
  }
  transaction.changes = std::move(*changes);
  transaction.mark = MarkOf(line);
  transaction.bytes = static_cast<int64_t>(line.size());
  return transaction;
}

Result<std::optional<Transaction>> JournalReader::Next() {
  FRESHET_TRY(auto line, NextLine());
  if (!line) return std::optional<Transaction>();
  FRESHET_TRY(Transaction transaction, Parse(*line));
  return std::optional(std::move(transaction));
}

Result<int64_t> JournalReader::Size() const {
  struct stat info {};
  if (fstat(file_->get(), &info) != 0) return CannotRead(errno, path_);
  return static_cast<int64_t>(info.st_size);
}

Status JournalReader::StillThere() const {
  struct stat named {
  }, read{};
  if (stat(path_.c_str(), &named) != 0) return CannotRead(errno, path_);
  if (fstat(file_->get(), &read) != 0) return CannotRead(errno, path_);
  if (named.st_ino != read.st_ino || named.st_dev != read.st_dev)
    return Error(ErrorClass::SOURCE_UNREACHABLE, "the journal was replaced: {}", path_);
  if (read.st_size < end_)
    return Error(ErrorClass::SLOT_MOVED, "the journal was cut: {}", path_)
        .WithRemedy("Restore the journal, or ingest into an empty directory.");
  return Status::Ok();
}

Result<RowChange> ReadRowChange(const Json& change, const record::TableShape& shape, int width) {
  std::string op = TextOf(change, "op");
  auto corrupt = [&](std::string_view why) {
    return Error(ErrorClass::DATA_CORRUPT, "an {} of {} {}", op, shape.name.ToString(), why);
  };
  RowChange result;
  result.row = Json::object();
  if (op != "insert") {
    auto key = change.find("key");
    if (key == change.end() || !key->is_object() || !TakeKey(*key, shape, &result.key_before))
      return corrupt("does not give the row's key");
    result.row = *key;
  }
  if (op == "delete") {
    result.op = record::Op::kDelete;
    return result;
  }
  result.op = op == "insert" ? record::Op::kInsert : record::Op::kUpdate;
  auto row = change.find("row");
  if (row == change.end() || !row->is_object()) return corrupt("has no row");
  for (const auto& [name, value] : row->items()) {
    if (shape.schema->GetFieldIndex(name) < 0) return corrupt("has a column that is none: " + name);
    result.row[name] = value;
  }
  if (!TakeKey(result.row, shape, &result.key_after)) return corrupt("has no key");
  if (result.key_changed() && row->size() < static_cast<size_t>(width))
    return corrupt("changes the key and does not give the whole row");
  return result;
}

}  // namespace freshet::sources::sample
