// SPDX-License-Identifier: Apache-2.0
// What does a table's log cost as it grows: reading N small commits from scratch, committing on top
// of N files, and writing a checkpoint of them? In memory, so that the disk is not measured.
#include <benchmark/benchmark.h>

#include "delta/table.h"
#include "store/memory_store.h"

namespace freshet::delta {
namespace {

using State = std::shared_ptr<const Snapshot>;

AddFile File(int64_t number) {
  AddFile add;
  add.path = fmt::format("part-{:08}-80a083e8-7026-4e79-81be-64bd76c43a11.parquet", number);
  add.bytes = 100'000;
  add.modified_at_ms = 1'750'000'000'000;
  std::string bounds;
  for (int column = 0; column < 17; ++column) {
    bounds += fmt::format("{}\"column_{}\":{}", column == 0 ? "" : ",", column, number * column);
  }
  add.stats_json = fmt::format(
      R"({{"numRecords":1000,"minValues":{{{0}}},"maxValues":{{{0}}},"nullCount":{{{0}}}}})",
      bounds);
  return add;
}

State Must(Result<State> result) {
  if (!result.ok()) std::abort();
  return *result;
}

/// A table of `files` files, one a commit.
State Fill(Table* table, int64_t files) {
  Column column;
  column.name = column.physical = "id";
  column.type = arrow::int64();
  auto [protocol, metadata] = Describe({{column}, {}, false}, 0);
  State state = Must(table->Commit(nullptr, {}, {protocol, metadata}));
  for (int64_t i = 0; i < files; ++i) {
    state = Must(table->Commit(state, {}, {Txn{"flow/changes", i, 0}, File(i)}));
  }
  return state;
}

void ReadCommits(benchmark::State& bench) {
  Table table(store::MakeMemoryStore());
  Fill(&table, bench.range(0));
  for (auto _ : bench) benchmark::DoNotOptimize(Must(table.Latest(nullptr)));
  bench.SetItemsProcessed(bench.iterations() * bench.range(0));
}
BENCHMARK(ReadCommits)->Arg(100)->Arg(3000)->Unit(benchmark::kMillisecond);

void ReadCheckpoint(benchmark::State& bench) {
  Table table(store::MakeMemoryStore());
  if (!table.Checkpoint(*Fill(&table, bench.range(0))).ok()) std::abort();
  for (auto _ : bench) benchmark::DoNotOptimize(Must(table.Latest(nullptr)));
  bench.SetItemsProcessed(bench.iterations() * bench.range(0));
}
BENCHMARK(ReadCheckpoint)->Arg(3000)->Unit(benchmark::kMillisecond);

void CommitOnTop(benchmark::State& bench) {
  Table table(store::MakeMemoryStore());
  State state = Fill(&table, bench.range(0));
  int64_t next = bench.range(0);
  for (auto _ : bench) {
    state = Must(table.Commit(state, {}, {Txn{"flow/changes", next, 0}, File(next)}));
    ++next;
  }
}
BENCHMARK(CommitOnTop)->Arg(100)->Arg(3000)->Iterations(200)->Unit(benchmark::kMillisecond);

void WriteCheckpoint(benchmark::State& bench) {
  Table table(store::MakeMemoryStore());
  State state = Fill(&table, bench.range(0));
  for (auto _ : bench) {
    if (!table.Checkpoint(*state).ok()) std::abort();
  }
}
BENCHMARK(WriteCheckpoint)->Arg(3000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace freshet::delta
