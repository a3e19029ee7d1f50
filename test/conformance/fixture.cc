// SPDX-License-Identifier: Apache-2.0
#include "fixture.h"

#include <algorithm>
#include <mutex>
#include <thread>

namespace freshet::conformance {
namespace {

constexpr std::chrono::seconds kPatience{120};

std::string Text(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return std::string(kNull);
  auto scalar = array.GetScalar(row);
  EXPECT_TRUE(scalar.ok());
  return scalar.ok() ? (*scalar)->ToString() : "";
}

std::string Joined(const std::vector<std::string>& values) {
  return fmt::format("{}", fmt::join(values, ","));
}

}  // namespace

Deadline Soon() { return std::chrono::steady_clock::now() + kPatience; }

std::vector<std::string> RowOf(const arrow::RecordBatch& rows, int64_t row, int width) {
  std::vector<std::string> values;
  for (int i = 0; i < width; ++i) values.push_back(Text(*rows.column(i), row));
  return values;
}

std::string Change::ToString() const { return table + " " + op + " " + Joined(values); }

std::vector<std::string> Seen::Lines() const {
  std::vector<std::string> lines;
  for (const auto& change : changes) lines.push_back(change.ToString());
  return lines;
}

void ApplyTo(Image* image, const std::vector<Change>& changes, const record::Sequence& above) {
  std::vector<std::string> former;  // of the delete just before
  for (const auto& change : changes) {
    if (change.sequence <= above) continue;
    const std::string& key = change.values[0];
    auto found = image->find(key);
    if (change.op == '-') {
      former = found == image->end() ? std::vector<std::string>() : found->second;
      image->erase(key);
      continue;
    }
    auto row = change.values;
    const auto& from = found != image->end() ? found->second : former;
    for (size_t i = 0; i < row.size(); ++i) {
      if (row[i] != kUnsent) continue;
      ASSERT_LT(i, from.size()) << "no former value for " << change.ToString();
      row[i] = from[i];
    }
    (*image)[key] = std::move(row);
  }
}

void Conformance::SetUp() {
  backend_ = MakeBackend();
  ASSERT_FALSE(HasFatalFailure());
  facts_ = backend_->facts();
}

void Conformance::Make(const std::string& table) { Make(table, {{"v", facts_.text_type}}); }
void Conformance::Make(const std::string& table, const std::vector<Column>& more) {
  std::vector<Column> columns{{"id", facts_.long_type}};
  columns.insert(columns.end(), more.begin(), more.end());
  backend_->CreateTable(table, columns, /*keyed=*/true);
}

void Conformance::Fill(const std::string& table, int from, int to) {
  std::vector<Act> acts;
  for (int i = from; i <= to; ++i)
    acts.emplace_back(Insert{table, {std::to_string(i), "row " + std::to_string(i)}});
  backend_->Commit(acts);
}

void Conformance::OpenSource() {
  auto source = backend_->Open();
  ASSERT_TRUE(source.ok()) << source.status().ToString();
  source_ = std::move(*source);
}

sources::TableListing Conformance::Listing(const std::string& table) {
  auto listings = source_->ListTables();
  EXPECT_TRUE(listings.ok()) << listings.status().ToString();
  if (!listings.ok()) return {};
  for (auto& listing : *listings) {
    if (listing.name == record::TableName{facts_.schema, table}) return listing;
  }
  return {};
}

Shape Conformance::ShapeOf(const std::string& table) {
  auto shape = source_->Describe(Listing(table).id);
  EXPECT_TRUE(shape.ok()) << table << ": " << shape.status().ToString();
  if (!shape.ok()) return nullptr;
  shape->version = 1;
  return std::make_shared<record::TableShape>(*std::move(shape));
}

Shapes Conformance::ShapesOf(const std::vector<std::string>& tables) {
  Shapes shapes;
  for (const auto& table : tables) shapes.push_back(ShapeOf(table));
  return shapes;
}

Status Conformance::TryStream(const std::vector<std::string>& tables, const record::Cursor& from) {
  last_.clear();
  stream_.reset();
  auto stream = source_->OpenChanges(ShapesOf(tables), from);
  if (!stream.ok()) return stream.status();
  stream_ = std::move(*stream);
  return Status::Ok();
}

void Conformance::OpenStream(const std::vector<std::string>& tables, const record::Cursor& from) {
  Status status = TryStream(tables, from);
  ASSERT_TRUE(status.ok()) << status.ToString();
  if (!from.text.empty()) {
    EXPECT_EQ(stream_->Start(), from);
  }
}

void Conformance::Take(const record::TableEvent& event, Seen* seen) {
  if (const auto* batch = std::get_if<record::ChangeBatch>(&event)) {
    ASSERT_TRUE(batch->rows->ValidateFull().ok()) << batch->rows->ValidateFull().ToString();
    ASSERT_TRUE(batch->rows->schema()->Equals(*record::ChangeSchema(*batch->shape->schema), false));
    const std::string& table = batch->shape->name.table;
    record::ChangeView view(batch->rows);
    for (int64_t row = 0; row < view.size(); ++row) {
      Change change{.table = table,
                    .op = "+~-"[static_cast<int>(view.op(row))],
                    .values = RowOf(*batch->rows, row, view.width()),
                    .sequence = view.sequence(row),
                    .batch = batches_};
      for (int i = 0; i < view.width(); ++i) {
        if (view.missing(row, i)) change.values[static_cast<size_t>(i)] = kUnsent;
      }
      EXPECT_LT(last_[table], change.sequence) << change.ToString();
      last_[table] = change.sequence;
      seen->changes.push_back(std::move(change));
    }
    ++batches_;
  } else if (const auto* shape = std::get_if<record::ShapeChange>(&event)) {
    seen->events.push_back("shape " + shape->after->name.table);
  } else if (const auto* failed = std::get_if<record::TableFailed>(&event)) {
    seen->events.push_back("failed " + failed->why.ToString());
  } else {
    bool dropped = std::get<record::TableEnd>(event).kind == record::TableEnd::Kind::kDropped;
    seen->events.emplace_back(dropped ? "dropped" : "truncated");
  }
}

Seen Conformance::Drain() {
  Seen seen;
  bool open = false;  // something came after the last Commit
  Status fenced = stream_->Fence();
  EXPECT_TRUE(fenced.ok()) << fenced.ToString();
  while (true) {
    auto event = stream_->Next(Soon());
    if (!event.ok()) {
      ADD_FAILURE() << event.status().ToString();
      return seen;
    }
    if (std::holds_alternative<record::Idle>(*event)) break;
    if (std::holds_alternative<record::Nothing>(*event)) {
      ADD_FAILURE() << "the stream did not become idle";
      return seen;
    }
    open = true;
    if (auto* commit = std::get_if<record::Commit>(&*event)) {
      EXPECT_FALSE(commit->cursor.text.empty());
      EXPECT_LE(commit->cursor.text.size(), size_t{64 * 1024});
      seen.commits.push_back(std::move(commit->cursor));
      seen.changes_before.push_back(seen.changes.size());
      open = false;
    } else {
      Take(std::get<record::TableEvent>(*event), &seen);
    }
  }
  EXPECT_FALSE(open) << "idle, and no Commit closed what came before";
  return seen;
}

std::unique_ptr<sources::Snapshot> Conformance::Snap() {
  auto snapshot = source_->BeginSnapshot();
  EXPECT_TRUE(snapshot.ok()) << snapshot.status().ToString();
  return snapshot.ok() ? std::move(*snapshot) : nullptr;
}

std::vector<std::vector<std::string>> Conformance::Read(sources::Snapshot* snapshot,
                                                        const std::string& table, int readers) {
  std::vector<std::vector<std::string>> rows;
  auto described = snapshot->Describe(Listing(table).id);
  EXPECT_TRUE(described.ok()) << described.status().ToString();
  if (!described.ok()) return rows;
  auto shape = std::make_shared<const record::TableShape>(*std::move(described));
  auto chunks = snapshot->Plan(*shape);
  EXPECT_TRUE(chunks.ok()) << chunks.status().ToString();
  if (!chunks.ok()) return rows;
  std::mutex mutex;
  std::atomic<size_t> next = 0;
  auto read = [&] {
    for (size_t i = next++; i < chunks->size(); i = next++) {
      EXPECT_EQ((*chunks)[i].number, static_cast<int64_t>(i));
      auto reader = snapshot->Open(shape, (*chunks)[i]);
      ASSERT_TRUE(reader.ok()) << reader.status().ToString();
      while (true) {
        auto batch = (*reader)->Next();
        ASSERT_TRUE(batch.ok()) << batch.status().ToString();
        if (*batch == nullptr) break;
        ASSERT_TRUE((*batch)->ValidateFull().ok());
        ASSERT_TRUE((*batch)->schema()->Equals(*shape->schema, false));
        std::lock_guard lock(mutex);
        for (int64_t row = 0; row < (*batch)->num_rows(); ++row)
          rows.push_back(RowOf(**batch, row, shape->width()));
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < readers; ++i) threads.emplace_back(read);
  }
  std::ranges::sort(rows);
  return rows;
}

Image Conformance::ReadImage(sources::Snapshot* snapshot, const std::string& table) {
  Image image;
  for (auto& row : Read(snapshot, table)) {
    std::string key = row[0];
    EXPECT_TRUE(image.emplace(key, std::move(row)).second) << "twice in the snapshot: " << key;
  }
  return image;
}

}  // namespace freshet::conformance
