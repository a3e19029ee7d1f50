// SPDX-License-Identifier: Apache-2.0
// Source: Delta protocol, "Reader Requirements for AddCDCFile".
#include "apply/feed_contents.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "delta/deletion_vector.h"
#include "delta/features.h"
#include "delta/log.h"
#include "delta/table.h"
#include "parquet/reader.h"
#include "record/arrow_status.h"

namespace freshet::apply {
namespace {

using Store = std::shared_ptr<store::FileStore>;
using Rows = std::multiset<std::string>;

/// A value as a type it may be widened to writes it too.
std::string ValueOf(const arrow::Array& values, int64_t row) {
  std::string text = values.GetScalar(row).ValueOrDie()->ToString();
  if (values.type_id() != arrow::Type::DECIMAL128 || text.find('.') == text.npos) return text;
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

std::string NameOf(const delta::Column& column) {
  return column.id.value() > 0 ? std::to_string(column.id.value()) : column.name;
}

/// A row by its columns' ids, so that one added later makes no difference where it is null.
std::string TextOf(const arrow::RecordBatch& batch, const std::vector<delta::Column>& columns,
                   int64_t row) {
  std::map<std::string, std::string> texts;
  for (size_t i = 0; i < columns.size(); ++i) {
    const auto& values = *batch.column(static_cast<int>(i));
    if (values.IsNull(row)) continue;
    const auto& column = columns[i];
    texts[NameOf(column)] = ValueOf(values, row);
  }
  std::string text;
  for (const auto& [name, value] : texts) text += fmt::format("{}={};", name, value);
  return text;
}

arrow::FieldVector FieldsOf(const std::vector<delta::Column>& columns) {
  arrow::FieldVector fields;
  for (const auto& column : columns) fields.push_back(arrow::field(column.physical, column.type));
  return fields;
}

class Follower {
 public:
  explicit Follower(Store table) : table_(std::move(table)) {}

  Status Take(const std::vector<delta::Action>& actions) {
    Commit commit;
    for (const auto& action : actions) {
      if (const auto* metadata = std::get_if<delta::Metadata>(&action)) {
        FRESHET_CHECK_OK(TakeColumns(*metadata));
      } else if (const auto* protocol = std::get_if<delta::Protocol>(&action)) {
        protocol_ = *protocol;
      } else if (const auto* add = std::get_if<delta::AddFile>(&action)) {
        commit.adds[add->path] = *add;
      } else if (const auto* remove = std::get_if<delta::RemoveFile>(&action)) {
        commit.removes[remove->path] = *remove;
      } else if (const auto* change = std::get_if<delta::ChangeFile>(&action)) {
        commit.changes.push_back(*change);
      } else if (const auto* info = std::get_if<delta::CommitInfo>(&action)) {
        commit.ours = info->engine.starts_with("Freshet");
      }
    }
    Status told = commit.changes.empty() ? TakeFiles(commit) : TakeChanges(commit);
    for (const auto& [path, remove] : commit.removes) files_.erase(path);
    for (const auto& [path, add] : commit.adds) files_[path] = add;
    return told;
  }

  Result<Rows> Living() const {
    Rows rows;
    for (const auto& [path, file] : files_) {
      FRESHET_TRY(const auto dead, DeadOf(file.deletion_vector));
      FRESHET_CHECK_OK(Each(path, dead, [&](std::string row) { rows.insert(std::move(row)); }));
    }
    return rows;
  }
  const Rows& told() const { return rows_; }

 private:
  struct Commit {
    std::map<std::string, delta::AddFile> adds;
    std::map<std::string, delta::RemoveFile> removes;
    std::vector<delta::ChangeFile> changes;
    bool ours = false;
  };

  Status TakeColumns(const delta::Metadata& metadata) {
    metadata_ = metadata;
    const auto before = std::exchange(columns_, {});
    FRESHET_TRY(columns_, delta::ColumnsFromJson(metadata.schema_json));
    for (const auto& column : before) {
      if (std::ranges::find(columns_, NameOf(column), NameOf) == columns_.end())
        ForgetColumn(NameOf(column));
    }
    if (delta::PropertyOf(metadata, delta::kMappingMode) == "name") return Status::Ok();
    for (auto& column : columns_) column.physical = column.name;
    return Status::Ok();
  }

  /// A column is gone, with what the rows had in it.
  void ForgetColumn(const std::string& name) {
    Rows rest;
    for (std::string row : rows_) {
      size_t at = row.starts_with(name + "=") ? 0 : row.find(";" + name + "=");
      if (at != row.npos) {
        at += at == 0 ? 0 : 1;
        row.erase(at, row.find(';', at) + 1 - at);
      }
      rest.insert(std::move(row));
    }
    rows_ = std::move(rest);
  }

  Result<delta::DeletionVector> DeadOf(
      const std::optional<delta::DeletionVectorDescriptor>& vector) const {
    if (!vector) return delta::DeletionVector();
    return delta::DeletionVector::Load(*table_, *vector);
  }

  template <typename TakeRow>
  Status Each(const std::string& path, const delta::DeletionVector& but,
              const TakeRow& take) const {
    FRESHET_TRY(auto reader, parquet::Reader::Open(table_, path));
    for (int group = 0; group < reader->row_groups(); ++group) {
      FRESHET_TRY(auto batch, reader->Read(group, FieldsOf(columns_)));
      const auto first = static_cast<uint64_t>(reader->RowsOf(group).first);
      for (int64_t row = 0; row < batch->num_rows(); ++row) {
        if (!but.Contains(first + static_cast<uint64_t>(row))) take(TextOf(*batch, columns_, row));
      }
    }
    return Status::Ok();
  }

  Status Go(const std::string& row) {
    auto found = rows_.find(row);
    if (found == rows_.end())
      return Error(ErrorClass::INTERNAL, "the feed takes a row away that is not there: {}", row);
    rows_.erase(found);
    return Status::Ok();
  }

  /// A version that only its files tell of.
  Status TakeFiles(const Commit& commit) {
    Rows gone, come;
    bool all = !files_.empty();
    for (const auto& [path, file] : files_) all = all && commit.removes.contains(path);
    for (const auto& [path, remove] : commit.removes) {
      if (!remove.data_change || all) continue;
      auto add = commit.adds.find(path);
      if (add != commit.adds.end() && commit.ours &&
          delta::IsOn(protocol_, metadata_, delta::kEnableFeed))
        return Error(ErrorClass::INTERNAL, "rows of {} die and the feed does not tell", path);
      FRESHET_TRY(const auto before, DeadOf(remove.deletion_vector));
      FRESHET_CHECK_OK(Each(path, before, [&](std::string row) { gone.insert(std::move(row)); }));
    }
    for (const auto& [path, add] : commit.adds) {
      if (!add.data_change) continue;
      FRESHET_TRY(const auto dead, DeadOf(add.deletion_vector));
      FRESHET_CHECK_OK(Each(path, dead, [&](std::string row) { come.insert(std::move(row)); }));
    }
    const bool changes_data = std::ranges::any_of(
        commit.removes, [](const auto& remove) { return remove.second.data_change; });
    if (all && changes_data) rows_.clear();
    for (const auto& row : gone) FRESHET_CHECK_OK(Go(row));
    rows_.merge(come);
    return Status::Ok();
  }

  Status TakeChanges(const Commit& commit) {
    std::map<std::string, Rows> rows;
    for (const auto& change : commit.changes) {
      auto fields = FieldsOf(columns_);
      fields.push_back(arrow::field("_change_type", arrow::utf8()));
      FRESHET_TRY(auto reader, parquet::Reader::Open(table_, change.path));
      for (int group = 0; group < reader->row_groups(); ++group) {
        FRESHET_TRY(auto batch, reader->Read(group, fields));
        const auto& types = static_cast<const arrow::StringArray&>(*batch->columns().back());
        for (int64_t row = 0; row < batch->num_rows(); ++row)
          rows[types.GetString(row)].insert(TextOf(*batch, columns_, row));
      }
    }
    if (rows["update_preimage"].size() != rows["update_postimage"].size())
      return Error(ErrorClass::INTERNAL, "an update has one side only");
    for (const char* type : {"update_preimage", "delete"}) {
      for (const auto& row : rows[type]) FRESHET_CHECK_OK(Go(row));
    }
    rows_.merge(rows["update_postimage"]);
    rows_.merge(rows["insert"]);
    return Status::Ok();
  }

  const Store table_;
  delta::Protocol protocol_;
  delta::Metadata metadata_;
  std::vector<delta::Column> columns_;
  std::map<std::string, delta::AddFile> files_;
  Rows rows_;
};

}  // namespace

Status CheckFeed(const Store& table) {
  auto latest = delta::Table(table).Latest(nullptr);
  if (latest.status().Is(ErrorClass::NOT_FOUND)) return Status::Ok();
  FRESHET_CHECK_OK(latest);
  Follower follower(table);
  for (int64_t version = 0; version <= (*latest)->version; ++version) {
    auto actions = delta::ReadCommit(*table, version);
    if (actions.status().Is(ErrorClass::NOT_FOUND)) return Status::Ok();
    FRESHET_CHECK_OK(actions);
    Status taken = follower.Take(*actions);
    if (taken.Is(ErrorClass::NOT_FOUND)) return Status::Ok();
    if (!taken.ok()) return std::move(taken).With("version", std::to_string(version));
  }
  FRESHET_TRY(const auto living, follower.Living());
  if (living == follower.told()) return Status::Ok();
  std::string texts;
  for (const auto& row : follower.told()) texts += "\n  told " + row;
  for (const auto& row : living) texts += "\n  lives " + row;
  return Error(ErrorClass::INTERNAL, "the feed makes other rows than there are{}", texts);
}

}  // namespace freshet::apply
