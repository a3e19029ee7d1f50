// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/type.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/event_line.h"
#include "pipeline/update.h"
#include "staging/writer.h"
#include "store/memory_store.h"

namespace freshet::pipeline {

class Recorder final : public record::Observer {
 public:
  void OnEvent(const record::Event& event) override {
    if (event.name == "wished" || event.name == "segment_seen") return;
    lines.push_back(event.name + " " + TextOf(event, "table"));
    last = event;
  }
  std::vector<std::string> lines;
  record::Event last;
};

/// What the appliers of a test answer, in order; then: current.
struct Script {
  std::map<std::string, std::vector<Result<apply::Applied>>> answers;
  std::vector<std::string> calls;
};

class ScriptedApplier final : public apply::TableApplier {
 public:
  ScriptedApplier(std::string table, Script* script) : table_(std::move(table)), script_(script) {}
  Result<apply::Positions> Current() override { return apply::Positions{}; }
  Result<apply::Applied> Apply(record::SegmentNumber through, const std::stop_token&) override {
    script_->calls.push_back(fmt::format("{}@{}", table_, through.value()));
    auto& answers = script_->answers[table_];
    if (answers.empty())
      return apply::Applied{.state = apply::Applied::State::kCurrent, .through = through};
    auto answer = answers.front();
    answers.erase(answers.begin());
    return answer;
  }

 private:
  std::string table_;
  Script* script_;
};

/// An update over a staging in memory, whose appliers answer what they are told to.
class UpdateTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = store::MakeMemoryStore();
    staging_ = store::Below(root_, "_freshet/staging");
    auto writer = staging::StagingWriter::Open(staging_, &clock_);
    ASSERT_TRUE(writer.ok()) << writer.status().ToString();
    writer_ = std::move(writer).value();
  }

  /// Stage a table's discovery, or that something happened to it.
  void Stage(const std::string& id, const std::string& table,
             std::optional<record::TableId> former = {}) {
    record::TableShape shape{.id = record::TableId(id),
                             .name = {"public", table},
                             .version = ++version_,
                             .schema = arrow::schema({arrow::field("k", arrow::int64())}),
                             .key = {0},
                             .ids = {record::ColumnId(1)},
                             .source_types = {}};
    shape.logged = logged_;
    writer_->Note(
        staging::TableListed{.table = record::TableId(id), .name = shape.name, .former = former});
    writer_->Note(staging::ShapeNoted{.shape = shape, .at = {}});
    Seal();
  }
  void Seal() { ASSERT_TRUE(writer_->Seal(record::Cursor{"c"}, 1).ok()); }

  std::unique_ptr<Update> Open(PipelineSpec spec = {}, const std::string& pipeline = kOnlyPipeline,
                               bool reread = false) {
    if (reader_ == nullptr) {
      auto reader = staging::StagingReader::Open(staging_);
      EXPECT_TRUE(reader.ok());
      reader_ = std::move(reader).value();
    }
    Update::Parts parts{.staging = reader_.get(),
                        .root = root_,
                        .staging_prefix = "_freshet/staging",
                        .clock = &clock_,
                        .observer = &events_};
    parts.open_applier = [this](apply::Flow flow, apply::TableApplier::Context context)
        -> Result<std::unique_ptr<apply::TableApplier>> {
      opened_.push_back(
          fmt::format("{} {} {}", flow.id.value(), context.table_prefix, context.created_before));
      return std::unique_ptr<apply::TableApplier>(
          std::make_unique<ScriptedApplier>(flow.source.table, &script_));
    };
    auto update = Update::Open(std::move(parts), {.spec = std::move(spec),
                                                  .pipeline = record::PipelineId(pipeline),
                                                  .reread = reread,
                                                  .threads = 0});
    EXPECT_TRUE(update.ok()) << update.status().ToString();
    return std::move(update).value();
  }
  Update::Round Step(Update& update) {
    auto round = update.Step({});
    EXPECT_TRUE(round.ok()) << round.status().ToString();
    return round.ok() ? *round : Update::Round{};
  }
  staging::GenerationBegun Begin(const std::string& id, const std::string& flow, int64_t generation,
                                 bool difference = false) {
    staging::GenerationBegun begun{.flow = record::FlowId(flow),
                                   .table = record::TableId(id),
                                   .generation = record::Generation(generation),
                                   .position = {},
                                   .shape_version = version_,
                                   .first_segment = {}};
    begun.difference = difference;
    writer_->Note(begun);
    return begun;
  }
  void End(const staging::GenerationBegun& begun) {
    writer_->Note(staging::GenerationEnded{
        .flow = begun.flow, .table = begun.table, .generation = begun.generation});
  }
  std::vector<std::string> Wishes() {
    std::vector<std::string> texts;
    auto wishes = staging::ListWishes(*staging_);
    EXPECT_TRUE(wishes.ok());
    for (const auto& wish : *wishes)
      texts.push_back(wish.flow.value() + "/" + std::to_string(wish.generation.value()));
    return texts;
  }
  static apply::Applied Committed(int64_t inserted) {
    apply::Applied applied;
    applied.state = apply::Applied::State::kCommitted;
    applied.version = 1;
    applied.rows_inserted = inserted;
    return applied;
  }

  SystemClock clock_;
  Recorder events_;
  Script script_;
  std::shared_ptr<store::FileStore> root_, staging_;
  std::unique_ptr<staging::StagingWriter> writer_;
  std::unique_ptr<staging::StagingReader> reader_;
  std::vector<std::string> opened_;
  int version_ = 0;
  bool logged_ = true;
};

}  // namespace freshet::pipeline
