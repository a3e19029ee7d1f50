// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "cases/script.h"
#include "model/world.h"

namespace freshet::cases {

/// Plays a case on a world, statement by statement, until one of them isn't so.
class Player {
 public:
  /// With `feed` every table keeps a change data feed, and it must tell the rows that are there.
  explicit Player(std::shared_ptr<store::FileStore> store, bool feed = false)
      : world_(std::move(store)) {
    if (feed) world_.properties["delta.enableChangeDataFeed"] = "true";
  }
  /// Errors: what differs, with its line.
  Status Play(std::string_view text);

 private:
  /// What a statement that runs something expects of it.
  struct Expected {
    std::string pipeline = "main";
    std::optional<int64_t> commits, reads, generation;
    std::optional<std::string> fails, in_table;
    std::optional<int64_t> chunk;
    std::optional<std::string> crash;
    bool crash_after = false;
  };

  Status Do(const Statement& statement);
  Status DoSource(Words& words, const Statement& statement, const std::string& verb);
  Status DoRun(Words& words, const std::string& verb);
  Status DoDamage(Words& words, const std::string& verb);

  Status CreateTable(const Statement& statement);
  Status CheckTable(Words& words, const Statement& statement);
  Status CheckFiles(Words& words);
  Status SetHistory(Words& words);
  Status SetPolicy(Words& words);
  Status DoWords(Words& words, const std::string& verb);
  Status SetProperty(Words& words);
  Status SetComment(Words& words);
  Status CheckComment(Words& words);
  Status CheckProperty(Words& words);
  Status CheckTimes(Words& words);
  Status CheckTold(Words& words, const Statement& statement);
  Status SetSnapshot(Words& words, const Statement& statement);
  Status AddChanges(Words& words, const Statement& statement, bool meanwhile);
  Status Rename(Words& words);
  Status Foreign(Words& words);
  Status Index(Words& words);
  Status Lose(Words& words, const std::string& folder);

  Result<Expected> ReadExpected(Words& words);
  Status RunWith(const Expected& expected, const std::string& verb);
  Status CheckOutcome(const Expected& expected, const model::Outcome& outcome);

  /// The named table, or the only one.
  Result<std::string> TableName(Words& words);
  /// Rows of a table as it is now, each value in its canonical form.
  /// … with the cells of the columns that history added to the table.
  Result<model::Row> HistoryRow(const record::TableShape& shape,
                                const std::vector<delta::Column>& ours, model::Row row) const;
  Result<model::Row> CanonicalRow(const record::TableShape& shape, const model::Row& row,
                                  bool key_only) const;
  Result<model::Step> StepOf(const std::string& table, const record::TableShape& shape,
                             const Line& line);

  model::World world_;
};

}  // namespace freshet::cases
