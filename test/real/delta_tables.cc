// SPDX-License-Identifier: Apache-2.0
// Writes Delta tables for other readers, and reads other writers' tables:
//   delta_tables write DIR             the tables that test_delta_readers.py describes
//   delta_tables read TABLE OUT        the live rows of a table, as one Parquet file
//   delta_tables checkpoint TABLE      a checkpoint of its newest state
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdio>

#include "base/random.h"
#include "delta/deletion_vector.h"
#include "delta/stats.h"
#include "delta/table.h"
#include "parquet/encoder.h"
#include "parquet/reader.h"
#include "record/arrow_status.h"

namespace freshet {
namespace {

using arrow::ArrayBuilder;
using Batch = std::shared_ptr<arrow::RecordBatch>;
using State = std::shared_ptr<const delta::Snapshot>;
using Store = std::shared_ptr<store::FileStore>;

constexpr int64_t kNowMs = 1'750'000'000'000;
/// 0001-01-01 00:00:00.000001 and 9999-12-31 23:59:59.999999 in microseconds, and their days.
constexpr int64_t kMicrosMin = -62'135'596'799'999'999, kMicrosMax = 253'402'300'799'999'999;
constexpr int32_t kDaysMin = -719'162, kDaysMax = 2'932'896;

std::shared_ptr<arrow::DataType> Micros(const char* zone = "") {
  return arrow::timestamp(arrow::TimeUnit::MICRO, zone);
}

/// Every type of a shape, named as test_delta_readers.py expects.
arrow::FieldVector TypeFields() {
  using arrow::field;
  return {field("id", arrow::int64()),
          field("flag", arrow::boolean()),
          field("tiny", arrow::int8()),
          field("small", arrow::int16()),
          field("whole", arrow::int32()),
          field("big", arrow::int64()),
          field("real", arrow::float32()),
          field("double", arrow::float64()),
          field("text", arrow::utf8()),
          field("bytes", arrow::binary()),
          field("day", arrow::date32()),
          field("local", Micros()),
          field("moment", Micros("UTC")),
          field("money", arrow::decimal128(9, 2)),
          field("huge", arrow::decimal128(38, 10)),
          field("words", arrow::list(arrow::utf8())),
          field("sums", arrow::list(arrow::decimal128(18, 4))),
          field("times", arrow::list(Micros()))};
}

template <typename Builder, typename T>
Status Append(ArrayBuilder* builder, const T& value) {
  FRESHET_CHECK_OK(static_cast<Builder*>(builder)->Append(value));
  return Status::Ok();
}

template <typename T>
T Edge(int64_t i, T value) {
  return i == 0 ? std::numeric_limits<T>::min() : i == 1 ? std::numeric_limits<T>::max() : value;
}

arrow::Decimal128 Huge(int64_t i) {
  const auto most = *arrow::Decimal128::FromString("99999999999999999999999999999999999999");
  if (i < 2) return i == 0 ? arrow::Decimal128(-most) : most;
  return arrow::Decimal128(i) * arrow::Decimal128(10'000'000'000) + arrow::Decimal128(i);
}

std::string Text(int64_t i) {
  std::string text;
  if (i == 1) {
    for (int k = 0; k < 40; ++k) text += "ä";
  } else if (i > 1) {
    text = fmt::format("text {} of a row that is longer than thirty-two", i);
  }
  return text;
}

/// Append the lists of row i: i % 3 elements, the second of them null.
template <typename Builder, typename Make>
Status AppendList(ArrayBuilder* builder, int64_t i, const Make& make) {
  auto* list = static_cast<arrow::ListBuilder*>(builder);
  FRESHET_CHECK_OK(list->Append());
  for (int64_t k = 0; k < i % 3; ++k) {
    if (k == 1) {
      FRESHET_CHECK_OK(list->value_builder()->AppendNull());
    } else {
      FRESHET_CHECK_OK(Append<Builder>(list->value_builder(), make(k)));
    }
  }
  return Status::Ok();
}

Status AppendScalar(ArrayBuilder* to, const std::string& name, int64_t i) {
  const double edge = i == 0   ? std::nan("")
                      : i == 1 ? INFINITY
                      : i == 2 ? -0.0
                               : 0.5 * static_cast<double>(i);
  const int64_t micros = i == 0 ? kMicrosMin : i == 1 ? kMicrosMax : i * 1'000'001;
  if (name == "id") return Append<arrow::Int64Builder>(to, i);
  if (name == "flag") return Append<arrow::BooleanBuilder>(to, i % 2 == 0);
  if (name == "tiny")
    return Append<arrow::Int8Builder>(to, Edge<int8_t>(i, static_cast<int8_t>(i % 100)));
  if (name == "small")
    return Append<arrow::Int16Builder>(to, Edge<int16_t>(i, static_cast<int16_t>(i)));
  if (name == "whole")
    return Append<arrow::Int32Builder>(to, Edge<int32_t>(i, static_cast<int32_t>(i)));
  if (name == "big") return Append<arrow::Int64Builder>(to, Edge<int64_t>(i, i));
  if (name == "real") return Append<arrow::FloatBuilder>(to, static_cast<float>(edge));
  if (name == "double") return Append<arrow::DoubleBuilder>(to, edge);
  if (name == "text") return Append<arrow::StringBuilder>(to, Text(i));
  if (name == "bytes")
    return Append<arrow::BinaryBuilder>(to, std::string("\0\xff", 2) + std::to_string(i));
  if (name == "day") {
    return Append<arrow::Date32Builder>(to, i == 0   ? kDaysMin
                                            : i == 1 ? kDaysMax
                                                     : static_cast<int32_t>(i));
  }
  if (name == "local" || name == "moment") return Append<arrow::TimestampBuilder>(to, micros);
  if (name == "money")
    return Append<arrow::Decimal128Builder>(to, arrow::Decimal128(i * 101 - 500));
  return Append<arrow::Decimal128Builder>(to, Huge(i));
}

/// Append row i's value of a column; every seventh row has nulls.
Status AppendValue(ArrayBuilder* to, const std::string& name, int64_t i) {
  if (i % 7 == 3 && name != "id") {
    FRESHET_CHECK_OK(to->AppendNull());
    return Status::Ok();
  }
  if (name == "words") {
    return AppendList<arrow::StringBuilder>(to, i, [&](int64_t) { return fmt::format("w{}", i); });
  }
  if (name == "sums") {
    return AppendList<arrow::Decimal128Builder>(
        to, i, [&](int64_t) { return arrow::Decimal128(i * 12345); });
  }
  if (name == "times") {
    return AppendList<arrow::TimestampBuilder>(to, i, [&](int64_t) { return i * 1'000'001; });
  }
  return AppendScalar(to, name, i);
}

Result<Batch> TypeRows(const arrow::FieldVector& fields, int64_t from, int64_t to) {
  arrow::ArrayVector arrays;
  for (const auto& field : fields) {
    FRESHET_TRY(auto builder, arrow::MakeBuilder(field->type()));
    for (int64_t i = from; i < to; ++i)
      FRESHET_CHECK_OK(AppendValue(builder.get(), field->name(), i));
    FRESHET_TRY(auto array, builder->Finish());
    arrays.push_back(std::move(array));
  }
  return arrow::RecordBatch::Make(arrow::schema(fields), to - from, std::move(arrays));
}

delta::CommitInfo Info(std::string operation) {
  delta::CommitInfo info;
  info.at_ms = kNowMs;
  info.operation = std::move(operation);
  info.engine = "freshet/test";
  return info;
}

/// A table being written, one commit a call.
class Writer {
 public:
  static Result<Writer> Create(const std::string& directory, std::vector<delta::Column> columns,
                               bool mapping) {
    FRESHET_TRY(auto store, store::OpenLocalStore(directory));
    Writer writer(std::move(store), std::move(columns));
    auto [protocol, metadata] = delta::Describe({writer.columns_, {}, mapping}, kNowMs);
    FRESHET_TRY(writer.state_,
                writer.table_.Commit(nullptr, Info("CREATE TABLE"),
                                     {protocol, metadata, delta::Txn{"test/changes", 0, kNowMs}}));
    return writer;
  }

  Status Append(const Batch& rows, const std::string& path) {
    std::vector<std::string> names;
    std::vector<record::ColumnId> ids;
    for (const auto& column : columns_) {
      names.push_back(column.physical);
      ids.push_back(column.id);
    }
    FRESHET_TRY(auto encoder, parquet::Encoder::Make(rows->schema(), names, ids));
    FRESHET_CHECK_OK(encoder->Write(rows));
    FRESHET_TRY(auto file, encoder->Finish());
    FRESHET_CHECK_OK(table_.store()->Put(path, file.bytes->ToString(), store::If::kAbsent));
    delta::AddFile add;
    add.path = path;
    add.bytes = file.bytes->size();
    add.modified_at_ms = kNowMs;
    add.stats_json = delta::StatsJson(file.statistics, columns_, true);
    return Commit("WRITE", {add, delta::Txn{"test/changes", state_->version, kNowMs}});
  }

  /// Mark rows of files dead, on top of what is dead already, in one commit.
  Status Kill(const std::map<std::string, std::vector<uint64_t>>& rows) {
    std::vector<delta::DeletionVector> vectors;
    for (const auto& [path, dead] : rows) {
      delta::DeletionVector vector;
      const auto& old = state_->files.at(path).deletion_vector;
      if (old) {
        FRESHET_TRY(vector, delta::DeletionVector::Load(*table_.store(), *old));
      }
      for (uint64_t row : dead) vector.Add(row);
      vectors.push_back(std::move(vector));
    }
    FRESHET_TRY(auto descriptors, delta::DeletionVector::Write(*table_.store(), vectors));
    std::vector<delta::Action> actions;
    size_t next = 0;
    for (const auto& [path, dead] : rows) {
      delta::AddFile add = state_->files.at(path);
      actions.push_back(Removal(add));
      add.deletion_vector = descriptors[next++];
      add.stats_json = delta::WithoutTightBounds(add.stats_json);
      actions.push_back(add);
    }
    return Commit("DELETE", std::move(actions));
  }

  Status RemoveWhole(const std::string& path) {
    return Commit("DELETE", {Removal(state_->files.at(path))});
  }
  Status Checkpoint() { return table_.Checkpoint(*state_); }

 private:
  Writer(Store store, std::vector<delta::Column> columns)
      : table_(std::move(store)), columns_(std::move(columns)) {}

  static delta::RemoveFile Removal(const delta::AddFile& add) {
    delta::RemoveFile remove;
    remove.path = add.path;
    remove.deleted_at_ms = kNowMs;
    remove.bytes = add.bytes;
    remove.deletion_vector = add.deletion_vector;
    return remove;
  }
  Status Commit(const char* operation, std::vector<delta::Action> actions) {
    FRESHET_TRY(state_, table_.Commit(state_, Info(operation), std::move(actions)));
    return Status::Ok();
  }

  delta::Table table_;
  std::vector<delta::Column> columns_;
  State state_;
};

std::vector<delta::Column> ColumnsOf(const arrow::FieldVector& fields) {
  std::vector<delta::Column> columns;
  for (const auto& field : fields) {
    delta::Column column;
    column.name = column.physical = field->name();
    column.id = record::ColumnId(static_cast<int32_t>(columns.size()) + 1);
    column.type = field->type();
    columns.push_back(std::move(column));
  }
  return columns;
}

/// `types`: rows 0 … 1999 in two files; a third removed; every tenth row of the first dead in two
/// steps (a stored vector), row 1003 dead by an inline one; a checkpoint in between.
Status WriteTypes(const std::string& directory) {
  const auto fields = TypeFields();
  FRESHET_TRY(auto writer, Writer::Create(directory, ColumnsOf(fields), false));
  FRESHET_TRY(const auto first, TypeRows(fields, 0, 1000));
  FRESHET_CHECK_OK(writer.Append(first, "part a%41.parquet"));
  FRESHET_TRY(const auto second, TypeRows(fields, 1000, 2000));
  FRESHET_CHECK_OK(writer.Append(second, "part-b.parquet"));
  FRESHET_CHECK_OK(writer.Append(second, "part-c.parquet"));
  std::vector<uint64_t> fives, tens;
  for (uint64_t row = 10; row < 1000; row += 10) (row % 20 == 0 ? tens : fives).push_back(row);
  FRESHET_CHECK_OK(writer.Kill({{"part a%41.parquet", tens}, {"part-b.parquet", {3}}}));
  FRESHET_CHECK_OK(writer.Checkpoint());
  FRESHET_CHECK_OK(writer.Kill({{"part a%41.parquet", fives}}));
  return writer.RemoveWhole("part-c.parquet");
}

/// One table a name: columns "id" and the name, mapped, with the name itself or "col-2" as the
/// physical name.
Status WriteNames(const std::string& directory) {
  const std::vector<std::string> names = {
      "a b", "a,b",  "a;b", "a{b}", "a(b)", "a\tb", "a\nb", "a=b", "a.b",   "a\"b", "a`b", "a'b",
      "aüb", "a%41", "a/b", "a\\b", "A b",  "[a]",  "#a",   "a:b", "a b,c", " a ",  "$a",  "数 据"};
  arrow::FieldVector fields = {arrow::field("id", arrow::int64()),
                               arrow::field("text", arrow::utf8())};
  FRESHET_TRY(const auto rows, TypeRows(fields, 0, 100));
  for (size_t n = 0; n < names.size(); ++n) {
    for (const bool same : {true, false}) {
      auto columns = ColumnsOf(fields);
      columns[1].name = names[n];
      columns[1].physical = same ? names[n] : "col-2";
      const std::string path = fmt::format("{}/{}_{}", directory, same ? "same" : "clean", n);
      FRESHET_TRY(auto writer, Writer::Create(path, columns, true));
      FRESHET_CHECK_OK(writer.Append(rows, "part-a.parquet"));
      FRESHET_CHECK_OK(writer.Kill({{"part-a.parquet", {7}}}));
      if (n % 2 == 0) FRESHET_CHECK_OK(writer.Checkpoint());
    }
  }
  return Status::Ok();
}

/// Read the live rows of a data file.
Result<Batch> LiveRows(const Store& store, const delta::Snapshot& state,
                       const delta::AddFile& add) {
  arrow::FieldVector fields;
  for (const auto& column : state.columns)
    fields.push_back(arrow::field(column.physical, column.type));
  FRESHET_TRY(auto reader, parquet::Reader::Open(store, add.path));
  delta::DeletionVector dead;
  if (add.deletion_vector) {
    FRESHET_TRY(dead, delta::DeletionVector::Load(*store, *add.deletion_vector));
  }
  std::vector<int64_t> live;
  for (int64_t row = 0; row < reader->rows(); ++row) {
    if (!dead.Contains(static_cast<uint64_t>(row))) live.push_back(row);
  }
  return reader->Take(live, fields);
}

Status Read(const std::string& directory, const std::string& out) {
  FRESHET_TRY(auto store, store::OpenLocalStore(directory));
  FRESHET_TRY(const auto state, delta::Table(store).Latest(nullptr));
  arrow::FieldVector fields;
  std::vector<std::string> names;
  for (const auto& column : state->columns) {
    fields.push_back(arrow::field(column.physical, column.type));
    names.push_back(column.name);
  }
  FRESHET_TRY(auto encoder, parquet::Encoder::Make(arrow::schema(fields), names, {}));
  for (const auto& [path, add] : state->files) {
    FRESHET_TRY(const auto rows, LiveRows(store, *state, add));
    FRESHET_CHECK_OK(encoder->Write(rows));
  }
  FRESHET_TRY(const auto file, encoder->Finish());
  std::FILE* handle = std::fopen(out.c_str(), "wb");
  if (handle == nullptr) return Error(ErrorClass::STORE_UNAVAILABLE, "cannot write {}", out);
  const auto size = static_cast<size_t>(file.bytes->size());
  const bool written = std::fwrite(file.bytes->data(), 1, size, handle) == size;
  if (std::fclose(handle) != 0 || !written)
    return Error(ErrorClass::STORE_UNAVAILABLE, "cannot write {}", out);
  return Status::Ok();
}

Status Checkpoint(const std::string& directory) {
  FRESHET_TRY(auto store, store::OpenLocalStore(directory));
  const delta::Table table(store);
  FRESHET_TRY(const auto state, table.Latest(nullptr));
  return table.Checkpoint(*state);
}

Status Run(const std::vector<std::string>& words) {
  if (words.size() == 2 && words[0] == "write") {
    FRESHET_CHECK_OK(WriteTypes(words[1] + "/types"));
    return WriteNames(words[1] + "/names");
  }
  if (words.size() == 3 && words[0] == "read") return Read(words[1], words[2]);
  if (words.size() == 2 && words[0] == "checkpoint") return Checkpoint(words[1]);
  return Error(ErrorClass::INVALID_ARGUMENT,
               "usage: write DIR | read TABLE OUT | checkpoint TABLE");
}

}  // namespace
}  // namespace freshet

int main(int argc, char** argv) {
  const freshet::Status done = freshet::Run(std::vector<std::string>(argv + 1, argv + argc));
  if (!done.ok()) fmt::print(stderr, "{}\n", done.ToString());
  return done.ok() ? 0 : 1;
}
