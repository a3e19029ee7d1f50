// SPDX-License-Identifier: Apache-2.0
// How many changes a second does apply take into a table of two million rows (17 columns, about 225
// bytes), on one core and on a local disk? 60 % updates and 15 % deletes of random rows, 25 %
// inserts. The first run also builds the key index.
#include <benchmark/benchmark.h>

#include <arrow/compute/api_vector.h>

#include <filesystem>
#include <random>

#include "apply/table_applier.h"
#include "base/clock.h"
#include "base/random.h"
#include "order_rows.h"
#include "parquet/encoder.h"
#include "staging/writer.h"

namespace freshet::apply {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kTableRows = 2'000'000;
constexpr int64_t kPartRows = 250'000;
constexpr int64_t kBatchRows = 10'000;

void Must(const Status& status) {
  if (status.ok()) return;
  fmt::print(stderr, "{}\n", status.ToString());
  std::abort();
}
template <typename T>
T Must(Result<T> result) {
  Must(result.status());
  return std::move(result).value();
}

class World {
 public:
  World() {
    directory_ = fs::temp_directory_path() / ("freshet-bench-" + RandomHex(8));
    root_ = Must(store::OpenLocalStore(directory_.string()));
    staging_ = store::Below(root_, "_freshet/staging");
    writer_ = Must(staging::StagingWriter::Open(staging_, &clock_));
    reader_ = Must(staging::StagingReader::Open(staging_));
    index_ = Must(KeyIndex::Open((directory_ / "_freshet/index").string()));
    auto shape = std::make_shared<record::TableShape>();
    shape->id = record::TableId("1");
    shape->name = {"public", "orders"};
    shape->version = 1;
    shape->schema = bench::OrderRows(0, 1)->schema();
    shape->key = {0};
    for (int i = 0; i < shape->width(); ++i) shape->ids.emplace_back(i + 1);
    shape_ = std::move(shape);
    Snapshot();
    TableApplier::Context context;
    context.staging = reader_.get();
    context.table = store::Below(root_, "public/orders");
    context.root = root_;
    context.staging_prefix = "_freshet/staging";
    context.table_prefix = "public/orders";
    context.index = index_.get();
    context.clock = &clock_;
    context.observer = &observer_;
    applier_ = Must(TableApplier::Open(flow_, std::move(context)));
    Apply();
  }
  ~World() {
    applier_.reset();
    index_.reset();
    fs::remove_all(directory_);
  }

  void Stage(int64_t changes) {
    for (int64_t done = 0; done < changes; done += kBatchRows) {
      Must(writer_->Append({shape_, Changes(std::min(kBatchRows, changes - done))}));
      if (writer_->SealDue() || done + kBatchRows >= changes) Seal();
    }
  }
  void Apply() {
    while (Must(applier_->Apply(sealed_, {})).state != Applied::State::kCurrent) continue;
  }

 private:
  void Seal() { sealed_ = Must(writer_->Seal({"cursor"}, 0)); }

  void Snapshot() {
    staging::GenerationBegun begun;
    begun.flow = flow_.id;
    begun.table = flow_.table;
    begun.generation = record::Generation(1);
    begun.shape_version = 1;
    begun.first_segment = writer_->next();
    writer_->Note(staging::TableListed{flow_.table, flow_.source});
    writer_->Note(staging::ShapeNoted{*shape_, {}});
    writer_->Note(begun);
    for (int64_t first = 0; first < kTableRows; first += kPartRows) {
      auto encoder =
          Must(parquet::Encoder::Make(shape_->schema, shape_->schema->field_names(), shape_->ids));
      Must(encoder->Write(bench::OrderRows(first, kPartRows)));
      auto file = Must(encoder->Finish());
      auto path = writer_->PartPath(flow_.id, flow_.table, begun.generation, first);
      Must(staging_->Put(path, std::string_view(*file.bytes), store::If::kAbsent));
      writer_->Note(staging::SnapshotPart{flow_.id, flow_.table, begun.generation, first, path,
                                          kPartRows, file.bytes->size()});
      writer_->Note(staging::ChunkDone{flow_.id, flow_.table, begun.generation, first, kPartRows});
    }
    writer_->Note(staging::GenerationEnded{flow_.id, flow_.table, begun.generation, kTableRows});
    Seal();
  }

  std::shared_ptr<arrow::RecordBatch> Changes(int64_t rows) {
    auto columns = bench::OrderRows(next_, rows)->columns();
    arrow::Int64Builder ids;
    arrow::Int8Builder ops;
    arrow::FixedSizeBinaryBuilder sequences(arrow::fixed_size_binary(24));
    arrow::TimestampBuilder times(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                                  arrow::default_memory_pool());
    arrow::BinaryBuilder missing;
    for (int64_t i = 0; i < rows; ++i) {
      auto kind = random_() % 100;
      auto op = kind < 60   ? record::Op::kUpdate
                : kind < 75 ? record::Op::kDelete
                            : record::Op::kInsert;
      int64_t id =
          op == record::Op::kInsert ? next_++ : static_cast<int64_t>(random_() % kTableRows);
      auto sequence = record::Sequence::Of(1, ++position_, 1);
      (void)ids.Append(id);
      (void)ops.Append(static_cast<int8_t>(op));
      (void)sequences.Append(sequence.bytes.data());
      (void)times.Append(static_cast<int64_t>(position_));
      (void)missing.AppendNull();
    }
    columns[0] = ids.Finish().ValueOrDie();
    columns.push_back(ops.Finish().ValueOrDie());
    columns.push_back(sequences.Finish().ValueOrDie());
    columns.push_back(times.Finish().ValueOrDie());
    columns.push_back(missing.Finish().ValueOrDie());
    return arrow::RecordBatch::Make(record::ChangeSchema(*shape_->schema), rows, columns);
  }

  fs::path directory_;
  SystemClock clock_;
  record::SilentObserver observer_;
  std::shared_ptr<store::FileStore> root_, staging_;
  std::unique_ptr<staging::StagingWriter> writer_;
  std::unique_ptr<staging::StagingReader> reader_;
  std::unique_ptr<KeyIndex> index_;
  std::unique_ptr<TableApplier> applier_;
  std::shared_ptr<const record::TableShape> shape_;
  Flow flow_{record::FlowId("orders"), record::TableId("1"), {"public", "orders"}};
  record::SegmentNumber sealed_;
  std::mt19937_64 random_{1};
  int64_t next_ = kTableRows;
  uint64_t position_ = 0;
};

/// Argument: changes a call.
void Apply(benchmark::State& state) {
  static const auto world = std::make_unique<World>();
  static bool indexed = false;
  if (!indexed) {
    world->Stage(1);
    auto start = std::chrono::steady_clock::now();
    world->Apply();
    fmt::print(stderr, "index of {} rows built in {} ms\n", kTableRows,
               std::chrono::duration_cast<std::chrono::milliseconds>(
                   std::chrono::steady_clock::now() - start)
                   .count());
    indexed = true;
  }
  for (auto _ : state) {
    state.PauseTiming();
    world->Stage(state.range(0));
    state.ResumeTiming();
    world->Apply();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Apply)
    ->Arg(1'000)
    ->Arg(20'000)
    ->Arg(500'000)
    ->Iterations(4)
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace freshet::apply
