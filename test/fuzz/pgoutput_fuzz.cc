// SPDX-License-Identifier: Apache-2.0
// The change stream: messages of a length (2 bytes), a tag and a body. Rows go on into the text
// decoder of a table that has a column of every kind.
#include <arrow/record_batch.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <numeric>
#include <optional>
#include <string>

#include "sources/postgres/pgoutput.h"
#include "sources/postgres/streamed.h"
#include "sources/postgres/table_changes.h"
#include "wire_types.h"

namespace freshet::fuzz {
namespace {

using namespace sources::postgres;  // NOLINT

std::shared_ptr<const record::TableShape> Shape(bool keyless) {
  auto shape = std::make_shared<record::TableShape>();
  shape->id = record::TableId("1");
  shape->name = {"public", "t"};
  arrow::FieldVector fields;
  for (const auto& type : WireTypes()) {
    fields.push_back(arrow::field("c" + std::to_string(fields.size()), ArrowTypeOf(type)));
    shape->ids.emplace_back(static_cast<int32_t>(fields.size()));
  }
  shape->schema = arrow::schema(fields);
  if (!keyless) shape->key = {2, 6};
  return shape;
}

/// Takes messages as the stream does: a table that met a bad row takes no more.
class Taker {
 public:
  explicit Taker(bool keyless) : shape_(Shape(keyless)) {
    std::vector<int> ordinals(static_cast<size_t>(shape_->width()));
    std::iota(ordinals.begin(), ordinals.end(), 0);
    layout_.emplace(shape_->width(), ordinals, keyless);
    changes_ = std::make_unique<TableChanges>(shape_);
  }

  void Take(char tag, const std::string& body) {
    ParseBegin(body);
    ParseCommit(body);
    ParseRelation(body);
    ParseTruncate(body);
    ParseKeepalive(body);
    ParseXLogData(body);
    TakeRow(tag, body);
    TakeStreamed(tag, body);
  }
  void Finish() {
    if (!good_) return;
    auto batch = changes_->Finish();
    if (batch.ok()) Require(batch->rows->ValidateFull());
  }

 private:
  /// Pieces of transactions that are put aside, and at a commit their rows. An error is final, as
  /// in the stream.
  void TakeStreamed(char tag, const std::string& body) {
    auto start = ParseStreamStart(body);
    auto commit = ParseStreamCommit(body);
    auto abort = ParseStreamAbort(body);
    if (!streamed_) return;
    Status status = Status::Ok();
    if (streamed_->open()) {
      status = streamed_->Take(tag + body);
    } else if (tag == 'S' && start) {
      status = streamed_->Start(*start);
    } else if (tag == 'A' && abort) {
      streamed_->Abort(*abort);
    } else if (tag == 'c' && commit) {
      status = Replay(commit->transaction);
    }
    if (!status.ok()) streamed_.reset();
  }
  Status Replay(uint32_t transaction) {
    FRESHET_TRY(auto committed, streamed_->Commit(transaction));
    StreamedReplay replay(streamed_->scratch(), std::move(committed.bytes),
                          std::move(committed.aborted));
    while (true) {
      FRESHET_TRY(auto block, replay.Next());
      if (!block) return Status::Ok();
      while (auto message = block->Next()) TakeRow(message->front(), message->substr(5));
    }
  }
  void TakeRow(char tag, std::string_view body) {
    if (tag != 'I' && tag != 'U' && tag != 'D') return;
    if (!ParseRow(tag, body, &row_) || !good_) return;
    good_ = changes_->Add(tag, row_, *layout_, stamp_).ok();
  }

  std::shared_ptr<const record::TableShape> shape_;
  std::optional<RowLayout> layout_;
  std::unique_ptr<TableChanges> changes_;
  std::optional<StreamedTransactions> streamed_{std::filesystem::temp_directory_path().string()};
  RowMessage row_;
  Stamp stamp_;
  bool good_ = true;
};

}  // namespace
}  // namespace freshet::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  freshet::fuzz::Taker taker((data[0] & 1) != 0);
  for (size_t at = 1; at + 3 <= size;) {
    const size_t length = static_cast<size_t>(data[at] << 8 | data[at + 1]);
    const size_t end = std::min(size, at + 3 + length);
    const std::string body(reinterpret_cast<const char*>(data + at + 3), end - at - 3);
    taker.Take(static_cast<char>(data[at + 2]), body);
    at = end;
  }
  taker.Finish();
  return 0;
}
