// SPDX-License-Identifier: Apache-2.0
// How fast is the Parquet encoder on one core, on rows of the usual kinds (17 columns, about 225
// bytes)? Beside it the same bytes copied, the bound no encoder beats.
#include <benchmark/benchmark.h>

#include <cstring>

#include "base/limits.h"
#include "order_rows.h"
#include "parquet/encoder.h"

namespace freshet::parquet {
namespace {

constexpr int64_t kBatchRows = 32 * 1024;

std::vector<std::shared_ptr<arrow::RecordBatch>> Batches() {
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  for (int64_t i = 0; i < 16; ++i)
    batches.push_back(bench::OrderRows(1 + i * kBatchRows, kBatchRows));
  return batches;
}

void Encode(benchmark::State& state) {
  auto batches = Batches();
  int64_t bytes = 0;
  for (auto _ : state) {
    std::vector<std::string> names = batches[0]->schema()->field_names();
    auto encoder = Encoder::Make(batches[0]->schema(), names, {});
    for (const auto& batch : batches) {
      if (!(*encoder)->Write(batch).ok()) std::abort();
    }
    bytes = (*encoder)->Finish()->bytes->size();
  }
  int64_t rows = kBatchRows * std::ssize(batches);
  state.SetItemsProcessed(state.iterations() * rows);
  state.counters["bytes_per_row"] = static_cast<double>(bytes) / static_cast<double>(rows);
}
BENCHMARK(Encode)->Unit(benchmark::kMillisecond);

void CopyBytes(benchmark::State& state) {
  auto batches = Batches();
  std::string to;
  int64_t rows = 0;
  for (auto _ : state) {
    rows = 0;
    for (const auto& batch : batches) {
      rows += batch->num_rows();
      for (const auto& column : batch->columns()) {
        for (const auto& buffer : column->data()->buffers) {
          if (buffer == nullptr) continue;
          to.resize(static_cast<size_t>(buffer->size()));
          std::memcpy(to.data(), buffer->data(), to.size());
          benchmark::DoNotOptimize(to.data());
        }
      }
    }
  }
  state.SetItemsProcessed(state.iterations() * rows);
}
BENCHMARK(CopyBytes)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace freshet::parquet
