// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>
#include <vector>

#include "postgres_fixture.h"

namespace freshet::sources::postgres {

/// A change stream of a real server, as lines.
class StreamTest : public PostgresTest {
 protected:
  /// Everything until the source is idle, one line an event: `+ row`, `~ row`, `- row`, `truncate`,
  /// `shape …`, `failed CLASS`; a value that was not sent is `?`. Commits are kept in `cursor_`.
  std::vector<std::string> Drain() {
    std::vector<std::string> lines;
    while (true) {
      auto event = stream_->Next(In(kPatience));
      if (!event.ok()) {
        lines.push_back("error " + std::string(NameOf(event.status().error_class())));
        return lines;
      }
      if (std::holds_alternative<record::Idle>(*event)) return lines;
      if (std::holds_alternative<record::Nothing>(*event)) {
        lines.emplace_back("nothing");
        return lines;
      }
      if (auto* commit = std::get_if<record::Commit>(&*event)) {
        cursor_ = commit->cursor;
        continue;
      }
      AddLines(std::get<record::TableEvent>(*event), &lines);
    }
  }

  static void AddLines(const record::TableEvent& event, std::vector<std::string>* lines) {
    if (const auto* batch = std::get_if<record::ChangeBatch>(&event)) {
      EXPECT_TRUE(batch->rows->ValidateFull().ok()) << batch->rows->ValidateFull().ToString();
      record::ChangeView view(batch->rows);
      for (int64_t row = 0; row < view.size(); ++row) {
        std::string line(1, "+~-"[static_cast<int>(view.op(row))]);
        for (int column = 0; column < view.width(); ++column) {
          line += column == 0 ? " " : ",";
          line += view.missing(row, column) ? "?" : Text(*batch->rows->column(column), row);
        }
        EXPECT_TRUE(row == 0 || view.sequence(row - 1) < view.sequence(row));
        lines->push_back(line);
      }
    } else if (const auto* shape = std::get_if<record::ShapeChange>(&event)) {
      const auto& after = *shape->after;
      const bool filled = !after.filled.empty() && after.filled.back();
      lines->push_back("shape " + after.schema->field(after.width() - 1)->name() +
                       (filled ? " filled" : ""));
    } else if (const auto* failed = std::get_if<record::TableFailed>(&event)) {
      lines->push_back("failed " + std::string(NameOf(failed->why.error_class())));
    } else if (const auto* unread = std::get_if<record::TableUnread>(&event)) {
      lines->push_back(unread->why.ok()
                           ? "readable"
                           : "unread " + std::string(NameOf(unread->why.error_class())));
    } else if (const auto* untold = std::get_if<record::RowsUntold>(&event)) {
      lines->push_back("untold " + untold->why);
    } else if (const auto* seen = std::get_if<record::PartitionsSeen>(&event)) {
      std::set<std::string> names;
      for (const auto& partition : seen->partitions)
        names.insert(partition.name + (partition.told ? "" : "*"));
      std::string line = "parts";
      for (const auto& name : names) line += " " + name;
      lines->push_back(line);
    } else {
      lines->emplace_back("truncate");
    }
  }

  void Open(const std::vector<std::string>& tables) {
    OpenSource();
    Status status = OpenStream(tables);
    ASSERT_TRUE(status.ok()) << status.ToString();
    cursor_ = stream_->Start();
    EXPECT_FALSE(cursor_.text.empty());
  }
  Lsn Confirmed() {
    return *ParseLsn(
        Ask("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" +
            config_.slot + "'"));
  }

  record::Cursor cursor_;
};

}  // namespace freshet::sources::postgres
