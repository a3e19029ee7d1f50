// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "capture/gateway.h"
#include "fakes/fake_clock.h"
#include "fakes/fake_source.h"
#include "parquet/reader.h"
#include "staging/reader.h"
#include "staging/wishes.h"
#include "store/memory_store.h"

namespace freshet::capture {

using fakes::Alter;
using fakes::Delete;
using fakes::Insert;
using fakes::Lose;
using fakes::Row;
using fakes::Truncate;
using staging::FlowId;
using staging::Generation;
using staging::Manifest;
using staging::TableId;

inline const FlowId kFlow("f");

inline record::TableShape Shape(const std::string& id, std::vector<fakes::Column> more = {}) {
  std::vector<fakes::Column> columns = {{"id", arrow::int64()}, {"note", arrow::utf8()}};
  columns.insert(columns.end(), more.begin(), more.end());
  return fakes::MakeShape(id, "public", "t" + id, std::move(columns));
}

/// Keeps what was told.
class Events final : public record::Observer {
 public:
  void OnEvent(const record::Event& event) override {
    std::lock_guard lock(mutex_);
    events_.push_back(event);
  }
  int64_t Count(std::string_view name) {
    std::lock_guard lock(mutex_);
    return std::count_if(events_.begin(), events_.end(),
                         [&](const auto& each) { return each.name == name; });
  }
  int64_t Sum(std::string_view name, std::string_view field) {
    std::lock_guard lock(mutex_);
    int64_t sum = 0;
    for (const auto& event : events_) {
      if (event.name != name) continue;
      for (const auto& [key, value] : event.fields) {
        if (key == field) sum += std::get<int64_t>(value);
      }
    }
    return sum;
  }
  /// A field of the last event of this name.
  std::string Last(std::string_view name, std::string_view field) {
    std::lock_guard lock(mutex_);
    for (auto event = events_.rbegin(); event != events_.rend(); ++event) {
      if (event->name != name) continue;
      for (const auto& [key, value] : event->fields) {
        if (key == field) return std::get<std::string>(value);
      }
    }
    return {};
  }

 private:
  std::mutex mutex_;
  std::vector<record::Event> events_;
};

/// A gateway over a source that is a script: one table of three rows at the start.
class GatewayTest : public ::testing::Test {
 protected:
  void SetUp() override {
    source_.Create(Shape("1"));
    source_.Commit({Insert{"1", {int64_t{1}, "a"}}, Insert{"1", {int64_t{2}, "b"}},
                    Insert{"1", {int64_t{3}, "c"}}});
  }
  void Wish(const std::string& table, int64_t generation, const FlowId& flow = kFlow) {
    ASSERT_TRUE(
        staging::PutWish(
            *store_, {.flow = flow, .table = TableId(table), .generation = Generation(generation)})
            .ok());
  }
  /// Run a gateway until it drained.
  Result<Captured> Run(int readers = 0) {
    GatewayOptions options;
    options.selects = selects_;
    options.names = names_;
    options.snapshot_readers = readers;
    options.holder = holder_;
    options.drain_requested = [] { return true; };
    return Gateway(&source_, store_, &clock_, &events_, std::move(options)).Run({});
  }
  void RunWell(int readers = 0) {
    auto captured = Run(readers);
    ASSERT_TRUE(captured.ok()) << captured.status().ToString();
  }
  std::vector<std::shared_ptr<const Manifest>> Manifests() {
    auto reader = std::move(staging::StagingReader::Open(store_)).value();
    return reader->List(staging::SegmentNumber(0), 1'000'000).value();
  }
  staging::Checkpoint State() {
    return *std::move(staging::StagingReader::Open(store_)).value()->Latest().value();
  }
  template <typename T>
  std::vector<T> Entries() {
    std::vector<T> entries;
    for (const auto& manifest : Manifests()) {
      for (const auto& entry : manifest->entries) {
        if (const auto* each = std::get_if<T>(&entry)) entries.push_back(*each);
      }
    }
    return entries;
  }
  /// The ids in the parts of a generation.
  std::vector<int64_t> SnapshotIds(const std::string& table, int64_t generation) {
    std::vector<int64_t> ids;
    for (const auto& part : Entries<staging::SnapshotPart>()) {
      if (part.table != TableId(table) || part.generation != Generation(generation)) continue;
      auto reader = std::move(parquet::Reader::Open(store_, part.path)).value();
      for (int group = 0; group < reader->row_groups(); ++group) {
        auto rows = reader->Read(group, {reader->schema()->field(0)}).value();
        const auto& column = static_cast<const arrow::Int64Array&>(*rows->column(0));
        for (int64_t row = 0; row < rows->num_rows(); ++row) ids.push_back(column.Value(row));
      }
    }
    std::sort(ids.begin(), ids.end());
    return ids;
  }
  int64_t ChangeRows(const std::string& table) {
    int64_t rows = 0;
    for (const auto& run : Entries<staging::ChangeRun>())
      rows += run.table == TableId(table) ? run.rows : 0;
    return rows;
  }
  size_t PartFiles() { return store_->List("parts", "", 1000, true).value().size(); }

  fakes::FakeClock clock_;
  fakes::FakeSource source_{&clock_};
  std::shared_ptr<store::FileStore> store_ = store::MakeMemoryStore(&clock_);
  Events events_;
  std::function<bool(const record::TableName&)> selects_, names_;
  HeldSnapshots held_{&source_};  // outlives the gateways
  SnapshotHolder* holder_ = nullptr;
};

}  // namespace freshet::capture
